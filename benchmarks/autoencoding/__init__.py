"""Denoising by collage autoencoders and by multilayer perceptrons trained on the same crops."""
