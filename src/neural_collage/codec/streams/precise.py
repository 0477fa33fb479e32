"""Textures under a precision layer: their parameters, and tiles that are read when they are shown.

    1  quality of the base
    2  step of samples in 2^-16, not 0

stand behind the parameters of the payload. The numbers of a tile are a stream of their own if there
are segments; else they follow those of the base.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Protocol, runtime_checkable

import numpy as np

from neural_collage.codec.entropy import FixedTables, SymbolReader
from neural_collage.codec.precision.numbers import read_numbers
from neural_collage.codec.precision.patches import (
    BLOCK,
    PATCHES,
    Numbers,
    PrecisionCanvas,
    base_magnitudes,
    patches_of_ranges,
)
from neural_collage.codec.streams.tiles import COARSE_GROUPS, Grid, Tile
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.arrays.interpolation import enlarged_window
from neural_collage.core.arrays.lapped import PatchBank, Texture
from neural_collage.core.scales import Window
from neural_collage.errors import CollageFormatError
from neural_collage.models.compression.decoder_model import RANGE
from neural_collage.runtime import in_threads

BLOCKS = RANGE // BLOCK
"""Blocks per side of a range."""


@dataclass(frozen=True)
class Precision:
    """The parameters of a precision layer.

    base_quality: 1..100, of what it lies on. step: of samples in 2^-16, 1..65535.
    """

    base_quality: int
    step: int

    SIZE = 3
    """Bytes."""

    @classmethod
    def of_bytes(cls, data: bytes) -> "Precision":
        """Read it; raises CollageFormatError for values that it cannot have."""
        found = cls(data[0], int.from_bytes(data[1:], "little")) if len(data) == cls.SIZE else None
        if found is None or not 1 <= found.base_quality <= 100 or not found.step:
            raise CollageFormatError("the neural stream is damaged: its precision layer is invalid")
        return found

    def to_bytes(self) -> bytes:
        """As `of_bytes` reads it."""
        return bytes([self.base_quality]) + self.step.to_bytes(2, "little")


@runtime_checkable
class BaseTexture(Protocol):
    """What a precision layer lies on: see `neural.TiledTexture`."""

    in_segments: bool

    def read(self, part: Tile) -> None: ...
    def is_exact(self, scale: Fraction) -> bool: ...
    def complete(self) -> Texture: ...
    def window(self, scale: Fraction, window: Window) -> PixelArray: ...


class PreciseTexture:
    """A texture and the precision layer on it.

    numbers: (colours, 64, rows, columns) of blocks, 0 where they are not read yet. segments: of
    each tile, None where a partial file lacks them; without, numbers are complete.
    """

    def __init__(
        self,
        base: BaseTexture,
        grid: Grid,
        step: int,
        tables: FixedTables,
        numbers: Numbers,
        segments: Sequence[bytes | None] = (),
    ) -> None:
        self.in_segments = base.in_segments
        self._base = base
        self._grid = grid
        self._tables = tables
        self._canvas = PrecisionCanvas(numbers, step)
        self._waiting = dict(zip(grid.tiles, segments, strict=True)) if segments else {}

    def is_exact(self, scale: Fraction) -> bool:
        """See `Texture.is_exact`."""
        return self._base.is_exact(scale)

    def window(self, scale: Fraction, window: Window) -> PixelArray:
        """A window (3, h, w) at an exact scale; at those of `COARSE_GROUPS` without the layer."""
        if scale > 1:
            size = [int(RANGE * side * scale / 2) for side in (self._grid.rows, self._grid.columns)]
            return enlarged_window(
                lambda source: self.window(scale / 2, source), (size[0], size[1]), window
            )
        if self.in_segments and scale in COARSE_GROUPS:
            return self._base.window(scale, window)
        side = RANGE * scale
        top, left = int(window.top / side), int(window.left / side)
        bottom, right = (ceil((a + b) / side) for a, b in (window[::2], window[1::2]))
        self._need(Tile(top, left, bottom - top, right - left))
        pixels = self._base.window(scale, window)
        return np.add(pixels, self._canvas.window(scale.denominator, window), out=pixels)

    def complete(self) -> Texture:
        """Both as one texture: the layer as further patches."""
        self._need(self._grid.whole)
        base = self._base.complete()
        coefficients, bank = patches_of_ranges(self._canvas, RANGE)
        of_base = base.bank.patches.astype(np.float64) * base.unit
        return Texture(
            np.concatenate([base.coefficients.astype(np.float64), coefficients]),
            PatchBank(np.concatenate([of_base, bank])),
        )

    def set_numbers(self, numbers: Numbers) -> None:
        """Put what its file would say in place of numbers that are not read yet."""
        self._canvas.numbers[:] = numbers

    def read_whole(self, reader: SymbolReader) -> None:
        """Read all tiles from a stream."""
        for tile in self._grid.tiles:
            self._read(tile, reader)

    def _need(self, part: Tile) -> None:
        """Read the tiles that hold a part of the ranges."""
        needed = [tile for tile in self._waiting if tile.meets(part)]
        if not needed:
            return
        top, left = (min(tile.top for tile in needed), min(tile.left for tile in needed))
        bottom = max(tile.top + tile.rows for tile in needed)
        right = max(tile.left + tile.columns for tile in needed)
        self._base.read(Tile(top - 1, left - 1, bottom - top + 2, right - left + 2))

        def read(tile: Tile) -> None:
            if (data := self._waiting[tile]) is not None:
                reader = SymbolReader(data)
                self._read(tile, reader)
                reader.finish()

        in_threads(read, needed)
        for tile in needed:
            self._waiting.pop(tile, None)

    def _read(self, tile: Tile, reader: SymbolReader) -> None:
        numbers = self._canvas.numbers
        base = magnitudes_below(self._base, tile, self._canvas.step, len(numbers))
        found = read_numbers(reader, self._tables, base)
        numbers[(..., *tile.within(self._grid.whole, BLOCKS))] = found


def precise_textures(
    bases: Sequence[BaseTexture],
    grid: Grid,
    channels: int,
    precision: Precision,
    tables: FixedTables,
    segments: Sequence[bytes | None] = (),
) -> list[PreciseTexture]:
    """The pictures of a file, of colours and of alpha, with nothing read yet of their layers.

    channels: of the file. segments: of all tiles, picture by picture.
    """
    count = len(grid.tiles)
    return [
        PreciseTexture(
            base,
            grid,
            precision.step,
            tables,
            no_numbers(grid, shown),
            segments[number * count : (number + 1) * count],
        )
        for number, (base, shown) in enumerate(zip(bases, shown_channels(channels), strict=True))
    ]


def shown_channels(channels: int) -> tuple[int, ...]:
    """Of a file's pictures of three planes, how many channels each shows: 1 or 3."""
    colours = 3 if channels >= 3 else 1
    return (colours, 1) if channels in (2, 4) else (colours,)


def no_numbers(grid: Grid, channels: int) -> Numbers:
    """The numbers of a picture in which none is read yet. channels: 1 or 3."""
    return np.zeros((channels, PATCHES, BLOCKS * grid.rows, BLOCKS * grid.columns), np.int16)


def window_of(tile: Tile) -> Window:
    """The pixels of a tile."""
    return Window(*(RANGE * side for side in (tile.top, tile.left, tile.rows, tile.columns)))


def magnitudes_below(base: BaseTexture, tile: Tile, step: int, channels: int) -> PixelArray:
    """What the contexts of a tile know of its base, see `patches.base_magnitudes`."""
    return base_magnitudes(base.window(Fraction(1), window_of(tile)), step, channels)
