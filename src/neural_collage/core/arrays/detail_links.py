"""Detail links: self-similarity that a decoder finds in its own picture, and continues.

Where a range is a copy of a domain reduced by 2 or 3, with a contrast and a brightness, the picture
one octave up copies the detail of the domain: so do attractors of collages, at every octave
(Barnsley 1988; as a source of detail: Glasner, Bagon & Irani 2009). A detail link adds contrast
times what the domain, one octave up from the reduced one, has beyond its averages over cells; the
averages of the picture do not change. A flat range has no detail, as if its contrast were 0. The
decoder searches a picture that it has already, so links cost no bits.
"""

from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
import numpy.typing as npt

from neural_collage.core.arrays.averages import FloatArray, PixelArray, area_average
from neural_collage.core.scales import Window

IntArray = npt.NDArray[np.int64]

RANGE = 8
"""Side of a range in pixels at scale 1."""
REDUCTIONS = (2, 3)
LARGEST_CONTRAST = 1.5
_RESIDUAL = 0.02
"""Of the energy of a range, what a link may leave."""
_LEAST_ENERGY = 1e-3
"""Mean squared deviation of a range that needs a link."""
_LEAST_SHARE = 0.5
"""Of these ranges, how many must be linked for a picture to count as self-similar."""
_MOST_DOMAINS = 1 << 16
_RANGES_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class DetailLinks:
    """A link, or none, for each range of a grid of `RANGE` pixels.

    reduction: (rows, columns) 2 or 3, 0 where there is no link. corners: (rows, columns, 2) of the
    domains (y, x) in pixels at scale 1, sides `RANGE` times the reduction. contrast: (rows,
    columns), 0 of flat ranges.
    """

    reduction: IntArray
    corners: IntArray
    contrast: FloatArray

    @classmethod
    def of(cls, picture: PixelArray) -> "DetailLinks | None":
        """The links of a picture (c, h, w) at scale 1; None if it is not self-similar."""
        luma = picture.mean(0)
        rows, columns = (side // RANGE for side in luma.shape)
        if not rows or not columns:
            return None
        ranges = _ranges(luma)
        ranges = ranges - ranges.mean(1, keepdims=True)
        energy = np.square(ranges).sum(1, dtype=np.float64)
        needed = np.flatnonzero(energy > _LEAST_ENERGY * RANGE**2)
        if not len(needed):
            return None
        left = np.full(rows * columns, np.inf)
        reduction = np.zeros(rows * columns, np.int64)
        corners = np.zeros((rows * columns, 2), np.int64)
        contrast = np.zeros(rows * columns)
        for factor in REDUCTIONS:
            matches = _matches(luma, factor, ranges[needed], energy[needed])
            if matches is None:
                continue
            residual, found_corners, found_contrast = matches
            better = (residual <= _RESIDUAL) & (residual < left[needed])
            chosen = needed[better]
            left[chosen], reduction[chosen] = residual[better], factor
            corners[chosen], contrast[chosen] = found_corners[better], found_contrast[better]
        if (reduction[needed] > 0).mean() < _LEAST_SHARE:
            return None
        flat = np.all([np.ptp(_ranges(plane), axis=1) == 0 for plane in picture], axis=0)
        reduction[flat], contrast[flat] = REDUCTIONS[0], 0
        grid = rows, columns
        return cls(reduction.reshape(grid), corners.reshape(*grid, 2), contrast.reshape(grid))

    def sources(self, octave: int, window: Window) -> "list[LinkedPart]":
        """What links add to a window at scale 2^octave, an octave of 1 and more.

        The window has an even corner and even sides.
        """
        side = RANGE << octave
        rows, columns = self.reduction.shape
        parts = []
        for row in range(window.top // side, min(-(-(window.top + window.height) // side), rows)):
            for column in range(
                window.left // side, min(-(-(window.left + window.width) // side), columns)
            ):
                if (factor := int(self.reduction[row, column])) and self.contrast[row, column]:
                    top, left = max(window.top, row * side), max(window.left, column * side)
                    bottom = min(window.top + window.height, (row + 1) * side)
                    right = min(window.left + window.width, (column + 1) * side)
                    # in the domain, one octave down, as far from its corner times factor / 2
                    y, x = (int(n) << (octave - 1) for n in self.corners[row, column])
                    source = Window(
                        y + (top - row * side) * factor // 2,
                        x + (left - column * side) * factor // 2,
                        (bottom - top) * factor // 2,
                        (right - left) * factor // 2,
                    )
                    place = Window(top, left, bottom - top, right - left)
                    parts.append(LinkedPart(place, source, float(self.contrast[row, column])))
        return parts

    def gaps(self, octave: int, window: Window) -> list[Window]:
        """The parts of a window at scale 2^octave that are not linked, row by row."""
        side = RANGE << octave
        bottom, right = window.top + window.height, window.left + window.width
        found = []
        for row in range(window.top // side, -(-bottom // side)):
            top = max(window.top, row * side)
            height = min(bottom, (row + 1) * side) - top
            columns = range(window.left // side, -(-right // side))
            for linked, group in groupby(columns, partial(self._is_linked, row)):
                if not linked:
                    run = list(group)
                    left = max(window.left, run[0] * side)
                    width = min(right, (run[-1] + 1) * side) - left
                    found.append(Window(top, left, height, width))
        return found

    def _is_linked(self, row: int, column: int) -> bool:
        rows, columns = self.reduction.shape
        return row < rows and column < columns and bool(self.reduction[row, column])


@dataclass(frozen=True)
class LinkedPart:
    """What a link adds to a part of its range.

    place: in the picture. source: in the picture one octave down.
    """

    place: Window
    source: Window
    contrast: float

    def detail(self, domain: PixelArray) -> PixelArray:
        """The detail of the place, of average zero in cells, from the pixels of the source."""
        fine = domain
        if self.source.height != self.place.height:
            height, width = self.place.height, self.place.width
            fine = area_average(domain, height, width)
        return np.float32(self.contrast) * (fine - repeated(cell_averages(fine)))


def cell_averages(image: PixelArray) -> PixelArray:
    """Averages over cells of 2 x 2 pixels of (c, h, w)."""
    pairs = image[:, ::2] + image[:, 1::2]
    averages: PixelArray = (pairs[:, :, ::2] + pairs[:, :, 1::2]) * np.float32(0.25)
    return averages


def repeated(image: PixelArray) -> PixelArray:
    """Every pixel of (c, h, w) as 2 x 2 pixels."""
    return image.repeat(2, 1).repeat(2, 2)


def _ranges(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The whole ranges of a plane (h, w), row by row: (n, pixels)."""
    rows, columns = (side // RANGE for side in plane.shape)
    inside = plane[: rows * RANGE, : columns * RANGE]
    return inside.reshape(rows, RANGE, columns, RANGE).swapaxes(1, 2).reshape(rows * columns, -1)


def _matches(
    luma: npt.NDArray[np.float32], factor: int, ranges: PixelArray, energy: FloatArray
) -> tuple[FloatArray, IntArray, FloatArray] | None:
    """For each range the best domain: relative residual, corner and contrast."""
    height, width = (side // factor for side in luma.shape)
    if min(height, width) < RANGE:
        return None
    cells = luma[: height * factor, : width * factor].reshape(height, factor, width, factor)
    pooled = np.ascontiguousarray(cells.mean((1, 3)))
    positions = (height - RANGE + 1) * (width - RANGE + 1)
    step = int(np.ceil(np.sqrt(positions / _MOST_DOMAINS)))
    windows = np.lib.stride_tricks.sliding_window_view(pooled, (RANGE, RANGE))[::step, ::step]
    per_row = windows.shape[1]
    domains = windows.reshape(-1, RANGE * RANGE)
    domains = domains - domains.mean(1, keepdims=True)
    norms = np.sqrt(np.square(domains).sum(1))
    usable = np.flatnonzero(norms > np.sqrt(_LEAST_ENERGY) * RANGE / LARGEST_CONTRAST)
    if not len(usable):
        return None
    units = (domains[usable] / norms[usable, None]).T
    best = np.empty(len(ranges), np.int64)
    product = np.empty(len(ranges))
    for first in range(0, len(ranges), _RANGES_AT_ONCE):
        part = slice(first, first + _RANGES_AT_ONCE)
        products = ranges[part] @ units
        best[part] = products.argmax(1)
        product[part] = products.max(1)
    chosen = usable[best]
    contrast = np.minimum(product / norms[chosen], LARGEST_CONTRAST)
    residual = 1 - np.square(np.maximum(product, 0)) / energy
    residual[product / norms[chosen] > LARGEST_CONTRAST * 1.01] = np.inf
    corners = np.stack(np.divmod(chosen, per_row), 1) * step * factor
    return residual, corners, contrast
