"""The collage's map on windows and single pixels, at a cost independent of the image's size.

A pixel of range r at scale s reads one pixel of each domain of r at scale s / pooling. Following
these reads down octave by octave costs the pixels of the window in each octave. A window that
covers few ranges reads one rectangle per range and domain; other windows are read pixel by pixel.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.affine import scaled, whole
from neural_collage.core.cosines import cosine_amplitudes, cosine_series, cosines
from neural_collage.core.parameters import CollageParameters
from neural_collage.core.scales import Window


class PixelMap(NamedTuple):
    """The linear part of the map at n pixels: sum_k weight[:, k] * source[rows[k], columns[k]].

    reads: where the source is read; elsewhere rows and columns are undefined.
    """

    weight: Float[Tensor, "cw k n"]
    rows: Int64[Tensor, "k n"]
    columns: Int64[Tensor, "k n"]
    reads: Bool[Tensor, "k n"]


class BlockRead(NamedTuple):
    """The part of a range inside a window, and the rectangle of a domain that it reads.

    rows, columns: the part, relative to the window. source: the rectangle of the canvas at
    scale / pooling, before the isometry. weight: (c or 1,).
    """

    rows: slice
    columns: slice
    source: Window
    isometry: int
    weight: Float[Tensor, " cw"]


# Number of single pixels that cost as much as a block of a window (three small matrix products).
_PIXELS_PER_BLOCK = 1024
_GRID_COST_RATIO = 4  # cost of a single pixel relative to one of a grid, at the least
_PIXELS_AT_ONCE = 1 << 14  # bounds the memory for the series of single pixels


def pixel_map(
    collage: CollageParameters,
    scale: Fraction,
    rows: Int64[Tensor, " n"],
    columns: Int64[Tensor, " n"],
) -> PixelMap:
    """The linear part of the map at pixels (rows, columns) of the canvas at an exact scale.

    Its source is the canvas at scale / collage.pooling.
    """
    block, row, column = _locate(collage, scale, rows, columns)
    size = scaled(collage.partition.blocks[:, 2], scale)[block]
    source_row, source_column = isometry.source_index(
        collage.isometries[block].T, size, row, column
    )
    domain_row, domain_column = scaled(collage.domains, scale / collage.pooling)[block].unbind(2)
    weight = collage.weights[:, block].mT
    reads = weight.ne(0).any(0) | weight.requires_grad  # a weight of zero still has a gradient
    return PixelMap(
        weight,
        domain_row.T + source_row,
        domain_column.T + source_column,
        reads & collage.domains_fit[block],
    )


def block_reads(
    collage: CollageParameters, scale: Fraction, window: Window
) -> list[BlockRead] | None:
    """The rectangles that a window of the canvas reads; None if single pixels are cheaper."""
    ranges = _ranges_in_window(collage, scale, window)
    if len(ranges) * _PIXELS_PER_BLOCK > window.height * window.width:
        return None
    reads = []
    blocks = scaled(collage.partition.blocks[ranges], scale).tolist()
    domains = scaled(collage.domains[ranges], scale / collage.pooling).tolist()
    codes = collage.isometries[ranges].tolist()
    used = (collage.weights.ne(0).any(0) | collage.weights.requires_grad)[ranges].tolist()
    for r, (y, x, size), corners, isometries, is_used in zip(
        ranges.tolist(), blocks, domains, codes, used, strict=True
    ):
        rows = _overlap(y, size, window.top, window.height)
        columns = _overlap(x, size, window.left, window.width)
        for k, ((row, column), code) in enumerate(zip(corners, isometries, strict=True)):
            if is_used[k] and bool(collage.domains_fit[r]):
                part = Window(
                    window.top + rows.start - y,
                    window.left + columns.start - x,
                    rows.stop - rows.start,
                    columns.stop - columns.start,
                )
                source = isometry.source_window(code, size, part)
                source = source._replace(top=source.top + row, left=source.left + column)
                reads.append(BlockRead(rows, columns, source, code, collage.weights[:, r, k]))
    return reads


def _overlap(start: int, size: int, first: int, length: int) -> slice:
    """The part of start..start + size inside first..first + length, relative to `first`."""
    return slice(max(start - first, 0), min(start + size - first, length))


def _ranges_in_window(
    collage: CollageParameters, scale: Fraction, window: Window
) -> Int64[Tensor, " t"]:
    """The ranges that a window of the canvas overlaps."""
    cell = whole(int(collage.partition.blocks[-1, 2]) * scale)
    top, left, height, width = window
    cells: Tensor = collage.partition.index_map[
        top // cell : (top + height - 1) // cell + 1,
        left // cell : (left + width - 1) // cell + 1,
    ]
    ranges: Tensor = torch.unique(cells)
    return ranges


def _locate(
    collage: CollageParameters, scale: Fraction, rows: Tensor, columns: Tensor
) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Int64[Tensor, " n"]]:
    """The block of each pixel, and its row and column in the block."""
    cell = whole(int(collage.partition.blocks[-1, 2]) * scale)
    block = collage.partition.index_map[rows // cell, columns // cell]
    corner = scaled(collage.partition.blocks, scale)[block]
    return block, rows - corner[:, 0], columns - corner[:, 1]


def offset_in_window(
    collage: CollageParameters, scale: Fraction, window: Window
) -> Float[Tensor, "c h w"]:
    """The constant part of the map, bias, patches and texture, on a window of the canvas."""
    offset = _range_offset_in_window(collage, scale, window)
    if collage.texture is None:
        return offset
    return offset + collage.texture.window(scale, window).to(offset.dtype)


def _range_offset_in_window(
    collage: CollageParameters, scale: Fraction, window: Window
) -> Float[Tensor, "c h w"]:
    """Bias and patches on a window of the canvas."""
    top, left, height, width = window
    device = collage.bias.device
    rows = torch.arange(top, top + height, device=device)
    columns = torch.arange(left, left + width, device=device)
    cell = whole(int(collage.partition.blocks[-1, 2]) * scale)
    if collage.patches is None:
        by_row = collage.partition.index_map[rows // cell]
        return collage.bias[:, by_row[:, columns // cell]]
    ranges = _ranges_in_window(collage, scale, window)
    if len(ranges) * _PIXELS_PER_BLOCK > height * width:
        grid = torch.meshgrid(rows, columns, indexing="ij")
        flat = _range_offset_at_pixels(collage, scale, grid[0].flatten(), grid[1].flatten())
        return flat.view(-1, height, width)
    series = _block_series(collage, scale, ranges)
    p = series.shape[-1]
    result = series.new_empty(collage.channels, height, width)
    blocks = scaled(collage.partition.blocks[ranges], scale).tolist()
    for (y, x, size), terms in zip(blocks, series.unbind(1), strict=True):
        in_rows, in_columns = _overlap(y, size, top, height), _overlap(x, size, left, width)
        basis_row = cosines(p, (rows[in_rows] - y + 0.5).to(series) / size)
        basis_column = cosines(p, (columns[in_columns] - x + 0.5).to(series) / size)
        result[:, in_rows, in_columns] = basis_row @ terms @ basis_column.T
    return result


def offset_at_pixels(
    collage: CollageParameters,
    scale: Fraction,
    rows: Int64[Tensor, " n"],
    columns: Int64[Tensor, " n"],
) -> Float[Tensor, "c n"]:
    """The constant part of the map, bias, patches and texture, at single pixels of the canvas."""
    offset = _range_offset_at_pixels(collage, scale, rows, columns)
    if collage.texture is None:
        return offset
    return offset + collage.texture.pixels(scale, rows, columns).to(offset.dtype)


def _range_offset_at_pixels(
    collage: CollageParameters,
    scale: Fraction,
    rows: Int64[Tensor, " n"],
    columns: Int64[Tensor, " n"],
) -> Float[Tensor, "c n"]:
    """Bias and patches at single pixels of the canvas.

    Many pixels of one block are taken from a grid of its rows and columns. The remaining pixels are
    evaluated together with those of blocks whose series end at about the same order, so that
    smooth blocks cost little.
    """
    block, row, column = _locate(collage, scale, rows, columns)
    is_read = torch.zeros(len(collage.partition), dtype=torch.bool, device=block.device)
    is_read[block] = True
    rank = is_read.cumsum(0)[block] - 1  # of each pixel's block among those that are read
    series = _block_series(collage, scale, is_read.nonzero()[:, 0])
    width = 1 / scaled(collage.partition.blocks[is_read, 2], scale).to(series)
    row_position, column_position = ((n.to(series) + 0.5) * width[rank] for n in (row, column))
    found: list[tuple[Tensor, Tensor]] = []  # indices of pixels, and their values
    rest = torch.ones_like(rank, dtype=torch.bool)
    for k, pixels in _densely_sampled_blocks(rank):
        grid = _on_grid(series[:, k], row_position[pixels], column_position[pixels])
        if grid is not None:
            found.append((pixels, grid))
            rest[pixels] = False
    p = series.shape[-1]
    order = torch.where(rest, _order(series)[rank], 0)
    lower = 0
    for upper in sorted({min(1 << n, p) for n in range(p.bit_length() + 1)}):
        within = ((order > lower) & (order <= upper)).nonzero()[:, 0]
        lower = upper
        for pixels in within.split(_PIXELS_AT_ONCE):
            basis_row = cosines(upper, row_position[pixels])[:, None]
            basis_column = cosines(upper, column_position[pixels])[..., None]
            terms = series[..., :upper, :upper].index_select(1, rank[pixels])
            found.append((pixels, (basis_row @ (terms @ basis_column)).flatten(1)))
    result = series.new_zeros(collage.channels, len(block))
    if not found:
        return result
    return result.index_copy(
        1, torch.cat([pixels for pixels, _ in found]), torch.cat([v for _, v in found], 1)
    )


def _densely_sampled_blocks(
    rank: Int64[Tensor, " n"],
) -> Iterator[tuple[int, Int64[Tensor, " m"]]]:
    """Yields blocks with many of the pixels, and the indices of these pixels."""
    counts = torch.bincount(rank)
    if not bool((counts >= _PIXELS_PER_BLOCK).any()):
        return
    by_block = rank.argsort().split(counts.tolist())
    for k in (counts >= _PIXELS_PER_BLOCK).nonzero()[:, 0].tolist():
        yield k, by_block[k]


def _on_grid(
    terms: Float[Tensor, "c p p"], rows: Float[Tensor, " m"], columns: Float[Tensor, " m"]
) -> Float[Tensor, "c m"] | None:
    """A series at m positions, taken from the grid of all their rows and columns.

    None if the positions are so scattered that the grid would cost more.
    """
    unique_rows, row = rows.unique(return_inverse=True)
    unique_columns, column = columns.unique(return_inverse=True)
    if len(unique_rows) * len(unique_columns) > _GRID_COST_RATIO * len(rows):
        return None
    p = terms.shape[-1]
    grid = cosines(p, unique_rows) @ terms @ cosines(p, unique_columns).T
    return grid[:, row, column]


def _block_series(
    collage: CollageParameters, scale: Fraction, blocks: Int64[Tensor, " t"]
) -> Float[Tensor, "c t p p"]:
    """Bias and patches of some blocks as coefficients of cos(pi u y) cos(pi v x) at pixel centres.

    The coefficients include the averaging over pixels of this scale.
    """
    bias = collage.bias[:, blocks, None, None]
    if collage.patches is None or collage.patch_weights is None:
        return bias
    p = collage.patches.shape[-1]
    width = 1 / scaled(collage.partition.blocks[blocks, 2], scale).to(bias)
    amplitude = cosine_amplitudes(p, width)
    patches = cosine_series(collage.patches).transpose(0, 1).flatten(2)
    series: Tensor = (collage.patch_weights[:, blocks] @ patches).unflatten(-1, (p, p))
    series = series * amplitude[..., None] * amplitude[:, None]
    constant = torch.zeros_like(series[:1, :1])
    constant[..., 0, 0] = 1
    return series + bias * constant


def _order(series: Float[Tensor, "c r p p"]) -> Int64[Tensor, " r"]:
    """Number of cosines per direction that each series needs; all if it requires gradients."""
    p = series.shape[-1]
    if series.requires_grad:
        return torch.full(series.shape[1:2], p, device=series.device)
    used = series.ne(0).any(0)
    along = used.any(1) | used.any(2)
    return (along * torch.arange(1, p + 1, device=series.device)).amax(1)
