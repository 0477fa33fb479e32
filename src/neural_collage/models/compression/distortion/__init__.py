"""How pictures differ: squared, visual and structural errors, and their mixtures; no training."""
