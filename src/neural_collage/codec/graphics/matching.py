"""The search for exact copies: shifts and reflections by which ranges repeat earlier pixels.

Windows of all positions are hashed by doubling their side: the hash of a window of 2 s pixels is
one of the hashes of the four windows of s pixels in it. Ranges whose hash occurs earlier nominate
copies; the most useful ones are then compared pixel by pixel at all ranges.
"""

import numpy as np
import numpy.typing as npt

from neural_collage.codec.graphics.copying import MIRRORED_COLUMNS, MIRRORED_ROWS, SHIFT
from neural_collage.core.copies import BoolArray, FloatArray, IntArray

HashArray = npt.NDArray[np.uint64]
ColourArray = npt.NDArray[np.integer]
"""Whole numbers of any type that are equal if colours are."""

_FACTORS = tuple(
    np.uint64(factor)
    for factor in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
)
_FOLD = np.uint64(32)
_LOW_BITS = 22
_NEAREST = 4
"""Earlier occurrences that a range nominates, beside the first one."""
_COMPARED_PIXELS = 1 << 27
_MOST_COMPARED, _LEAST_COMPARED = 768, 24
NEIGHBOURS = ((SHIFT, 0, -1), (SHIFT, -1, 0))
"""Constant rows and columns, which are always compared."""
_NEW_COPY_BITS = 48.0
"""What a new copy costs: its numbers, and a new symbol of the map of modes."""
COPY_LIST_BITS = 20.0
"""What the numbers of a copy cost."""
COPY_BITS = 5.0
"""What a copy costs that saves bits; where it saves none its neighbours are copies, too."""


def find_covers(
    colours: ColourArray, block: int, is_open: BoolArray, bits: FloatArray
) -> tuple[list[IntArray], IntArray]:
    """Three ways to cover ranges with copies.

    colours: (h, w). is_open: (rows, columns) ranges to find copies for. bits: (rows, columns) what
    a copy would save.

    Returns (rows, columns) numbers of copies, -1 for none, for constant rows and columns alone;
    for these first, and the copies that save most elsewhere; and for the copies that save most
    everywhere. The second is smaller where copies are few, the third where they are large. And the
    copies, (k, 3) as in `layer.GraphicsLayer`.
    """
    useful = is_open & (bits > COPY_BITS)
    most = min(max(_COMPARED_PIXELS // colours.size, _LEAST_COMPARED), _MOST_COMPARED)
    compared = [*NEIGHBOURS]
    if useful.any():
        nominated = _nominate(colours, block, useful, bits)[:most].tolist()
        compared += [copy for copy in map(tuple, nominated) if copy not in NEIGHBOURS]
    ranges = np.flatnonzero(is_open)
    fits = np.stack([_repeats(colours, block, *copy).ravel()[ranges] for copy in compared], 1)
    saved = np.maximum(bits.ravel()[ranges], 0.0)
    flat = _cover(fits[:, : len(NEIGHBOURS)], saved)
    elsewhere = np.where(flat >= 0, flat, _cover(fits & (flat < 0)[:, None], saved))
    covers = []
    for chosen in (flat, elsewhere, _cover(fits, saved)):
        numbers = np.full(is_open.size, -1, np.int64)
        numbers[ranges] = chosen
        covers.append(numbers.reshape(is_open.shape))
    return covers, np.array(compared, np.int64)


def find_flat(colours: ColourArray, block: int, is_open: BoolArray) -> tuple[IntArray, IntArray]:
    """The first cover of `find_covers`, and its copies."""
    covers, copies = find_covers(colours, block, is_open, np.zeros(is_open.shape))
    return covers[0], copies


def _cover(fits: BoolArray, saved: FloatArray) -> IntArray:
    """For each range one of the copies that fit it; those that save most are chosen first.

    fits: (ranges, copies). saved: (ranges,) bits.
    """
    chosen = np.full(len(fits), -1, np.int64)
    weights = fits * np.maximum(saved - COPY_BITS, 0.02)[:, None]
    gains = weights.sum(0)
    for _ in range(fits.shape[1]):
        best = int(gains.argmax())
        if gains[best] <= (0 if best < len(NEIGHBOURS) else _NEW_COPY_BITS):
            break
        covered = np.flatnonzero(fits[:, best] & (chosen < 0))
        chosen[covered] = best
        gains -= weights[covered].sum(0)
        weights[covered] = 0
        gains[best] = 0
    return chosen


def _repeats(colours: ColourArray, block: int, kind: int, a: int, b: int) -> BoolArray:
    """Which ranges repeat earlier pixels by a copy, all of which lie inside."""
    height, width = colours.shape
    equal = np.zeros((-(-height // block) * block, -(-width // block) * block), bool)
    equal[height:] = equal[:, width:] = True
    if kind == SHIFT:
        here = slice(-a, height), slice(max(-b, 0), width - max(b, 0))
        there = colours[: height + a, max(b, 0) : width - max(-b, 0)]
    elif kind == MIRRORED_ROWS:  # rows beyond the line, up to the mirror image of the first one
        here = slice(a // 2 + 1, min(a + 1, height)), slice(0, width)
        there = colours[max(a - height + 1, 0) : (a + 1) // 2][::-1]
    else:
        here = slice(0, height), slice(a // 2 + 1, min(a + 1, width))
        there = colours[:, max(a - width + 1, 0) : (a + 1) // 2][:, ::-1]
    equal[:height, :width][here] = colours[here] == there
    by_range = equal.reshape(len(equal) // block, block, -1, block)
    whole: BoolArray = np.logical_and.reduce(by_range, (1, 3))
    return whole


def window_hashes(colours: ColourArray, side: int) -> HashArray:
    """Hashes of the windows of `side` pixels, a power of two, at all positions where they fit."""
    hashes = (colours.astype(np.uint64) + np.uint64(1)) * _FACTORS[0]
    hashes ^= hashes >> _FOLD
    step = 1
    while step < side:
        parts = (
            hashes[:-step, :-step],
            hashes[:-step, step:],
            hashes[step:, :-step],
            hashes[step:, step:],
        )
        mixed = parts[0] * _FACTORS[0]
        for part, factor in zip(parts[1:], _FACTORS[1:], strict=True):
            mixed = (mixed ^ part) * factor
        hashes = mixed ^ (mixed >> _FOLD)
        step *= 2
    return hashes


def _nominate(colours: ColourArray, block: int, useful: BoolArray, bits: FloatArray) -> IntArray:
    """Copies that some useful ranges may be, (k, 3), those that save most first."""
    height, width = colours.shape
    rows, columns = np.nonzero(useful[: height // block, : width // block])
    if not len(rows):
        return np.empty((0, 3), np.int64)
    saved = bits[rows, columns]
    y, x = rows * block, columns * block
    found, votes = _shifts(window_hashes(colours, block), y, x, saved)
    for kind in (MIRRORED_ROWS, MIRRORED_COLUMNS):
        planes, first, second = (colours, y, x) if kind == MIRRORED_ROWS else (colours.T, x, y)
        lines, of_lines = _reflections(planes, block, first, second, saved)
        found.append(np.stack([np.full_like(lines, kind), lines, np.zeros_like(lines)], 1))
        votes.append(of_lines)
    copies, inverse = np.unique(np.concatenate(found), axis=0, return_inverse=True)
    weights = np.bincount(inverse.ravel(), np.concatenate(votes), len(copies))
    result: IntArray = copies[np.argsort(-weights, kind="stable")]
    return result


def _shifts(
    hashes: HashArray, y: IntArray, x: IntArray, saved: FloatArray
) -> tuple[list[IntArray], list[FloatArray]]:
    """Shifts from ranges at (y, x) to the windows before them that have the same hash."""
    own, flat = hashes[y, x], hashes.ravel()
    # a table of the low bits of hashes leaves few positions to sort
    low = np.uint64((1 << _LOW_BITS) - 1)
    wanted = np.zeros(1 << _LOW_BITS, bool)
    wanted[(own & low).astype(np.int64)] = True
    positions = np.flatnonzero(wanted[(flat & low).astype(np.int64)])
    positions = positions[np.argsort(flat[positions], kind="stable")]
    starts = np.searchsorted(flat[positions], own, side="left")
    numbers = np.empty(flat.size, np.int64)
    numbers[positions] = np.arange(len(positions))
    here = y * hashes.shape[1] + x
    found, votes = [], []
    for back in range(_NEAREST + 1):
        earlier = np.maximum(numbers[here] - back - 1, starts) if back < _NEAREST else starts
        valid = positions[earlier] < here
        rows, columns = np.divmod(positions[earlier], hashes.shape[1])
        shifts = np.stack([np.full_like(rows, SHIFT), rows - y, columns - x], 1)
        found.append(shifts[valid])
        votes.append(saved[valid])
    return found, votes


def _reflections(
    colours: ColourArray, block: int, y: IntArray, x: IntArray, saved: FloatArray
) -> tuple[IntArray, FloatArray]:
    """The lines a at which ranges at (y, x) are reflections of rows above, (a - y, x).

    Only the window next to the line is nominated.
    """
    height = len(colours)
    hashes = window_hashes(colours, block)[y, x]
    turned = window_hashes(colours[::-1], block)[::-1]  # of windows upside down, by their top
    strips = np.unique(x)
    keys = turned[:, strips].T * _FACTORS[1] + strips[:, None].astype(np.uint64)
    order = np.lexsort([np.tile(np.arange(keys.shape[1]), len(strips)), keys.ravel()])
    tops = order % keys.shape[1]
    ordered = keys.ravel()[order]
    own = hashes * _FACTORS[1] + x.astype(np.uint64)
    starts, ends = (np.searchsorted(ordered, own, side=side) for side in ("left", "right"))
    # the last window of the same hash that ends above the range
    rank = tops + keys.shape[1] * np.searchsorted(np.unique(ordered), ordered)
    limit = y - block + keys.shape[1] * np.searchsorted(np.unique(ordered), own)
    numbers = np.searchsorted(rank, limit, side="right") - 1
    valid = (numbers >= starts) & (numbers < ends) & (y < height)
    lines = tops[numbers[valid]] + y[valid] + block - 1
    return lines, saved[valid]
