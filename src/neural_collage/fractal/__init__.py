"""Fractal encoding by search: matching, quadtree, symbols; no bits or files (`codec`)."""
