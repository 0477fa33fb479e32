"""Likelihood bounds, speed and samples of the collage VAE beside a VDVAE of equal size."""
