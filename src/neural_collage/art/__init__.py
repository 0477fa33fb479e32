"""Fractal art, styles, samples, zooms and movies; inpainting, denoising, enlarging, morphing."""
