"""Tiles of the grid of ranges of a picture, which are coded independently."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from neural_collage.models.compression.decoder_model import RANGE

TILE = 64
"""Ranges per side; the last tiles of a row or column may be smaller."""
COARSE_GROUPS = {Fraction(1, 8): 3, Fraction(1, 16): 2}
"""How many channel groups a picture in segments is decoded from at these scales.

What the others add to averages over so many pixels is small: about half a level, see
docs/format.md.
"""


@dataclass(frozen=True, order=True)
class Tile:
    """A rectangle of ranges, ordered as in raster order."""

    top: int
    left: int
    rows: int
    columns: int

    def grown(self, by: int, rows: int, columns: int) -> "Tile":
        """The tile with a margin of `by` ranges, clipped to a grid of rows x columns ranges."""
        top, left = max(0, self.top - by), max(0, self.left - by)
        bottom = min(rows, self.top + self.rows + by)
        right = min(columns, self.left + self.columns + by)
        return Tile(top, left, bottom - top, right - left)

    def meets(self, other: "Tile") -> bool:
        """Whether a range is in both."""
        rows = self.top < other.top + other.rows and other.top < self.top + self.rows
        columns = self.left < other.left + other.columns and other.left < self.left + self.columns
        return rows and columns

    def within(self, outer: "Tile", pixels: int = 1) -> tuple[slice, slice]:
        """Slices of this tile in another one, in units of 1 / `pixels` ranges."""
        top, left = self.top - outer.top, self.left - outer.left
        return (
            slice(top * pixels, (top + self.rows) * pixels),
            slice(left * pixels, (left + self.columns) * pixels),
        )


def tiles(rows: int, columns: int) -> Iterator[Tile]:
    """The tiles of a grid of ranges, in raster order."""
    for top in range(0, rows, TILE):
        for left in range(0, columns, TILE):
            yield Tile(top, left, min(TILE, rows - top), min(TILE, columns - left))


@dataclass(frozen=True)
class Grid:
    """The ranges of a picture.

    height, width: pixels. pictures: of three planes each, of colours and of alpha.
    """

    height: int
    width: int
    pictures: int = 1

    @property
    def rows(self) -> int:
        """Ranges in a column."""
        return -(-self.height // RANGE)

    @property
    def columns(self) -> int:
        """Ranges in a row."""
        return -(-self.width // RANGE)

    @property
    def whole(self) -> Tile:
        """All ranges."""
        return Tile(0, 0, self.rows, self.columns)

    @property
    def tiles(self) -> list[Tile]:
        """The tiles, in raster order."""
        return list(tiles(self.rows, self.columns))
