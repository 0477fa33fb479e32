"""Exhaustive search for domains, as matrix products.

With zero-mean, unit-norm pooled domains as columns, the domain and isometry that leave the least
error of a zero-mean range are those of the largest |inner product|: the error is
||range||^2 - <range, domain>^2. Chunks bound the memory; the device is the image's.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import cut_overlapping
from neural_collage.fractal.geometry import POOLING, TILE, IntArray, PlaneGeometry

_PRODUCTS = 1 << 23  # inner products held at a time
_FLAT = 1.0  # per pixel deviation, in 1/255, below which a domain has nothing to give


class Matches(NamedTuple):
    """The best domain of each range.

    address: in the pool of the range; product: |<range, domain>| / ||domain||, 0 where no domain
    is open to the range.
    """

    address: Int64[Tensor, " r"]
    isometry: Int64[Tensor, " r"]
    product: Float[Tensor, " r"]


def match(
    half: Float[Tensor, "H W"],
    ranges: Float[Tensor, "r n n"],
    y: IntArray,
    x: IntArray,
    geometry: PlaneGeometry,
    size: int,
) -> Matches:
    """The best domain of every range among all positions of its pool and all isometries.

    half: the pooled canvas, in units of 1/255. ranges: what to match (blocks of the image, or
    residuals), means are ignored; (y, x) are their corners.
    """
    found = Matches(
        torch.zeros(len(ranges), dtype=torch.int64, device=half.device),
        torch.zeros(len(ranges), dtype=torch.int64, device=half.device),
        ranges.new_zeros(len(ranges)),
    )
    for tile_y, tile_x in geometry.tiles():
        inside = (y // TILE == tile_y // TILE) & (x // TILE == tile_x // TILE)
        top, left, rows, columns = (
            int(side[0]) for side in geometry.pools(size, np.array([tile_y]), np.array([tile_x]))
        )
        if not inside.any() or rows * columns == 0:
            continue
        window = half[
            top // POOLING : (top + (rows - 1) * geometry.lattice) // POOLING + size,
            left // POOLING : (left + (columns - 1) * geometry.lattice) // POOLING + size,
        ]
        domains = cut_overlapping(window, size, geometry.lattice // POOLING)
        candidates = _unit_domains(domains)
        members = torch.from_numpy(np.flatnonzero(inside)).to(half.device)
        for part in members.split(max(1, _PRODUCTS // candidates.shape[1])):
            wanted = ranges[part].flatten(1)
            wanted = wanted - wanted.mean(1, keepdim=True)
            best = (wanted @ candidates).abs_().max(1)
            found.product[part] = best.values
            found.isometry[part] = best.indices // len(domains)
            found.address[part] = best.indices % len(domains)
    return found


def _unit_domains(domains: Float[Tensor, "d n n"]) -> Float[Tensor, "n2 m"]:
    """Zero-mean domains of norm 1 (0 if flat) in all isometries, as columns; m = 8 d."""
    centred = domains - domains.mean((1, 2), keepdim=True)
    norm = centred.flatten(1).norm(dim=1)
    textured = norm > _FLAT * domains.shape[-1]
    scale = torch.where(textured, 1 / norm.clamp_min(1e-9), 0)
    return isometry.all_isometries(centred * scale[:, None, None]).flatten(2).flatten(0, 1).T


def domain_blocks(
    half: Float[Tensor, "H W"], corners: Int64[Tensor, "r 2"], codes: Int64[Tensor, " r"], size: int
) -> Float[Tensor, "r n n"]:
    """The zero-mean pooled domains with top left `corners` (full-size pixels), transformed."""
    pixel = torch.arange(size, device=half.device)
    row, column = isometry.source_index(codes[:, None, None], size, pixel[:, None], pixel)
    corner = corners // POOLING
    blocks = half[corner[:, 0, None, None] + row, corner[:, 1, None, None] + column]
    return blocks - blocks.mean((1, 2), keepdim=True)
