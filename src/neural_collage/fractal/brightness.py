"""Brightness: the tree of block means, its prediction, and biases that realise given means.

The mean of a block of n pixels is carried as its orthonormal coefficient, n times the mean. A
split block hands it to its four quarters through the Haar transform: one sum and three details.
The horizontal and vertical details are predicted from the means of the neighbouring blocks, on all
sides, as for a smooth surface.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core.affine import ScaledMap
from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.fixed_point import fixed_point
from neural_collage.fractal.geometry import SIZES, BoolArray, FloatArray, IntArray

SMOOTHNESS = 1 / 8  # Haar detail of a ramp per difference of its neighbours' coefficients


def haar(children: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients of a grid of blocks -> sums (rows/2, columns/2) and details (..., 3)."""
    a, b = children[0::2, 0::2], children[0::2, 1::2]
    c, d = children[1::2, 0::2], children[1::2, 1::2]
    details = np.stack([a - b + c - d, a + b - c - d, a - b - c + d], -1) / 2
    return (a + b + c + d) / 2, details


def inverse_haar(sums: FloatArray, details: FloatArray) -> FloatArray:
    """The inverse of `haar`."""
    h, v, d = np.moveaxis(details, -1, 0)
    children = np.empty((2 * sums.shape[0], 2 * sums.shape[1]))
    children[0::2, 0::2] = (sums + h + v + d) / 2
    children[0::2, 1::2] = (sums - h + v - d) / 2
    children[1::2, 0::2] = (sums + h - v - d) / 2
    children[1::2, 1::2] = (sums - h - v + d) / 2
    return children


def predict_details(sums: FloatArray) -> FloatArray:
    """Details (rows, columns, 3) of a smooth surface through the given block coefficients."""
    padded = np.pad(sums, 1, mode="edge")
    horizontal = (padded[1:-1, :-2] - padded[1:-1, 2:]) * SMOOTHNESS
    vertical = (padded[:-2, 1:-1] - padded[2:, 1:-1]) * SMOOTHNESS
    return np.stack([horizontal, vertical, np.zeros_like(sums)], -1)


def descend(sums: FloatArray, split: BoolArray, details: IntArray, step: float) -> FloatArray:
    """Coefficients of the next finer grid, from quantised details of the split blocks."""
    predicted = predict_details(sums)
    predicted[split] += details * step
    return inverse_haar(sums, predicted)


def leaf_means(
    roots: IntArray, splits: Sequence[BoolArray], details: Sequence[IntArray], step: float
) -> Float[Tensor, " r"]:
    """Means of the leaves of the quadtree, in partition order, for a quantiser step."""
    grid = roots.astype(np.float64) * step
    alive = np.ones(roots.shape, bool)
    means = []
    for level, size in enumerate(SIZES):
        split = splits[level] if level < len(splits) else np.zeros_like(alive)
        means.append(grid[alive & ~split] / size)
        if level < len(splits):
            grid = descend(grid, split, details[level], step)
            alive = split.repeat(2, 0).repeat(2, 1)
    return torch.from_numpy(np.concatenate(means)).float()


def calibrate(collage: Collage, means: Float[Tensor, "c r"]) -> Collage:
    """The collage with the biases that give its ranges the given means, for each channel.

    The means of the domains belong to the solution, so they are found with it: at the coarsest
    exact scale, each application of the map is followed by setting the mean of every range.

    Raises NotConvergedError if that iteration does not settle.
    """
    if not collage.n_sources:
        return replace(collage, bias=means)
    scale = 1 / collage.lattice
    mapping = ScaledMap.of(collage, scale)
    owner = _range_of_pixel(collage, scale)
    pixels = owner.flatten().bincount(minlength=means.shape[1])

    def range_means(image: Tensor) -> Tensor:
        return torch.zeros_like(means).index_add(1, owner.flatten(), image.flatten(1)) / pixels

    def centred(z: Tensor) -> Tensor:
        image = mapping.apply(pool(z, collage.pooling))
        return image + (means - range_means(image))[:, owner]

    with torch.no_grad():
        solution, _ = fixed_point(centred, means[:, owner])
        unbiased = range_means(mapping.apply(pool(solution, collage.pooling)))
    return replace(collage, bias=collage.bias + (means - unbiased))


def _range_of_pixel(collage: Collage, scale: Fraction) -> Int64[Tensor, "h w"]:
    """Which range covers each pixel of the canvas at a scale of at most one pixel a block."""
    repeat = int(int(collage.partition.blocks[-1, 2]) * scale)
    index = collage.partition.index_map
    return index.repeat_interleave(repeat, 0).repeat_interleave(repeat, 1)
