"""PSNR of inpainting, denoising and enlargement by collages beside standard methods."""
