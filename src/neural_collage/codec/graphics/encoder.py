"""The encoder of the graphics layer: which ranges it owns, and what it paints there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_collage.codec.graphics.base_costs import base_costs
from neural_collage.codec.graphics.colours import (
    ColourArray,
    Indexed,
    distinct,
    has_few_colours,
    is_one_colour,
    is_simple,
    merged,
    numbered,
    squared_differences,
)
from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    PAINTED,
    linked_to,
    spread,
)
from neural_collage.codec.graphics.layer import GraphicsLayer, by_range
from neural_collage.codec.graphics.matching import (
    COPY_BITS,
    COPY_LIST_BITS,
    NEIGHBOURS,
    find_covers,
    find_flat,
)
from neural_collage.codec.graphics.painting import COLOUR_BITS, painting_costs
from neural_collage.codec.graphics.syntax import MAX_COLOURS
from neural_collage.core.copies import BoolArray, FloatArray, IntArray
from neural_collage.runtime import in_threads

EXACT_QUALITY = 90
"""From this quality on, what the layer owns is exact."""
EXACT_COLOURS = 256
"""At quality 100, the layer owns all of a picture of so many colours or fewer."""
_MERGES_NONE = 64.0
"""Bits that a squared error of one level is worth, from which on no colours are merged."""
BLOCK = 8
_ROWS_AT_ONCE = 64
_SAMPLE, _FEW_SAMPLED, _MOST_DISTINCT, _LEAST_EQUAL = 4096, 32, 0.25, 0.3
"""Of so many pixels, so few colours make a layer likely; with as large a share of distinct colours,
and a smaller one of pixels that equal the one to the left, it is unlikely."""
_LEAST_SHARE, _LEAST_GAIN = 0.02, 1000.0
"""What a layer could save of all bits, below which there is none."""
_NEW_BITS, _RANGE_COLOUR_BITS = 2.0, 5.0
"""The least that is paid for a painted pixel that equals neither the one to the left nor that
above, and for each colour of a range but one."""
_FEW_COLOURS = 4096
"""In a picture of so many colours or fewer, all ranges may be painted."""
_MODE_BITS = 1.0
"""What the mode of a range costs that is not as its neighbours."""
_REALISED, _SURELY_REALISED = 0.5, 0.1
"""Of what ranges cost alone, shares that copies of them save: about, and at least."""
_DOUBT = 0.012
"""What a measured way has to save, of all bits."""
_SQUARE, _SQUARE_BITS, _BASE_BITS = 32, 300.0, 6000.0
"""What a base costs in each square of so many pixels that it is seen in, and altogether."""


def find_layer(
    pixels: npt.NDArray[np.uint8], quality: float, bits_per_error: float
) -> GraphicsLayer | None:
    """The layer of exact ranges that lowers the cost of a picture, or None.

    pixels: (c, h, w), those of alpha 0 all equal. quality: from `EXACT_QUALITY` on, colours are
    kept; below it near ones are merged, ever fewer in fractions of the last quality before it.
    bits_per_error: bits that a squared error of one level in one channel is worth.
    """
    if is_one_colour(pixels):
        return one_colour_layer(pixels)
    may_pay = _may_pay(pixels, bits_per_error)
    if not may_pay and quality < 100:
        return None
    numbers = numbered(pixels)
    all_exact = quality == 100 and has_few_colours(numbers, EXACT_COLOURS)
    if not (all_exact or may_pay):
        return None
    counts = distinct(numbers, BLOCK)
    base = np.full(counts.shape, np.inf) if all_exact else base_costs(pixels, BLOCK, bits_per_error)
    simple = is_simple(counts, BLOCK) & (base > _least_painted(numbers, counts))
    simple |= has_few_colours(numbers, _FEW_COLOURS)
    if quality < EXACT_QUALITY:
        where = spread(simple, BLOCK, *numbers.shape)
        share = max(quality - (EXACT_QUALITY - 1), 0.0)
        worth = bits_per_error ** (1 - share) * _MERGES_NONE**share
        numbers = merged(numbers, where, len(pixels), worth)
    search = _Search(numbers, simple, counts, len(pixels), BLOCK)
    errors = squared_differences(numbers, pixels)
    changed = by_range(errors, BLOCK).sum((1, 3)) * bits_per_error
    modes, copies = search.modes(base, changed)
    if (modes == BASE).all():
        return None
    layer = search.layer(modes, copies)
    return layer if len(layer.palette) <= MAX_COLOURS else None


def _may_pay(pixels: npt.NDArray[np.uint8], bits_per_error: float) -> bool:
    """Whether a layer could save something; photographs are told apart in little time."""
    height, width = pixels.shape[1:]
    flat = pixels.reshape(len(pixels), 1, -1)
    sample = numbered(flat[..., :: max(height * width // _SAMPLE, 1)])[0]
    n_colours = len(np.unique(sample))
    if height * width <= _SAMPLE or n_colours <= _FEW_SAMPLED:
        return True
    if width > 1 and n_colours > _MOST_DISTINCT * len(sample):
        equal, in_ranges = _equal_to_left(pixels)
        if equal < _LEAST_EQUAL and in_ranges < _LEAST_SHARE:
            return False
    if height * width > _SAMPLE**2 // 64:  # every third row of ranges will do
        pixels = pixels[:, np.arange(height) // BLOCK % 3 == 0]
    numbers = numbered(pixels)
    counts = distinct(numbers, BLOCK)
    base = base_costs(pixels, BLOCK, bits_per_error)
    gains = (base - _least_painted(numbers, counts))[is_simple(counts, BLOCK)]
    gain = float(gains[gains > 0].sum())
    return gain > max(_LEAST_GAIN, _LEAST_SHARE * float(base.sum()))


def _equal_to_left(pixels: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """The share of pixels that equal the one to the left, and of ranges of which most do."""

    def of_strip(top: int) -> tuple[int, int, int, int]:
        strip = pixels[:, top : top + _ROWS_AT_ONCE]
        equal = (strip[..., 1:] == strip[..., :-1]).all(0)
        in_ranges = by_range(equal, BLOCK).sum(1, dtype=np.uint8).sum(2, dtype=np.uint8)
        most = int(np.count_nonzero(in_ranges > BLOCK * BLOCK // 2))
        return int(np.count_nonzero(equal)), equal.size, most, in_ranges.size

    strips = in_threads(of_strip, range(0, pixels.shape[1], _ROWS_AT_ONCE))
    equal, count, ranges, n_ranges = map(sum, zip(*strips, strict=True))
    return equal / count, ranges / n_ranges


def one_colour_layer(pixels: npt.NDArray[np.uint8]) -> GraphicsLayer:
    """The layer of a picture (c, h, w) of one colour, which always pays: a painted range, and rows
    and columns that repeat it.

    It is that which the search finds, whose maps of all pixels it does without.
    """
    height, width = pixels.shape[1:]
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    to_left, to_top = FIRST_COPY + np.arange(2)
    modes = np.full((rows, columns), to_left if columns >= rows else to_top)
    # the direction that more ranges can take comes first, the other one is left the edge
    if columns >= rows:
        modes[:, 0] = to_top
    else:
        modes[0] = to_left
    modes[0, 0] = PAINTED
    modes, copies = _used(modes, np.array(NEIGHBOURS))
    indices = np.full((height, width), -1, np.int8)
    indices[:BLOCK, :BLOCK] = 0
    return GraphicsLayer(height, width, BLOCK, modes, copies, pixels[None, :, 0, 0], indices)


def _least_painted(numbers: ColourArray, counts: IntArray) -> FloatArray:
    """A low estimate of the cost of each range, of so many colours, if it is painted."""
    new = np.ones(numbers.shape, bool)
    new[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
    new[1:] &= numbers[1:] != numbers[:-1]
    pixels = by_range(new, BLOCK).sum((1, 3), dtype=np.int64)
    bits: FloatArray = _NEW_BITS * pixels + _RANGE_COLOUR_BITS * (counts - 1)
    return bits


class _Search:
    """What the choice of modes reads.

    numbers: (h, w) colours. simple: (rows, columns) ranges that are considered to be painted, of
    so many colours each.
    """

    def __init__(
        self,
        numbers: ColourArray,
        simple: BoolArray,
        counts: IntArray,
        channels: int,
        block: int,
    ) -> None:
        self._numbers = numbers
        self._simple = simple
        self._counts = counts
        self._channels = channels
        self._block = block

    def modes(self, base: FloatArray, changed: FloatArray) -> tuple[IntArray, IntArray]:
        """The modes of all ranges and the copies.

        base: (rows, columns) cost of what is left to the base. changed: that of the errors that
        the colours have already.
        """
        painted = self._painted_costs() + changed
        owner = self._owners(painted, base)
        saved = np.where(owner == BASE, base, painted) - changed
        is_open = (owner == PAINTED) | (saved > COPY_BITS)
        covers, copies = find_covers(self._numbers, self._block, is_open, saved)
        ways = [
            self._without_inexact_copies(
                np.where(numbers >= 0, FIRST_COPY + numbers, owner), copies, owner
            )
            for numbers in covers
        ]
        alone = saved - np.where(owner == PAINTED, _MODE_BITS, 0)
        return _used(self._cheapest(ways, copies, alone), copies)

    def _cheapest(self, ways: Sequence[IntArray], copies: IntArray, alone: FloatArray) -> IntArray:
        """The modes that cost least.

        ways: modes of all ranges for each of `matching.find_covers`. alone: cost of each range that
        is no copy, where others are copies of constant rows and columns only.

        Copies together save less than the ranges cost alone: patterns that are copied do not teach
        the code of indices what it meets elsewhere. What they save is measured if it matters.
        """
        flat = ways[0]
        if all(np.array_equal(flat, way) for way in ways[1:]):
            return flat
        of_modes = [_mode_costs(modes) for modes in ways]
        of_rest = [float(alone[modes < FIRST_COPY].sum()) for modes in ways]
        best = min((1, 2), key=lambda way: of_modes[way] + _REALISED * of_rest[way])
        paid, saved = of_modes[best] - of_modes[0], of_rest[0] - of_rest[best]
        if _SURELY_REALISED * saved < paid < saved:
            layer = self.layer(*_used(ways[best], copies))
            is_measured = self._simple & (ways[best] == PAINTED)
            measured = np.where(is_measured, self._index_costs(layer), alone)
            saved = of_rest[0] - float(measured[ways[best] < FIRST_COPY].sum())
            paid += _DOUBT * of_rest[0]
        return ways[best] if paid < saved else flat

    def layer(self, modes: IntArray, copies: IntArray) -> GraphicsLayer:
        """The layer of these modes, with the colours of its painted ranges."""
        pixel_modes = self._spread(modes)
        painted = pixel_modes == PAINTED
        indexed = Indexed.of(self._numbers, painted, self._channels)
        height, width = self._numbers.shape
        return GraphicsLayer(
            height, width, self._block, modes, copies, indexed.palette, indexed.indices
        )

    def _spread(self, ranges: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return spread(ranges, self._block, *self._numbers.shape)

    def _painted_costs(self) -> FloatArray:
        """The cost of each range if it is painted.

        Those whose rows or columns repeat the one before cost next to nothing and are passed over;
        of those with many colours, the palette costs most.
        """
        flat, copies = find_flat(self._numbers, self._block, self._simple)
        modes = np.where(flat >= 0, FIRST_COPY + flat, np.where(self._simple, PAINTED, BASE))
        costs = self._index_costs(self.layer(modes, copies))
        complex_ = self._counts * (COLOUR_BITS + 8) + 2 * self._block**2
        return np.where(self._simple, costs, complex_) + _MODE_BITS

    def _index_costs(self, layer: GraphicsLayer) -> FloatArray:
        """The cost of the painted pixels of each range."""
        painted = layer.pixel_modes == PAINTED
        costs = painting_costs(layer.sources, painted, layer.indices, len(layer.palette))
        bits: FloatArray = by_range(costs, self._block).sum((1, 3), dtype=np.float64)
        return bits

    def _owners(self, painted: FloatArray, base: FloatArray) -> IntArray:
        """Which ranges are painted and which are left to the base, if they are no copies."""
        is_base = base < painted
        ratio = _SQUARE // self._block
        rows, columns = is_base.shape
        padding = ((0, -rows % ratio), (0, -columns % ratio))

        def by_square(ranges: FloatArray) -> FloatArray:
            padded = np.pad(ranges, padding)
            sums: FloatArray = padded.reshape(len(padded) // ratio, ratio, -1, ratio).sum((1, 3))
            return sums

        gains = by_square(np.where(is_base, painted - base, 0.0)) - _SQUARE_BITS
        worth = gains > 0
        if gains[worth].sum() < _BASE_BITS:
            worth[:] = False
        is_base &= worth.repeat(ratio, 0)[:rows].repeat(ratio, 1)[:, :columns]
        return np.where(is_base, BASE, PAINTED)

    def _without_inexact_copies(
        self, modes: IntArray, copies: IntArray, owner: IntArray
    ) -> IntArray:
        """The modes without copies of the base where painting would be exact."""
        sources = linked_to(modes, copies, self._block, *self._numbers.shape).ravel()
        of_base = self._spread(owner == BASE).ravel()[sources].reshape(self._numbers.shape)
        inexact = by_range(of_base, self._block).any((1, 3)) & (owner == PAINTED)
        return np.where(inexact & (modes >= FIRST_COPY), owner, modes)


def _mode_costs(modes: IntArray) -> float:
    """An estimate of what modes cost, and the numbers of the copies that occur.

    Modes are as to the left, as above, or new, given which modes around are equal; new ones follow
    their frequencies.
    """
    around = np.pad(modes, ((1, 0), (1, 0)), constant_values=-1)
    left, above, corner = around[1:, :-1], around[:-1, 1:], around[:-1, :-1]
    context = (left == above) + 2 * (left == corner) + 4 * (above == corner)
    answer = np.where(modes == left, 0, np.where(modes == above, 1, 2))
    answers = np.bincount((3 * context + answer).ravel(), minlength=24).reshape(8, 3)
    new = np.bincount(modes[answer == 2])
    bits = sum(map(_entropy, [*answers, new]))
    return bits + COPY_LIST_BITS * len(np.unique(modes))


def _entropy(counts: IntArray) -> float:
    """The bits of all symbols that occur so often."""
    some = counts[counts > 0]
    return float((some * np.log2(some.sum() / some)).sum())


def _used(modes: IntArray, copies: IntArray) -> tuple[IntArray, IntArray]:
    """The modes with the copies that occur."""
    used = np.unique(modes[modes >= FIRST_COPY]) - FIRST_COPY
    places = np.zeros(len(copies) + FIRST_COPY, np.int64)
    places[:FIRST_COPY] = np.arange(FIRST_COPY)
    places[used + FIRST_COPY] = FIRST_COPY + np.arange(len(used))
    return places[modes], copies[used]
