"""Copies of ranges: which pixels they repeat, and which of those are no copies themselves.

A copy maps all pixels of a range alike, so that what it needs to be valid is checked by range. Maps
of pixels are made in strips of ranges, from the top: what lies above a strip is final, and chains
of copies within it are followed by doubling, as in `core.copies`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from neural_collage.core.copies import IntArray

BASE, PAINTED, FIRST_COPY = 0, 1, 2
"""Modes of ranges; modes from `FIRST_COPY` on number the copies."""
SHIFT, MIRRORED_ROWS, MIRRORED_COLUMNS = 0, 1, 2
"""Kinds of copies. Pixel (y, x) repeats (y + a, x + b), (a - y, x) or (y, a - x)."""
Positions = npt.NDArray[np.signedinteger]
"""Flattened positions of pixels, of the smallest type that holds those of the picture."""
_PIXELS_AT_ONCE = 1 << 18
_RANGES_AT_ONCE = 1 << 16


def spread(blocks: npt.NDArray[Any], block: int, height: int, width: int) -> npt.NDArray[Any]:
    """The value of the range of each pixel, (height, width)."""
    return blocks.repeat(block, 0)[:height].repeat(block, 1)[:, :width]


def strips(block: int, height: int, width: int) -> list[slice]:
    """Rows of a picture, in whole ranges, that are worked on together."""
    step = block * max(1, _PIXELS_AT_ONCE // (block * width))
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def check_copies(modes: IntArray, copies: IntArray, block: int, height: int, width: int) -> None:
    """Check that each pixel of a copied range repeats one that precedes it in raster order.

    modes, copies: as in `layer.GraphicsLayer`.

    Raises:
        ValueError: it repeats one outside of the picture, a later one, or itself.
    """
    copied = np.flatnonzero(modes >= FIRST_COPY)
    latest = -1
    for start in range(0, len(copied), _RANGES_AT_ONCE):
        ranges = copied[start : start + _RANGES_AT_ONCE]
        kind, a, b = copies[modes.ravel()[ranges] - FIRST_COPY].T
        rows, columns = np.divmod(ranges, modes.shape[1])
        top, left = rows * block, columns * block
        bottom, right = np.minimum(top + block, height) - 1, np.minimum(left + block, width) - 1
        kinds = [kind == SHIFT, kind == MIRRORED_ROWS, kind == MIRRORED_COLUMNS]
        first_row, last_row = (
            np.select(kinds, ends)
            for ends in ([top + a, a - bottom, top], [bottom + a, a - top, bottom])
        )
        first_column, last_column = (
            np.select(kinds, ends)
            for ends in ([left + b, left, a - right], [right + b, right, a - left])
        )
        if (
            first_row.min() < 0
            or last_row.max() >= height
            or first_column.min() < 0
            or last_column.max() >= width
        ):
            raise ValueError("a range repeats pixels outside of the picture")
        # from the pixel that comes first in the direction of a reflection, where it leads furthest
        ahead = np.select(kinds, [a * width + b, a - 2 * top, a - 2 * left])
        latest = max(latest, int(ahead.max()))
    if latest > 0:
        raise ValueError("a pixel repeats one that comes after it")
    if latest == 0:  # on the line of a reflection
        raise ValueError("a pixel repeats itself")


def linked_to(modes: IntArray, copies: IntArray, block: int, height: int, width: int) -> Positions:
    """The flattened position that each pixel repeats, which may itself be a copy, (h, w).

    modes, copies: as for `check_copies`, which the caller has passed. A pixel that is no copy has
    its own position.
    """
    result = np.empty((height, width), _position_type(height, width))
    for rows in strips(block, height, width):
        result[rows] = _links(modes, copies, block, rows, height, width)
    return result


def copied_from(
    modes: IntArray, copies: IntArray, block: int, height: int, width: int
) -> Positions:
    """The flattened position that each pixel finally repeats, (h, w); else as `linked_to`."""
    result = np.empty((height, width), _position_type(height, width))
    for rows in strips(block, height, width):
        sources = strip_sources(modes, copies, block, rows, height, width)
        above = sources < rows.start * width
        sources[above] = result.ravel()[sources[above]]
        result[rows] = sources
    return result


def strip_sources(
    modes: IntArray, copies: IntArray, block: int, rows: slice, height: int, width: int
) -> Positions:
    """The flattened position that each pixel of one of `strips` repeats, (rows, w).

    It is no copy, or lies above the strip; else as `linked_to`.
    """
    links = _links(modes, copies, block, rows, height, width, through_runs=True)
    first = rows.start * width
    flat = links.ravel()
    while True:
        inside = flat >= first
        further = np.where(inside, flat[np.where(inside, flat - first, 0)], flat)
        if np.array_equal(further, flat):
            return flat.reshape(links.shape)
        flat = further


def _position_type(height: int, width: int) -> np.dtype[np.signedinteger]:
    """What holds positions, and the sums on the way to them, which are not four times as large."""
    return np.dtype(np.int32 if 4 * height * width < 1 << 31 else np.int64)


def _links(
    modes: IntArray,
    copies: IntArray,
    block: int,
    rows: slice,
    height: int,
    width: int,
    *,
    through_runs: bool = False,
) -> Positions:
    """`linked_to` of a strip.

    through_runs: where ranges side by side repeat the pixels to the left, or above each other those
    above, lead to the pixels before the first of them, or to those above the strip.
    """
    part = modes[rows.start // block : -(-rows.stop // block)]
    kind_of_position = _position_type(height, width)
    y, x = (np.arange(side, dtype=kind_of_position) for side in (height, width))
    y = y[rows, None]
    if not (part >= FIRST_COPY).any():
        own: Positions = y * width + x
        return own
    kinds = np.full((len(copies) + FIRST_COPY, 3), (SHIFT, 0, 0))
    kinds[FIRST_COPY:] = copies
    kind, a, b = np.moveaxis(kinds[part], -1, 0)
    # a pixel (y, x) repeats (a + down * y, b + across * x)
    down = np.where(kind == MIRRORED_ROWS, -1, 1)
    across = np.where(kind == MIRRORED_COLUMNS, -1, 1)
    b = np.where(kind == SHIFT, b, np.where(kind == MIRRORED_COLUMNS, a, 0))
    a = np.where(kind == MIRRORED_COLUMNS, 0, a)
    if through_runs:
        is_shift = kind == SHIFT
        to_left = is_shift & (a == 0) & (b == -1)
        to_top = is_shift & (a == -1) & (b == 0)
        b = np.where(to_left, _run_starts(to_left) * block - 1, b)
        a = np.where(to_top, _run_starts(to_top.T).T * block - 1 + rows.start, a)
        across, down = np.where(to_left, 0, across), np.where(to_top, 0, down)
    size = y.shape[0], width
    origin, down, across = (
        spread(each.astype(kind_of_position), block, *size)
        for each in (a * width + b, down, across)
    )
    links: Positions = origin + down * (y * width) + across * x
    return links


def _run_starts(which: npt.NDArray[np.bool_]) -> IntArray:
    """Where in its row the run of True begins that an element is in, or lies behind."""
    places = np.arange(which.shape[1])
    starts = np.where(which, -1, places + 1)
    found: IntArray = np.maximum(np.maximum.accumulate(starts, 1), 0)
    return found
