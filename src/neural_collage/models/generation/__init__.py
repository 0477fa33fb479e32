"""Hierarchical VAEs and their likelihoods; `art` samples from them and zooms into samples."""
