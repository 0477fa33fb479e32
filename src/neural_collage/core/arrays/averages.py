"""Averages over cells: of k x k pixels, or of any grid of equal cells, exact for any ratio."""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from neural_collage.core.scales import Interval, Window
from neural_collage.runtime import in_threads

FloatArray = npt.NDArray[np.float64]
PixelArray = npt.NDArray[np.float32]
_STRIP = 64  # cells whose weights are one matrix
_STRIP_PIXELS = 1 << 22


def pool(image: PixelArray, factor: int) -> PixelArray:
    """Average factor x factor pixels of (c, h, w), whose sides are multiples of the factor."""
    if factor == 1:
        return image
    channels, height, width = image.shape
    cells = image.reshape(channels, height // factor, factor, width // factor, factor)
    averages: PixelArray = cells.mean((2, 4), dtype=np.float64).astype(image.dtype)
    return averages


def area_average(
    image: PixelArray,
    height: int,
    width: int,
    rows: Interval | None = None,
    columns: Interval | None = None,
) -> PixelArray:
    """Average an image (..., h, w) over a grid of height x width equal cells.

    rows, columns: the part of the image that the grid covers; the whole image by default.

    Raises ValueError if there are no cells or they reach beyond the image.
    """
    image = _average_last(image, width, *(columns or (0, image.shape[-1])))
    image = _average_last(image.swapaxes(-1, -2), height, *(rows or (0, image.shape[-2])))
    return np.ascontiguousarray(image.swapaxes(-1, -2))


def _average_last(
    image: PixelArray, n_out: int, start: Fraction | int, stop: Fraction | int
) -> PixelArray:
    if (start, stop) == (0, n_out) and image.shape[-1] == n_out:
        return image

    def average(strip: tuple[slice, FloatArray]) -> PixelArray:
        pixels, weights = strip
        # in double precision, so that pixels hardly depend on the summation order, and with one
        # thread each, so that they do not depend on the number of threads
        return (image[..., pixels].astype(np.float64) @ weights.T).astype(image.dtype)

    strips = cell_weights(image.shape[-1], n_out, start, stop)
    return np.concatenate(in_threads(average, strips), -1)


def cell_weights(
    side: int, n_out: int, start: Fraction | int, stop: Fraction | int
) -> Iterator[tuple[slice, FloatArray]]:
    """The weights of area averages along one axis, strip by strip of cells.

    side: pixels. n_out: equal cells from start to stop.

    Yields the pixels that a strip reads and their weights (cells, pixels), each row of sum 1.

    Raises ValueError if there are no cells or they reach beyond the side.
    """
    if n_out < 1 or not 0 <= start < stop <= side:
        raise ValueError(f"cannot average {start}..{stop} of {side} pixels over {n_out} cells")
    step = Fraction(stop - start) / n_out
    for first_cell in range(0, n_out, _STRIP):
        cells = np.arange(first_cell, min(n_out, first_cell + _STRIP) + 1, dtype=np.float64)
        edges = float(start) + cells * float(step)
        first, last = int(edges[0]), min(side, math.ceil(float(edges[-1]) - 1e-9))
        pixels = np.arange(first, last, dtype=np.float64)
        overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        weights = np.maximum(overlap, 0)
        yield slice(first, last), weights / weights.sum(1, keepdims=True)


def in_strips(render: Callable[[Window], PixelArray], window: Window) -> PixelArray:
    """What `render` gives for a window, made in strips of rows so that little memory is needed.

    render: returns a part (c, h, w).
    """
    rows = max(1, _STRIP_PIXELS // window.width)
    if window.height <= rows:
        return render(window)
    pixels: PixelArray | None = None
    for top in range(0, window.height, rows):
        strip = window._replace(top=window.top + top, height=min(rows, window.height - top))
        part = render(strip)
        if pixels is None:
            pixels = np.empty((len(part), window.height, window.width), np.float32)
        pixels[:, top : top + rows] = part
    assert pixels is not None
    return pixels
