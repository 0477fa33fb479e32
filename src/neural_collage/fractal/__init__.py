"""Search-based fractal encoding: matching, rate-distortion quadtree, codes and their syntax."""
