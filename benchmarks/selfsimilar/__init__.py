"""Synthetic and self-similar pictures, and screens, beside lossless and lossy peers."""
