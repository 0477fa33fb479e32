"""Rendering at any scale and in any region, given the scales at which a renderer is exact.

Between exact scales an image is area-averaged from the next exact one above. Image sides are
rounded to whole pixels in exact arithmetic, so that all renderers agree on sizes.
"""

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple, SupportsFloat, TypeVar

from neural_collage.errors import ScaleError

Image = TypeVar("Image")
"""Pixels (..., h, w), an array or a tensor."""
Interval = tuple[Fraction | int, Fraction | int]
"""Start and stop of a part of a side, in pixels, fractions allowed."""
Region = tuple[int, int, int, int]


class Window(NamedTuple):
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


Average = Callable[[Image, int, int, Interval, Interval], Image]
"""Averages an image over a grid of height x width equal cells that covers a part of it."""


def round_up(length: int, multiple: int) -> int:
    """The least multiple of `multiple` that is not below `length`."""
    return -(-length // multiple) * multiple


def output_length(length: int, scale: float | Fraction) -> int:
    """Pixels of a side of `length` at a scale: rounded to nearest, at least one."""
    return max(1, math.floor(length * exact_fraction(scale) + Fraction(1, 2)))


def exact_fraction(scale: float | Fraction) -> Fraction:
    """A scale as the nearest fraction of denominator at most 65536 (0.1 is one tenth).

    Raises:
        ScaleError: it is not a positive number, or rounds to zero.
    """
    try:
        # accepts numpy scalars, but no strings
        number = scale if isinstance(scale, SupportsFloat) else math.nan
        exact = number if isinstance(number, Fraction) else float(number)
        positive = math.isfinite(exact) and exact > 0
    except (TypeError, ValueError, RuntimeError, OverflowError):
        positive = False
    if not positive:
        raise ScaleError(f"scale must be a positive number, not {scale!r}")
    fraction = Fraction(exact).limit_denominator(1 << 16)
    if not fraction:
        raise ScaleError(f"scale {scale} is too small to leave a pixel")
    return fraction


# Leaves room for pixel coordinates times the denominators of scales in 64-bit integers.
_LONGEST_SIDE = 1 << 48


def window_of(region: Region | None, height: int, width: int) -> Window:
    """The window of (x, y, width, height) within an image.

    Raises:
        ScaleError: it is not four whole numbers, has no pixels, or does not lie inside the image.
    """
    if region is None:
        return Window(0, 0, height, width)
    try:
        x, y, w, h = map(operator.index, region)
    except (TypeError, ValueError) as error:
        raise ScaleError(
            f"a region is (x, y, width, height) in whole pixels, not {region!r}"
        ) from error
    if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
        raise ScaleError(
            f"region {x},{y},{w},{h} (x, y, width, height) does not lie inside the "
            f"{width}x{height} pixels of the image at this scale"
        )
    return Window(y, x, h, w)


class ScaleGrid(NamedTuple):
    """The scales at which a renderer is exact.

    coarsest: the first octave, below which no scale is exact; ratio: factor between octaves. A
    sufficiently large power of the ratio must be exact. partial_pixels: down from this scale the
    image may end within a pixel of the renderer, which then is an average over what is beyond the
    edge, too.
    """

    coarsest: Fraction
    ratio: int
    is_exact: Callable[[Fraction], bool]
    partial_pixels: Fraction = Fraction(0)

    def at_least(self, scale: Fraction, height: int, width: int) -> Fraction:
        """The scale itself if it is exact at low cost, else the next octave above.

        The cost is low if whole octaves lead down from the scale to one of at most 1, or of at
        most 2 and a quarter of this scale, at which iteration starts. Octaves are `coarsest` or 1
        times powers of the ratio. At the result the sides of the image are whole pixels, unless it
        is at most `partial_pixels`.
        """

        def fits(candidate: Fraction) -> bool:
            whole_sides = (height * candidate).denominator == (width * candidate).denominator == 1
            fits_in = whole_sides or candidate <= self.partial_pixels
            return fits_in and self.is_exact(candidate)

        if fits(scale) and self._start(scale) <= max(Fraction(1), min(Fraction(2), scale / 4)):
            return scale
        octave = Fraction(1)
        while octave < scale or not fits(octave):
            octave *= self.ratio
        candidate = self.coarsest
        while candidate < octave and (candidate < scale or not fits(candidate)):
            candidate *= self.ratio
        return min(candidate, octave)

    def _start(self, scale: Fraction) -> Fraction:
        """The coarsest exact scale that is whole octaves below a scale."""
        while self.is_exact(scale / self.ratio):
            scale /= self.ratio
        return scale


def output_window(image_size: tuple[int, int], scale: float, region: Region | None) -> Window:
    """The pixels of an image at a scale, or of the region (x, y, width, height) of it.

    image_size: height and width at scale 1.

    Raises:
        ScaleError: the region has no pixels, or does not lie inside the image.
    """
    height, width = (output_length(side, scale) for side in image_size)
    return window_of(region, height, width)


def pixel_interval(start: float, length: float, side: float, pixels: int) -> Interval:
    """An interval of a side of length `side`, in pixels of `pixels` a side; clipped to the side."""
    ratio = Fraction(pixels) / Fraction(side)
    low, high = Fraction(start) * ratio, Fraction(start + length) * ratio
    return max(low, Fraction(0)), min(high, Fraction(pixels))


def render_at_scale(
    image_size: tuple[int, int],
    scale: float,
    region: Region | None,
    grid: ScaleGrid,
    render: Callable[[Fraction, Window], Image],
    average: Average[Image],
) -> Image:
    """An image, or the region (x, y, width, height) of it, at any scale, from exact renderings.

    image_size: height and width at scale 1. render: returns a window at an exact scale. average:
    what a scale that is not exact is averaged with, from the next octave.

    Raises:
        ScaleError: a scale or region without pixels, or an image of more than 2**48 a side.
    """
    height, width = image_size
    requested = exact_fraction(scale)
    out_height, out_width = output_length(height, requested), output_length(width, requested)
    out = window_of(region, out_height, out_width)
    exact = grid.at_least(requested, height, width)
    if max(height, width) * exact > _LONGEST_SIDE:
        raise ScaleError(f"scale {scale} gives more pixels than can be counted")
    if exact == requested and height * exact == out_height and width * exact == out_width:
        return render(exact, out)
    row_ratio, column_ratio = height * exact / out_height, width * exact / out_width
    return render_cells(
        lambda window: render(exact, window),
        (out.height, out.width),
        (out.top * row_ratio, (out.top + out.height) * row_ratio),
        (out.left * column_ratio, (out.left + out.width) * column_ratio),
        average,
    )


def render_cells(
    render: Callable[[Window], Image],
    size: tuple[int, int],
    rows: Interval,
    columns: Interval,
    average: Average[Image],
) -> Image:
    """A part of an image, with fractional bounds in pixels, averaged over a grid of equal cells.

    render: returns a window of the image. size: rows and columns of cells.
    rows, columns: start and stop of the part. average: over cells.
    """
    top, left = math.floor(rows[0]), math.floor(columns[0])
    window = Window(top, left, math.ceil(rows[1]) - top, math.ceil(columns[1]) - left)
    return average(
        render(window),
        *size,
        (rows[0] - top, rows[1] - top),
        (columns[0] - left, columns[1] - left),
    )
