"""Robustness of the decoders against mutated files and single-bit errors."""
