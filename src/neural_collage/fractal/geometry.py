"""Conventions of encoder and decoder: block sizes, domain pools, quantiser steps.

A plane is coded on a quadtree of ranges of 32 down to 4 pixels. The auxiliary patches are the 64
cosines of order 0..7 in each direction. The domains of a range start on a lattice of `lattice`
pixels inside the pool of the range: the square tile of `TILE` pixels that holds the range, shifted
inwards where a domain would leave the canvas, its edges on the lattice. Pools keep search and
domain addresses local, so that the cost per pixel is independent of the image size.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_collage.core.scales import round_up

SIZES = (32, 16, 8, 4)
POOLING = 2
TRIPLE_LATTICE = 12  # with this one, domains are reduced by 3
ORDER = 8
DIAGONAL = np.add.outer(np.arange(ORDER), np.arange(ORDER))  # u + v, the scan order
MAX_CONTRAST = 7  # in eighths; below 8, so that every collage contracts
CONTRASTS = np.append(np.arange(8), [8, 9, 32 / 3, 12]) / 8
"""The contrasts by index. Those of more than `MAX_CONTRAST` are wide: a figure that is n of k^2
reduced copies of itself, and constant in the rest, is k^2 / n times its reduction by k, up to
brightness. That is 4/3 for the triangle of Sierpinski, 9/8 for his carpet."""
WIDEST = len(CONTRASTS) - 1
TILE = 256

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def last_diagonal(size: int) -> int:
    """The highest diagonal u + v among the cosines of a range of `size` pixels."""
    return 2 * (min(ORDER, size) - 1)


@dataclass(frozen=True)
class PlaneGeometry:
    """The canvas of one plane, and which domains its ranges may have.

    height, width: pixels of the plane. lattice: the step between domain corners, 4, 8 or 16 where
    domains are reduced by 2, 12 where they are reduced by 3. wide: whether contrasts may be wide.
    """

    height: int
    width: int
    lattice: int
    wide: bool = False

    @property
    def pooling(self) -> int:
        """The reduction from domain to range."""
        return 3 if self.lattice == TRIPLE_LATTICE else POOLING

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
        step, reach = self.lattice, (TILE // self.lattice - 1) * self.lattice
        last = (extent - self.pooling * size) // step * step
        start = np.maximum(np.minimum(tile * TILE // step * step, last - reach), 0)
        count = (np.minimum(start + reach, last) - start) // step + 1
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


def quantiser_step(quality: float) -> float:
    """The quantiser step, in units of 1/255 of the pixel range, of a quality from 1 to 100."""
    return 160.0 * math.pow(8.0 / 160.0, (quality - 1) / 99)
