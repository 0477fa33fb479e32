"""Average interpolation: enlarging an image such that averaging restores it exactly.

Donoho 1993, "Smooth wavelet decompositions with blocky coefficient kernels": a pixel is the average
of a local polynomial over its cell, and the averages of that polynomial over the halves of the cell
are the finer pixels. Five pixels determine a polynomial of degree four: the reach is two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.scales import Window

REACH = 2
"""Pixels on either side of its own cell that a fine pixel depends on."""


@dataclass(frozen=True)
class Span:
    """An interval of source pixels, and how many pixels of its margins lie outside the canvas."""

    start: int
    length: int
    before: int
    after: int


def source_span(start: int, length: int, limit: int, reach: int = REACH) -> Span:
    """What an interval of fine pixels depends on, in an image of `limit` pixels.

    reach: pixels on either side of its own cell that a fine pixel depends on.
    """
    first, last = start // 2 - reach, -(-(start + length) // 2) + reach
    low, high = max(first, 0), min(last, limit)
    return Span(low, high - low, low - first, last - high)


def enlarged_window(
    read: Callable[[Window], PixelArray], size: tuple[int, int], window: Window
) -> PixelArray:
    """A window (c, h, w) of the average interpolation of an image to twice the resolution.

    read: returns a window of the image. size: height and width of the image, beyond which its
    edge is repeated.
    """
    rows = source_span(window.top, window.height, size[0])
    columns = source_span(window.left, window.width, size[1])
    source = read(Window(rows.start, columns.start, rows.length, columns.length))
    margins = ((0, 0), (rows.before, rows.after), (columns.before, columns.after))
    fine = enlarge(np.pad(source, margins, mode="edge"))
    top, left = window.top % 2, window.left % 2
    return fine[:, top : top + window.height, left : left + window.width]


def enlarge(image: PixelArray) -> PixelArray:
    """Average interpolation of (c, h, w) to (c, 2 (h - 4), 2 (w - 4)): two pixels are a margin.

    The four parts of each pixel average to the pixel; polynomials up to degree four are reproduced
    exactly.
    """
    wide = _enlarge_last(image)
    return _enlarge_last(wide.swapaxes(-1, -2)).swapaxes(-1, -2)


def _enlarge_last(image: PixelArray) -> PixelArray:
    n = image.shape[-1] - 2 * REACH
    far, near = image[..., :n] - image[..., 4:], image[..., 1 : n + 1] - image[..., 3 : n + 3]
    slope = near * np.float32(22 / 128) - far * np.float32(3 / 128)
    middle = image[..., REACH : n + REACH]
    fine = np.empty((*image.shape[:-1], 2 * n), image.dtype)
    np.add(middle, slope, out=fine[..., ::2])
    np.subtract(middle, slope, out=fine[..., 1::2])
    return fine
