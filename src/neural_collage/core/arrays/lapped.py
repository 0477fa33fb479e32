"""Sums of overlapping patches on any window, in time that small coefficients save.

Each range of n pixels has a coefficient for every patch of 2n pixels, centred on the range; the
patches of neighbours overlap and sum (lapped transforms: Malvar & Staelin 1989). Parts outside the
image are folded back, as in its mirrored extension.

Sums of integers are exact: in double precision always, and in single precision, twice as fast,
for all terms whose absolute sum is below 2^24. So pixels are the same on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import frexp
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_collage.core.arrays.averages import FloatArray, PixelArray, pool
from neural_collage.core.arrays.interpolation import enlarged_window
from neural_collage.core.scales import Window
from neural_collage.runtime import in_threads

_CELLS_AT_ONCE = 2048  # bounds the memory of a synthesis
_EXACT_IN_SINGLE = 1 << 24
_MOST_ESTIMATED = 1 << 13
_SURELY_EXACT = _EXACT_IN_SINGLE * (1 - 2.0**-10)
"""A bound of a sum of so many terms, computed in single precision, is off by less than 2^-10 of it:
each of its factors, products and sums is rounded by at most 2^-24 of what it is."""
_FEW_CELLS = 96
"""So few cells are summed together: they cost less than passing over the patches once more."""
_STEP = 32  # numbers of terms in double precision, and of those left out, are multiples of this
_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Vertical and horizontal halves of patches."""


class PatchBank:
    """Patches of 2n x 2n pixels, and their quarters at every octave at which they are whole pixels.

    patches: (a, c, 2n, 2n) cell averages at scale 1; integers are summed exactly.

    Raises ValueError unless patches are square with a side that is a multiple of 4.
    """

    def __init__(self, patches: npt.NDArray[Any]) -> None:
        if patches.shape[-1] % 4 or patches.shape[-1] != patches.shape[-2]:
            raise ValueError(f"patches of {patches.shape[-1]} pixels: a multiple of 4 expected")
        self.patches = patches
        self.is_whole = np.issubdtype(patches.dtype, np.integer)
        self._quarters: dict[int, tuple[FloatArray, PixelArray, FloatArray]] = {}

    @property
    def range_size(self) -> int:
        """Side of a range in pixels."""
        return int(self.patches.shape[-1]) // 2

    def quarters(self, factor: int) -> tuple[FloatArray, PixelArray, FloatArray]:
        """Sums of factor x factor pixels of the patches, cut into quarters of the size of a range.

        Returns them in double and in single precision, (4 a, c * k * k), those of a patch
        in the order of `_CORNERS`, and the largest magnitude of each patch, (a,). Computed once.
        """
        if factor in self._quarters:
            return self._quarters[factor]
        a, c, side, _ = self.patches.shape
        k = side // 2 // factor
        sums = self.patches.astype(np.float64)
        sums = sums.reshape(a, c, 2 * k, factor, 2 * k, factor).sum((3, 5))
        cut = sums.reshape(a, c, 2, k, 2, k).transpose(0, 2, 4, 1, 3, 5).reshape(4 * a, -1)
        peaks = np.abs(sums).reshape(a, -1).max(1, initial=0)
        self._quarters[factor] = cut, cut.astype(np.float32), peaks
        return self._quarters[factor]


@dataclass(frozen=True, eq=False)
class Texture:
    """The sum of `unit` x coefficient x patch over ranges and patches, on the pixels of a canvas.

    coefficients: (a, rows, columns) of each patch and range.
    unit: pixel value of a product of 1.

    It is defined at scales that are powers of two: below 1 by averaging, above 1 by average
    interpolation. Raises ValueError if coefficients and patches do not fit each other.
    """

    coefficients: npt.NDArray[Any]
    bank: PatchBank
    unit: float = 1.0

    def __post_init__(self) -> None:
        if len(self.coefficients) != len(self.bank.patches):
            raise ValueError(
                f"{len(self.coefficients)} coefficients a range for "
                f"{len(self.bank.patches)} patches"
            )

    def size(self, scale: Fraction) -> tuple[int, int]:
        """Height and width of the canvas at an exact scale."""
        rows, columns = self.coefficients.shape[1:]
        pixels = self.bank.range_size * scale
        return int(rows * pixels), int(columns * pixels)

    def is_exact(self, scale: Fraction) -> bool:
        """Whether a scale is a power of two at which ranges are whole pixels."""
        up, down = scale.numerator, scale.denominator
        power_of_two = up & (up - 1) == 0 and down & (down - 1) == 0
        return power_of_two and (self.bank.range_size * scale).denominator == 1

    def window(self, scale: Fraction, window: Window) -> PixelArray:
        """A window (c, h, w) of the canvas at an exact scale; ValueError at any other scale."""
        if not self.is_exact(scale):
            raise ValueError(
                "the scale of a texture must be a power of two at which ranges are whole pixels, "
                f"not {scale}"
            )
        if scale > 1:
            return enlarged_window(
                lambda source: self.window(scale / 2, source), self.size(scale / 2), window
            )
        factor = scale.denominator
        coarsest = self.bank.range_size // 2
        if factor > coarsest:  # half a range is no whole pixel
            rest = factor // coarsest
            inner = Window(*(rest * side for side in window))
            return pool(self._summed(coarsest, inner), rest)
        return self._summed(factor, window)

    def _summed(self, factor: int, window: Window) -> PixelArray:
        """A window at the scale 1 / factor, in strips of cells of which each has four patches."""
        k = self.bank.range_size // factor
        reach = k // 2
        channels = self.bank.patches.shape[1]
        result = np.empty((channels, window.height, window.width), np.float32)
        left, right = _cells(window.left, window.width, k, reach)
        above, below = _cells(window.top, window.height, k, reach)
        step = max(1, _CELLS_AT_ONCE // (right - left))

        def write(first: int) -> None:
            last = min(first + step, below)
            strip = self._strip(factor, (first, last), (left, right))
            top = first * k - reach
            start, stop = max(window.top, top), min(window.top + window.height, last * k - reach)
            skipped = window.left - (left * k - reach)
            np.multiply(
                strip[:, start - top : stop - top, skipped : skipped + window.width],
                strip.dtype.type(self.unit / factor**2),
                out=result[:, start - window.top : stop - window.top],
                casting="same_kind",
            )

        in_threads(write, range(above, below, step))
        return result

    def _strip(
        self, factor: int, rows: tuple[int, int], columns: tuple[int, int]
    ) -> FloatArray | PixelArray:
        """Whole cells of the grid that is shifted by half a range, with edges folded back."""
        k = self.bank.range_size // factor
        count = rows[1] - rows[0], columns[1] - columns[0]
        sums = self._sums(factor, rows, columns).reshape(*count, -1, k, k)
        n_rows, n_columns = self.coefficients.shape[1:]
        half = k // 2
        if rows[0] == 0:
            sums[0, :, :, half:] += sums[0, :, :, half - 1 :: -1]
        if rows[1] == n_rows + 1:
            sums[-1, :, :, :half] += sums[-1, :, :, : half - 1 : -1]
        if columns[0] == 0:
            sums[:, 0, ..., half:] += sums[:, 0, ..., half - 1 :: -1]
        if columns[1] == n_columns + 1:
            sums[:, -1, ..., :half] += sums[:, -1, ..., : half - 1 : -1]
        # (rows, columns, c, k, k) -> (c, rows * k, columns * k)
        strip = sums.transpose(2, 0, 3, 1, 4)
        # rounded here or after a multiplication by a power of two, pixels are the same
        size = len(strip), count[0] * k, count[1] * k
        if frexp(self.unit)[0] == 0.5:
            return strip.astype(np.float32, order="C").reshape(size)
        return strip.reshape(size)

    def _sums(self, factor: int, rows: tuple[int, int], columns: tuple[int, int]) -> FloatArray:
        """The sums of patches over cells, (cells, c * k * k), in units of the coefficients."""
        double, single, peaks = self.bank.quarters(factor)
        near = self._neighbourhood(rows, columns)
        height, width = rows[1] - rows[0], columns[1] - columns[0]
        by_range = near.reshape(-1, len(peaks))
        is_whole = self.bank.is_whole and np.issubdtype(near.dtype, np.integer)
        order = np.arange(len(peaks))
        if is_whole:  # the order of terms does not matter: many cells lack the rarest, put last
            order = np.argsort(-np.count_nonzero(by_range, axis=0), kind="stable")
        blocks = -(-len(peaks) // _STEP)
        padded = np.pad(order, (0, blocks * _STEP - len(peaks)))
        # whole coefficients that count, and estimates of the others, fit into single precision
        kind = np.float32 if is_whole and near.dtype.itemsize <= 2 else np.float64
        values = by_range.take(padded, axis=1).astype(kind)
        values[:, len(peaks) :] = 0
        # the ranges around a cell, as rows of `values`
        first = np.add.outer(np.arange(height) * (width + 1), np.arange(width)).reshape(-1, 1)
        around = first + [(1 - v) * (width + 1) + 1 - h for v, h in _CORNERS]
        pieces = values.reshape(-1, _STEP)
        sums = np.empty((height * width, double.shape[-1]))
        parts = _by_precision(values, around, peaks[padded], is_whole)
        most_exact, most_used = (max(part[n] for part in parts) * _STEP for n in (0, 1))
        factors = _in_blocks(double, padded[:most_exact])
        rounded = _in_blocks(single, padded[:most_used])
        for n_exact, n_used, cells in parts:
            index = around[cells][:, None] * blocks + np.arange(n_used)[:, None]
            terms = pieces.take(index.ravel(), axis=0).reshape(len(cells), -1)
            exact = n_exact * len(_CORNERS) * _STEP
            of_cells = terms[:, :exact].astype(np.float64) @ factors[:exact]
            if n_exact < n_used:
                rest = terms[:, exact:].astype(np.float32, copy=False)
                of_cells += rest @ rounded[exact : terms.shape[1]]
            sums[cells] = of_cells
        return sums

    def _neighbourhood(self, rows: tuple[int, int], columns: tuple[int, int]) -> npt.NDArray[Any]:
        """Coefficients (rows + 1, columns + 1, a) of the ranges around cells, zero outside."""
        n_rows, n_columns = self.coefficients.shape[1:]
        top, left = rows[0] - 1, columns[0] - 1
        inside = self.coefficients[
            :, max(top, 0) : min(rows[1], n_rows), max(left, 0) : min(columns[1], n_columns)
        ].transpose(1, 2, 0)
        margins = (
            (max(-top, 0), max(rows[1] - n_rows, 0)),
            (max(-left, 0), max(columns[1] - n_columns, 0)),
            (0, 0),
        )
        return np.pad(inside, margins)


def _cells(start: int, length: int, side: int, reach: int) -> tuple[int, int]:
    """The first cell that an interval of pixels meets, and the one behind the last."""
    return (start + reach) // side, -(-(start + length + reach) // side)


def _in_blocks(factors: npt.NDArray[Any], order: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The rows of factors, of four corners for each term, by block of `_STEP` terms, by corner, by
    term.

    order: of the terms, whole blocks.
    """
    blocks = order.reshape(-1, 1, _STEP) * len(_CORNERS) + np.arange(len(_CORNERS))[:, None]
    return factors.take(blocks.ravel(), axis=0)


def _by_precision(
    values: npt.NDArray[Any],
    around: npt.NDArray[np.int64],
    peaks: FloatArray,
    is_whole: bool,
) -> list[tuple[int, int, npt.NDArray[np.int64]]]:
    """Cells whose sums are computed together: how many first blocks of `_STEP` terms need double
    precision, how many are needed at all, and the cells.

    values: (ranges, a) coefficients. around: (cells, 4) the ranges of each cell. peaks: (a,) the
    largest magnitude of the factors of coefficients. is_whole: whether all of these are whole; if
    not, all terms are computed in double precision.
    """
    n_cells, n_corners = around.shape
    blocks = len(peaks) // _STEP
    if not is_whole or len(peaks) * n_corners > _MOST_ESTIMATED:
        return [(blocks, blocks, np.arange(n_cells))]
    terms = np.arange(len(peaks))[:, None] // _STEP
    factors = np.where(terms >= np.arange(blocks), peaks[:, None], 0).astype(np.float32)
    of_ranges = np.abs(values).astype(np.float32, copy=False) @ factors
    sums = of_ranges[around].sum(1)  # of the terms from each block on
    exact, used = (sums > _SURELY_EXACT).sum(1), (sums > 0).sum(1)
    parts = []
    for cells in _grouped(exact, _FEW_CELLS):
        for similar in _grouped(used[cells], _FEW_CELLS):
            own = cells[similar]
            parts.append((int(exact[own].max()), int(used[own].max()), own))
    return parts


def _grouped(levels: npt.NDArray[np.int64], least: int) -> Iterator[npt.NDArray[np.int64]]:
    """Indices in groups of similar levels, each of at least so many unless there are fewer."""
    order = np.argsort(levels, kind="stable")
    ends = np.cumsum(np.bincount(levels)).tolist()
    first = 0
    for end in ends:
        if end - first >= least and (len(order) - end >= least or end == len(order)):
            yield order[first:end]
            first = end
    if first < len(order):
        yield order[first:]
