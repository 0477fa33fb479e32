"""Brightness: the tree of block means, its prediction, and biases that realise given means.

The mean of a block of n pixels is represented by its orthonormal coefficient, n times the mean. The
Haar transform relates a split block to its four quarters: one sum and three details. Horizontal
and vertical details are predicted from the means of the neighbouring blocks, as of a smooth
surface.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.affine import RangeMeans, ScaledMap
from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.fixed_point import fixed_point
from neural_collage.fractal.geometry import SIZES, BoolArray, FloatArray, IntArray

SMOOTHNESS = 1 / 8  # Haar detail of a ramp per difference of its neighbours' coefficients


def haar(children: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split coefficients of a grid of blocks into sums (rows/2, columns/2) and details (..., 3)."""
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
    """Details (rows, columns, 3) of a smooth surface with the given block coefficients."""
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
    active = np.ones(roots.shape, bool)
    means = []
    for depth, size in enumerate(SIZES):
        split = splits[depth] if depth < len(splits) else np.zeros_like(active)
        means.append(grid[active & ~split] / size)
        if depth < len(splits):
            grid = descend(grid, split, details[depth], step)
            active = split.repeat(2, 0).repeat(2, 1)
    return torch.from_numpy(np.concatenate(means)).float()


def calibrate(collage: Collage, means: Float[Tensor, "c r"], *, keep: bool = False) -> Collage:
    """The collage with biases such that the ranges of its fixed point have the given means.

    Biases depend on the means of the domains and thus on the fixed point. They are solved for
    together with it: at the coarsest exact scale, each application of the map is followed by
    setting the mean of every range.

    keep: whether the collage sets the means in its own iterations, too, which makes them shorter,
        and possible where weights reach 1 and more.

    Raises NotConvergedError if this iteration does not converge.
    """
    if not collage.domains_per_range:
        return replace(collage, bias=means)
    scale = 1 / collage.lattice
    mapping = ScaledMap.of(collage, scale)
    ranges = RangeMeans.of(collage.partition, scale)

    def centred(z: Tensor) -> Tensor:
        return ranges.set(mapping.apply(pool(z, collage.pooling)), means)

    with torch.no_grad():
        solution, _ = fixed_point(centred, means[:, ranges.index])
        unbiased = ranges.measure(mapping.apply(pool(solution, collage.pooling)))
    bias = collage.bias + (means - unbiased)
    return replace(collage, bias=bias, means=means if keep else None)
