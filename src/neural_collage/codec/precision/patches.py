"""The patches of precision layers: cosine waves of 8 x 8 pixels in three colours, in whole numbers.

A layer adds to each block of 8 x 8 pixels a sum of 64 patches in each colour, the products of the
waves of the discrete cosine transform (Ahmed, Natarajan & Rao 1974). Colours are (1, 1, 1),
(1, 0, -1) and (1, -2, 1), grey and two opponent ones; pictures of one channel have the first alone.
All sums are exact, so that pixels are the same on every machine.
"""

from functools import lru_cache
from math import isqrt
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from neural_collage.core.arrays.averages import FloatArray, PixelArray
from neural_collage.core.scales import Window
from neural_collage.runtime import in_threads

Numbers = npt.NDArray[np.int16]
T = TypeVar("T", FloatArray, PixelArray)
BLOCK = 8
"""Pixels per side of a block."""
PATCHES = BLOCK**2
"""Patches of each colour, those of the wave u of rows and v of columns at BLOCK u + v."""
PATCH_BITS, STEP_BITS, PIXEL_BITS = 14, 16, 12
"""Patches, steps, and the pixels that contexts depend on are in units of 2 to minus these."""
LARGEST_NUMBER, LARGEST_STEP = (1 << 15) - 1, (1 << 16) - 1
"""With these the sums of a pixel stay below 2^52."""
LARGEST_MAGNITUDE = 255
"""Of the base, in quarters of a step."""
_QUARTERS = 4
_COLOURS = (1, 1, 1), (1, 0, -1), (1, -2, 1)
_NORMS = 3, 2, 6
"""The squared norms of colours."""
_BLOCKS_AT_ONCE = 4096  # whose pixels stay in the cache


@lru_cache(maxsize=1)
def patches() -> FloatArray:
    """The patches (64, 64) in 2^-14, pixels in raster order: whole numbers."""
    k = np.arange(BLOCK)
    waves = (
        np.cos(np.pi / BLOCK * np.outer(k, k + 0.5)) * np.sqrt(np.where(k, 2, 1) / BLOCK)[:, None]
    )
    products = np.einsum("uy,vx->uvyx", waves, waves).reshape(PATCHES, PATCHES)
    whole: FloatArray = np.rint(products * (1 << PATCH_BITS))
    return whole


def colour_steps(step: int, channels: int) -> tuple[int, ...]:
    """The step of each colour, given that of samples in 2^-16.

    channels: 1 or 3. So the error of samples is the same in all of them.
    """
    return (step,) if channels == 1 else tuple(max(isqrt(step**2 // norm), 1) for norm in _NORMS)


def analysed(planes: npt.NDArray[np.floating], channels: int) -> FloatArray:
    """The sums (colours, 64, rows, columns) of pixels of blocks times patches, colours not normed.

    planes: (3, h, w) of whole blocks. channels: 1 or 3; of one, it is the sum of the planes.
    """
    first, second, third = planes.astype(np.float64)
    grey = first + second + third
    colours = (grey,) if channels == 1 else (grey, first - third, first - 2 * second + third)
    rows, columns = grey.shape[0] // BLOCK, grey.shape[1] // BLOCK
    blocks = np.stack(colours).reshape(-1, rows, BLOCK, columns, BLOCK).transpose(0, 2, 4, 1, 3)
    sums: FloatArray = patches() @ blocks.reshape(-1, PATCHES, rows * columns)
    return sums.reshape(-1, PATCHES, rows, columns)


def base_magnitudes(planes: PixelArray, step: int, channels: int) -> PixelArray:
    """The magnitudes (colours, 64, rows, columns) that patches have in the base, in 1/4 steps.

    planes: (3, h, w) the base around `CENTRE`, on whole blocks. Whole numbers of at most 255.
    """
    unit = np.float32(1 << PIXEL_BITS)
    whole = np.clip(np.rint(planes * unit), -unit, unit)
    sums = np.abs(analysed(whole, channels))
    for colour, (of_colour, norm) in enumerate(
        zip(colour_steps(step, channels), _NORMS, strict=False)
    ):
        # exact: quotients up to the largest one are far apart in double precision
        sums[colour] *= _QUARTERS
        sums[colour] /= norm * of_colour << (PATCH_BITS + PIXEL_BITS - STEP_BITS)
    return np.floor(np.minimum(sums, LARGEST_MAGNITUDE, out=sums), out=sums).astype(np.float32)


def coefficients(residual: PixelArray, step: int, channels: int) -> PixelArray:
    """A residual (3, h, w) of whole blocks in patches (colours, 64, rows, columns), in steps."""
    found = analysed(residual, channels)
    for colour, (of_colour, norm) in enumerate(
        zip(colour_steps(step, channels), _NORMS, strict=False)
    ):
        found[colour] *= 2.0 ** (STEP_BITS - PATCH_BITS) / (norm * of_colour)
    return found.astype(np.float32)


class PrecisionCanvas:
    """What a layer adds to a picture, as windows at the scales 1, 1/2, 1/4, 1/8 and 1/16.

    numbers: (colours, 64, rows, columns) of patches and blocks, in steps. step: of samples, in
    2^-16.
    """

    def __init__(self, numbers: Numbers, step: int) -> None:
        self.numbers = numbers
        self.step = step
        self._steps = colour_steps(step, len(numbers))

    def window(self, factor: int, window: Window) -> PixelArray:
        """A window (3, h, w), of one channel (1, h, w), of averages of factor x factor pixels."""
        unit = 2.0 ** -(PATCH_BITS + STEP_BITS) / factor**2
        if factor <= BLOCK:
            return self._summed(factor, window, np.empty(self._size(window), np.float32), unit)
        rest = factor // BLOCK
        inner = Window(*(rest * side for side in window))
        sums = self._summed(BLOCK, inner, np.empty(self._size(inner)), 1)
        cells = sums.reshape(len(sums), window.height, rest, window.width, rest)
        pixels: PixelArray = (cells.sum((2, 4)) * unit).astype(np.float32)
        return pixels

    def _size(self, window: Window) -> tuple[int, int, int]:
        return len(self.numbers), window.height, window.width

    def _summed(self, factor: int, window: Window, result: T, unit: float) -> T:
        """Sums over factor x factor pixels, whole numbers, times `unit`, a power of two."""
        side = BLOCK // factor
        left, right = window.left // side, -(-(window.left + window.width) // side)
        top, bottom = window.top // side, -(-(window.top + window.height) // side)
        skipped = window.left - left * side
        pooled = patches().reshape(PATCHES, side, factor, side, factor).sum((2, 4))
        by_pixel = pooled.reshape(PATCHES, -1).T.copy()
        channels = len(self.numbers)
        steps = np.array(self._steps, np.float64)[:, None, None]
        rows = max(1, _BLOCKS_AT_ONCE // (right - left))

        def write(first: int) -> None:
            last = min(first + rows, bottom)
            part = self.numbers[:, :, first:last, left:right]
            sums = by_pixel @ part.reshape(channels, PATCHES, -1).astype(np.float64) * steps
            cells = sums.reshape(channels, side, side, last - first, right - left)
            strip = np.empty((channels, (last - first) * side, (right - left) * side))
            blocks = strip.reshape(channels, last - first, side, right - left, side)
            _mix(cells.transpose(0, 3, 1, 4, 2), blocks)
            start, stop = (
                max(window.top, first * side),
                min(window.top + window.height, last * side),
            )
            inside = strip[:, start - first * side : stop - first * side]
            np.multiply(
                inside[..., skipped : skipped + window.width],
                unit,
                out=result[:, start - window.top : stop - window.top],
                casting="same_kind",
            )

        in_threads(write, range(top, bottom, rows))
        return result


def _mix(colours: FloatArray, planes: FloatArray) -> None:
    """Write colours as planes: of one channel as it is, or red, green and blue."""
    if len(colours) == 1:
        planes[:] = colours
        return
    grey, red_blue, green = colours
    np.add(grey, green, out=planes[2])
    np.add(planes[2], red_blue, out=planes[0])
    planes[2] -= red_blue
    np.subtract(grey, 2 * green, out=planes[1])


def patches_of_ranges(canvas: PrecisionCanvas, side: int) -> tuple[FloatArray, FloatArray]:
    """What a canvas shows as coefficients and patches of ranges, as `lapped.Texture` has them.

    side: of ranges, a multiple of `BLOCK`. Returns (a, rows, columns) and (a, 3, 2 side, 2 side).
    """
    per_side = side // BLOCK
    colours = np.ones((1, 3)) if len(canvas.numbers) == 1 else np.array(_COLOURS)
    coefficients, bank = [], []
    for colour, step in enumerate(colour_steps(canvas.step, len(canvas.numbers))):
        for a, b in np.ndindex(per_side, per_side):
            numbers = canvas.numbers[colour, :, a::per_side, b::per_side]
            coefficients.append(numbers * (step * 2.0**-STEP_BITS))
            waves = np.zeros((PATCHES, 3, 2 * side, 2 * side))
            top, left = side // 2 + BLOCK * a, side // 2 + BLOCK * b
            one = patches().reshape(PATCHES, 1, BLOCK, BLOCK) * 2.0**-PATCH_BITS
            waves[..., top : top + BLOCK, left : left + BLOCK] = (
                one * colours[colour][:, None, None]
            )
            bank.append(waves)
    return np.concatenate(coefficients), np.concatenate(bank)
