"""Collage autoencoders, and a plain one to compare with; no rate and no samples."""
