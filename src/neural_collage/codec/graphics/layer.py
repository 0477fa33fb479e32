"""A layer of exact ranges over a picture: which ranges repeat earlier pixels, which are painted."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_collage.core.copies import IntArray, require_earlier, roots
from neural_collage.core.scales import Window

BASE, PAINTED, FIRST_COPY = 0, 1, 2
"""Modes of ranges; modes from `FIRST_COPY` on number the copies."""
SHIFT, MIRRORED_ROWS, MIRRORED_COLUMNS = 0, 1, 2
"""Kinds of copies. Pixel (y, x) repeats (y + a, x + b), (a - y, x) or (y, a - x)."""
_CHUNK = 1 << 18
"""Pixels that are linked at once."""
BLOCKS = (4, 8, 16, 32, 64)
"""Sides of ranges in pixels."""


@dataclass(frozen=True, eq=False)
class GraphicsLayer:
    """The layer of one picture.

    height, width: pixels. block: side of the square ranges, those at the right and bottom edge are
    cut off. modes: (rows, columns) of the ranges: `BASE` (not owned), `PAINTED`, or `FIRST_COPY`
    + k for the k-th copy. copies: (k, 3) kind, a and b; every pixel repeats one that precedes it in
    raster order. palette: (n, channels) colours, 8 bits a channel. indices: (height, width) into
    the palette, negative where nothing is painted.

    Raises ValueError if a copy reaches outside or does not point back.
    """

    height: int
    width: int
    block: int
    modes: IntArray
    copies: IntArray
    palette: npt.NDArray[np.uint8]
    indices: IntArray

    @classmethod
    def empty(cls, height: int, width: int, channels: int) -> "GraphicsLayer":
        """A layer that owns nothing."""
        block = BLOCKS[-1]
        return cls(
            height,
            width,
            block,
            np.full((-(-height // block), -(-width // block)), BASE),
            np.zeros((0, 3), np.int64),
            np.zeros((0, channels), np.uint8),
            np.full((height, width), -1, np.int64),
        )

    @cached_property
    def base_window(self) -> Window:
        """The smallest window that holds all ranges of the base, which is a picture of that size.

        Without pixels if the layer owns all.
        """
        rows, columns = np.nonzero(self.modes == BASE)
        if not len(rows):
            return Window(0, 0, 0, 0)
        top, left = int(rows.min()) * self.block, int(columns.min()) * self.block
        bottom = min((int(rows.max()) + 1) * self.block, self.height)
        right = min((int(columns.max()) + 1) * self.block, self.width)
        return Window(top, left, bottom - top, right - left)

    def owned_share(self) -> float:
        """The share of pixels that are copies or painted."""
        return float((self.pixel_modes != BASE).mean())

    @cached_property
    def pixel_modes(self) -> IntArray:
        """The mode of the range of each pixel, (height, width)."""
        return spread(self.modes, self.block, self.height, self.width)

    @cached_property
    def sources(self) -> IntArray:
        """The flattened position that each pixel finally repeats, (height, width)."""
        return copied_from(self.pixel_modes, self.copies)

    def compose(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The picture with what the layer owns.

        pixels: (channels, height, width) of the base: bytes, or floats in [0, 1].
        """
        painted = self.indices >= 0
        composed = pixels.copy()
        white = 255 if pixels.dtype == np.uint8 else 1
        colours = (self.palette.T * (white / np.float64(255))).astype(pixels.dtype)
        painted_indices = self.indices[painted]
        for plane, values in zip(composed, colours, strict=True):
            plane[painted] = values[painted_indices]
            plane[:] = plane.ravel()[self.sources]
        return composed


def spread(blocks: npt.NDArray[Any], block: int, height: int, width: int) -> npt.NDArray[Any]:
    """The value of the range of each pixel, (height, width)."""
    return blocks.repeat(block, 0)[:height].repeat(block, 1)[:, :width]


def by_range(pixels: npt.NDArray[Any], block: int) -> npt.NDArray[Any]:
    """Pixels (h, w) as (rows, block, columns, block), zero beyond the edges."""
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, -height % block), (0, -width % block)))
    return padded.reshape(len(padded) // block, block, -1, block)


def linked_to(pixel_modes: IntArray, copies: IntArray) -> IntArray:
    """The flattened position that each pixel repeats, which may itself be a copy.

    pixel_modes: (h, w). copies: (k, 3) as in `GraphicsLayer`.

    Returns (h * w,), with the position of a pixel itself where it is no copy.

    Raises:
        ValueError: a source lies outside of the picture or does not come before its pixel.
    """
    height, width = pixel_modes.shape
    sources = np.arange(height * width)
    modes = pixel_modes.ravel()
    copied = np.flatnonzero(modes >= FIRST_COPY)
    is_own = False
    for start in range(0, len(copied), _CHUNK):
        positions = copied[start : start + _CHUNK]
        y, x = np.divmod(positions, width)
        kind, a, b = copies[modes[positions] - FIRST_COPY].T
        rows = np.where(kind == SHIFT, y + a, np.where(kind == MIRRORED_ROWS, a - y, y))
        columns = np.where(kind == SHIFT, x + b, np.where(kind == MIRRORED_COLUMNS, a - x, x))
        if rows.min() < 0 or rows.max() >= height or columns.min() < 0 or columns.max() >= width:
            raise ValueError("a range repeats pixels outside of the picture")
        linked = rows * width + columns
        is_own |= bool((linked == positions).any())
        sources[positions] = linked
    require_earlier(sources)
    if is_own:  # on the line of a reflection
        raise ValueError("a pixel repeats itself")
    return sources


def copied_from(pixel_modes: IntArray, copies: IntArray) -> IntArray:
    """The flattened position that each pixel finally repeats, (h, w); else as `linked_to`."""
    return roots(linked_to(pixel_modes, copies)).reshape(pixel_modes.shape)
