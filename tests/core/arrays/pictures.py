"""Pictures that are attractors, whose octaves are known, and a term of detail."""

import numpy as np

from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.arrays.detail_links import RANGE, DetailLinks


def triangle(octaves: int) -> PixelArray:
    """Sierpinski's triangle (1, 2^octaves, 2^octaves): Pascal's triangle modulo 2."""
    y, x = np.indices((1 << octaves,) * 2)
    picture: PixelArray = ((y & x) == 0).astype(np.float32)[None]
    return picture


def carpet(steps: int) -> PixelArray:
    """Sierpinski's carpet (1, 3^steps, 3^steps)."""
    picture = np.ones((1, 1), np.float32)
    for _ in range(steps):
        picture = np.kron(picture, np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.float32))
    return picture[None]


def links_of_anything(height: int, width: int, seed: int = 0) -> DetailLinks:
    """Half of the ranges linked to domains anywhere in a picture."""
    rng = np.random.default_rng(seed)
    grid = height // RANGE, width // RANGE
    reduction = np.zeros(grid, np.int64)
    corners = np.zeros((*grid, 2), np.int64)
    for place in np.ndindex(*grid):
        factor = int(rng.choice([0, 0, 2, 3]))
        free = height - RANGE * factor, width - RANGE * factor
        if factor and min(free) >= 0:
            reduction[place] = factor
            # as the search places them: in whole steps of the reduction
            corners[place] = [factor * rng.integers(side // factor + 1) for side in free]
    return DetailLinks(reduction, corners, rng.uniform(0, 1.5, grid))


class Slopes:
    """A term of detail: how a pixel differs from one three columns to its left."""

    reach = 3

    def details(self, image: PixelArray) -> PixelArray:
        inside = image[:, 3:-3, 3:-3]
        change = inside - image[:, 3:-3, :-6]
        patch = np.array([[0.3, -0.3], [-0.1, 0.1]], np.float32)
        return np.kron(change, patch)
