"""Conventions of encoder and decoder: block sizes, domain pools, quantiser steps.

A plane is coded on a quadtree of ranges of 32 down to 4 pixels. The auxiliary patches are the 64
cosines of order 0..7 in each direction. The domains of a range start on a lattice of `lattice`
pixels inside the pool of the range: the square tile of `TILE` pixels that holds the range, shifted
inwards where a domain would leave the canvas. Pools keep search and domain addresses local, so
that the cost per pixel is independent of the image size.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_collage.core.scales import round_up

SIZES = (32, 16, 8, 4)
POOLING = 2
ORDER = 8
DIAGONAL = np.add.outer(np.arange(ORDER), np.arange(ORDER))  # u + v, the scan order
MAX_CONTRAST = 7  # in eighths; below 8, so that every collage contracts
TILE = 256

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def last_diagonal(size: int) -> int:
    """The highest diagonal u + v among the cosines of a range of `size` pixels."""
    return 2 * (min(ORDER, size) - 1)


@dataclass(frozen=True)
class PlaneGeometry:
    """The canvas of one plane.

    height, width: pixels of the plane; lattice: the step between domain corners, 4, 8 or 16.
    """

    height: int
    width: int
    lattice: int

    @property
    def canvas_height(self) -> int:
        """Height rounded up to whole roots."""
        return round_up(self.height, SIZES[0])

    @property
    def canvas_width(self) -> int:
        """Width rounded up to whole roots."""
        return round_up(self.width, SIZES[0])

    def grid(self, size: int) -> tuple[int, int]:
        """Rows and columns of the full grid of blocks of one size."""
        return self.canvas_height // size, self.canvas_width // size

    def _axis(self, extent: int, size: int, tile: IntArray) -> tuple[IntArray, IntArray]:
        """First position and number of positions of the pools along one axis."""
        last = (extent - POOLING * size) // self.lattice * self.lattice
        start = np.maximum(np.minimum(tile * TILE, last - TILE + self.lattice), 0)
        count = (np.minimum(start + TILE - self.lattice, last) - start) // self.lattice + 1
        return start, np.maximum(count, 0)

    def pools(self, size: int, y: IntArray, x: IntArray) -> tuple[IntArray, ...]:
        """Top, left, rows and columns of the pool of each range with corner (y, x).

        Rows or columns are 0 if a domain does not fit the canvas.
        """
        top, rows = self._axis(self.canvas_height, size, y // TILE)
        left, columns = self._axis(self.canvas_width, size, x // TILE)
        return top, left, rows, columns

    def domain_corners(
        self, size: int, y: IntArray, x: IntArray, address: IntArray
    ) -> tuple[IntArray, IntArray]:
        """The corners (y, x) of the domains at `address` in the pools of ranges at (y, x)."""
        top, left, _, columns = self.pools(size, y, x)
        columns = np.maximum(columns, 1)
        return top + address // columns * self.lattice, left + address % columns * self.lattice

    def tiles(self) -> list[tuple[int, int]]:
        """Corners (y, x) of the tiles, in raster order."""
        return [
            (y, x)
            for y in range(0, self.canvas_height, TILE)
            for x in range(0, self.canvas_width, TILE)
        ]


def quantiser_step(quality: int) -> float:
    """The quantiser step, in units of 1/255 of the pixel range, of a quality 1..100."""
    return 160.0 * math.pow(8.0 / 160.0, (quality - 1) / 99)
