"""Exhaustive search for domains, as matrix products.

With zero-mean, unit-norm pooled domains as columns, the domain and isometry that leave the least
error of a zero-mean range have the largest |inner product|: the error is
||range||^2 - <range, domain>^2. Chunks bound the memory.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import cut_overlapping
from neural_collage.fractal.geometry import TILE, IntArray, PlaneGeometry

ALL = tuple(range(isometry.N_ISOMETRIES))
"""The codes of all isometries; see `core.isometry`."""
PRODUCTS = 1 << 23
"""Inner products computed at a time."""
_MIN_DEVIATION = 1.0  # standard deviation, in 1/255, below which a domain counts as flat


class Matches(NamedTuple):
    """The best domain of each range.

    address: index in the pool of the range. product: |<range, domain>| / ||domain||, 0 if the range
    has no domain.
    """

    address: Int64[Tensor, " r"]
    isometry: Int64[Tensor, " r"]
    product: Float[Tensor, " r"]


def match(
    pooled: Float[Tensor, "H W"],
    ranges: Float[Tensor, "r n n"],
    y: IntArray,
    x: IntArray,
    geometry: PlaneGeometry,
    size: int,
) -> Matches:
    """The best domain of every range among all positions of its pool and all isometries.

    pooled: the canvas reduced by `geometry.pooling`, in units of 1/255. ranges: blocks of the image
    or residuals, whose means are ignored; (y, x) are their corners.
    """
    found = Matches(
        torch.zeros(len(ranges), dtype=torch.int64, device=pooled.device),
        torch.zeros(len(ranges), dtype=torch.int64, device=pooled.device),
        ranges.new_zeros(len(ranges)),
    )
    for tile_y, tile_x in geometry.tiles():
        inside = (y // TILE == tile_y // TILE) & (x // TILE == tile_x // TILE)
        top, left, rows, columns = (
            int(side[0]) for side in geometry.pools(size, np.array([tile_y]), np.array([tile_x]))
        )
        if not inside.any() or rows * columns == 0:
            continue
        step = geometry.lattice // geometry.pooling
        top, left = top // geometry.pooling, left // geometry.pooling
        window = pooled[
            top : top + (rows - 1) * step + size, left : left + (columns - 1) * step + size
        ]
        domains = cut_overlapping(window, size, step)
        candidates = _unit_domains(domains)
        members = torch.from_numpy(np.flatnonzero(inside)).to(pooled.device)
        for part in members.split(max(1, PRODUCTS // (isometry.N_ISOMETRIES * len(domains)))):
            products = turned_ranges(ranges[part]) @ candidates
            by_isometry = products.abs_().max(2)
            best = by_isometry.values.max(0)
            found.product[part] = best.values
            found.isometry[part] = best.indices
            found.address[part] = by_isometry.indices.gather(0, best.indices[None])[0]
    return found


def _unit_domains(domains: Float[Tensor, "d n n"]) -> Float[Tensor, "n2 d"]:
    """Zero-mean domains of norm 1 (0 if flat), as columns."""
    centred = domains.flatten(1) - domains.mean((1, 2))[:, None]
    norm = centred.norm(dim=1)
    usable = norm > _MIN_DEVIATION * domains.shape[-1]
    scale = torch.where(usable, 1 / norm.clamp_min(1e-9), 0)
    return (centred * scale[:, None]).T


def turned_ranges(
    ranges: Float[Tensor, "*c r n n"], isometries: Sequence[int] = ALL
) -> Float[Tensor, "*c g r n2"]:
    """Zero-mean ranges under the inverse of each isometry.

    Their inner products with domains are those of the ranges with the domains under the isometry.
    """
    centred = ranges - ranges.mean((-2, -1), keepdim=True)
    turned = [isometry.apply(centred, isometry.inverse(g)) for g in isometries]
    return torch.stack(turned, -4).flatten(-2)


def centred_domains(
    pooled: Float[Tensor, "H W"],
    corners: Int64[Tensor, "r 2"],
    codes: Int64[Tensor, " r"],
    size: int,
) -> Float[Tensor, "r n n"]:
    """Zero-mean domains after isometries; `corners` are top left, in pixels of `pooled`."""
    blocks = isometry.blocks_at(pooled, corners, codes, size)
    return blocks - blocks.mean((1, 2), keepdim=True)
