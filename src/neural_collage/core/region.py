"""The collage's map at single pixels: what a window at any depth needs, and nothing else.

A pixel of range r at scale s reads one pixel of each domain of r at scale s / pooling. Following
these reads down octave by octave costs the window's pixels per octave, whatever the image's size.
"""

from fractions import Fraction
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.collage import Collage
from neural_collage.core.resample import cosine_cell, cosine_series


class PixelMap(NamedTuple):
    """The map at n pixels: value = offset + sum_k weight[:, k] * source[rows[k], columns[k]].

    reads: where the source is read at all; elsewhere rows and columns mean nothing.
    """

    offset: Float[Tensor, "c n"]
    weight: Float[Tensor, "cw k n"]
    rows: Int64[Tensor, "k n"]
    columns: Int64[Tensor, "k n"]
    reads: Bool[Tensor, "k n"]


def pixel_map(
    collage: Collage, scale: Fraction, rows: Int64[Tensor, " n"], columns: Int64[Tensor, " n"]
) -> PixelMap:
    """The map at pixels (rows, columns) of the canvas at an exact scale.

    The source is the image at scale / collage.pooling.
    """
    partition = collage.partition
    numerator, denominator = scale.numerator, scale.denominator
    cell = int(partition.blocks[-1, 2]) * numerator // denominator
    block = partition.index_map[rows // cell, columns // cell]
    corner_row, corner_column, size = (
        partition.blocks[block].T * numerator // denominator
    ).unbind()
    row, column = rows - corner_row, columns - corner_column
    offset = collage.bias[:, block] + _patches_at(collage, block, row, column, size)
    source_row, source_column = isometry.source_index(
        collage.isometries[block].T, size, row, column
    )
    reduction = denominator * collage.pooling
    domain_rows, domain_columns = (collage.domains * numerator // reduction)[block].permute(2, 1, 0)
    weight = collage.weights[:, block].mT
    reads = weight.ne(0).any(0) | weight.requires_grad  # a weight of zero still has a gradient
    return PixelMap(
        offset,
        weight,
        domain_rows + source_row,
        domain_columns + source_column,
        reads & collage.has_room[block],
    )


def _patches_at(
    collage: Collage, block: Tensor, row: Tensor, column: Tensor, size: Tensor
) -> Tensor:
    """The auxiliary patches' part of the offset at pixels of the given ranges: (c, n)."""
    result = collage.bias.new_zeros(collage.channels, len(block))
    if collage.patches is None or collage.patch_weights is None:
        return result
    touched = torch.zeros(len(collage.partition), dtype=torch.bool, device=block.device)
    touched[block] = True
    if not collage.patch_weights.requires_grad:
        touched &= collage.patch_weights.ne(0).any(-1).any(0)
    pixels = touched[block].nonzero()[:, 0]
    if not len(pixels):
        return result
    rank = touched.cumsum(0)[block[pixels]] - 1
    p = collage.patches.shape[-1]
    series = cosine_series(collage.patches).transpose(0, 1).flatten(2)  # (cp, a, p * p)
    blended = collage.patch_weights[:, touched] @ series  # (c, touched, p * p)
    width = 1 / size[pixels].to(result)
    basis_row = cosine_cell(p, (row[pixels] + 0.5) * width, width)
    basis_column = cosine_cell(p, (column[pixels] + 0.5) * width, width)
    values = torch.stack(
        [
            (torch.bmm(s[rank].view(-1, p, p), basis_column[..., None])[..., 0] * basis_row).sum(-1)
            for s in blended.expand(collage.channels, -1, -1)
        ]
    )
    return result.index_copy(1, pixels, values)
