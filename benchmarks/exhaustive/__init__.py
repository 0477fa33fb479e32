"""Exhaustive fractal search beside the search of the codec and the network."""
