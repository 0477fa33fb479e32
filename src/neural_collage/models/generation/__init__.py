"""Hierarchical VAEs and their likelihoods; drawing and zooming into samples is in `art`."""
