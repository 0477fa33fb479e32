"""Decoding steps on numpy arrays, exact and without torch; no gradients, no parameters of maps."""
