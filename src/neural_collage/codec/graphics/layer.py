"""A layer of exact ranges over a picture: which ranges repeat earlier pixels, which are painted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    Positions,
    copied_from,
    spread,
    strip_sources,
    strips,
)
from neural_collage.core.copies import IntArray
from neural_collage.core.scales import Window
from neural_collage.runtime import cached_property

IndexArray = npt.NDArray[np.signedinteger]
BLOCKS = (4, 8, 16, 32, 64)
"""Sides of ranges in pixels."""


@dataclass(frozen=True, eq=False)
class GraphicsLayer:
    """The layer of one picture.

    height, width: pixels. block: side of the square ranges, those at the right and bottom edge are
    cut off. modes: (rows, columns) of the ranges: `BASE` (not owned), `PAINTED`, or `FIRST_COPY`
    + k for the k-th copy. copies: (k, 3) kind, a and b; every pixel repeats one that precedes it in
    raster order, see `copying.check_copies`. palette: (n, channels) colours, 8 bits a channel.
    indices: (height, width) into the palette, negative where nothing is painted.
    """

    height: int
    width: int
    block: int
    modes: IntArray
    copies: IntArray
    palette: npt.NDArray[np.uint8]
    indices: IndexArray

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
            np.full((height, width), -1, np.int8),
        )

    def equals(self, other: "GraphicsLayer") -> bool:
        """Whether another layer of the same picture is the same."""
        return self is other or (
            self.block == other.block
            and np.array_equal(self.modes, other.modes)
            and np.array_equal(self.copies, other.copies)
            and np.array_equal(self.palette, other.palette)
            and np.array_equal(self.indices, other.indices)
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

    def share(self, which: npt.NDArray[np.bool_]) -> float:
        """The share of pixels that some ranges (rows, columns) hold."""
        rows, columns = (
            np.minimum(side - np.arange(0, side, self.block), self.block)
            for side in (self.height, self.width)
        )
        return float(rows @ which @ columns) / (self.height * self.width)

    def owned_share(self) -> float:
        """The share of pixels that are copies or painted."""
        return self.share(self.modes != BASE)

    @cached_property
    def pixel_modes(self) -> IntArray:
        """The mode of the range of each pixel, (height, width)."""
        return spread(self.modes, self.block, self.height, self.width)

    @cached_property
    def sources(self) -> Positions:
        """The flattened position that each pixel finally repeats, (height, width)."""
        return copied_from(self.modes, self.copies, self.block, self.height, self.width)

    def compose(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The picture with what the layer owns.

        pixels: (channels, height, width) of the base: bytes, or floats in [0, 1].
        """
        composed = pixels.copy()
        self.paint(composed)
        return composed

    def paint(self, canvas: npt.NDArray[Any]) -> None:
        """Put what the layer owns into a base in place, which is as for `compose`, contiguous."""
        white = 255 if canvas.dtype == np.uint8 else 1
        colours = (self.palette.T * (white / np.float64(255))).astype(canvas.dtype)
        if len(self.palette) == 1 and (self.modes != BASE).all():
            canvas[:] = colours[:, :, None]
            return
        size = self.block, self.height, self.width
        has_copies = (self.modes >= FIRST_COPY).any(1).repeat(self.block)
        for rows in strips(*size):
            indices = self.indices[rows]
            painted = indices >= 0
            used = indices[painted]
            sources = None
            if has_copies[rows].any():
                block, height, width = size
                sources = strip_sources(self.modes, self.copies, block, rows, height, width)
            for plane, values in zip(canvas, colours, strict=True):
                plane[rows][painted] = values[used]
                if sources is not None:
                    plane[rows] = plane.ravel()[sources]


def by_range(pixels: npt.NDArray[Any], block: int) -> npt.NDArray[Any]:
    """Pixels (h, w) as (rows, block, columns, block), zero beyond the edges."""
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, -height % block), (0, -width % block)))
    return padded.reshape(len(padded) // block, block, -1, block)
