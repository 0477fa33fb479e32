"""The neural codec: latents of overlapping patches, and links, in range-coded streams.

    1  parameters: bit 0 set if links follow the latents, bit 1 if there is a table
    n  without a table: one stream of the latents of the colours, then of alpha if there is one, and
       the links of each
    n  with a table: the length of each segment but the last, varints; then the segments: those of
       the first channel group of all tiles, of the second one of all tiles, and so on, and that of
       the links

A picture is cut into tiles of at most 64 x 64 ranges of 16 pixels. Tiles are coded independently;
patches overlap across their edges. The segment of the first group starts with the side information.
So a window needs the tiles that it shows, a small picture the first groups alone, and a file that
breaks off gives a coarse picture. The symbols and their order are those of
`models.compression.integer_entropy`, and of `links`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import takewhile
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neural_collage.codec.base import Layer
from neural_collage.codec.container import Header
from neural_collage.codec.entropy import FixedTables, SymbolReader
from neural_collage.codec.streams.links import Links, code_links, domains_fit, initial_counts
from neural_collage.codec.streams.neural_symbols import DecodedSymbols
from neural_collage.codec.streams.segments import read_segments
from neural_collage.codec.streams.tiles import Tile, tiles
from neural_collage.codec.weights import Weights, weights_of
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.arrays.lapped import PatchBank, Texture
from neural_collage.core.scales import Window
from neural_collage.errors import CheckpointError, CollageFormatError, NotConvergedError
from neural_collage.extras import needs_extra
from neural_collage.models.compression.decoder_model import CENTRE, RANGE
from neural_collage.runtime import in_threads, one_thread_a_product

if TYPE_CHECKING:
    from neural_collage.core.collage import Collage

LINKED, SEGMENTED = 1, 2
"""Bits of the parameters."""
COARSE_GROUPS = {Fraction(1, 8): 3, Fraction(1, 16): 2}
"""How many channel groups a picture in segments is decoded from at these scales.

What the others add to averages over so many pixels is small: about half a level, see
docs/format.md.
"""
Amplitudes = npt.NDArray[np.int16]


def decode(payload: bytes, header: Header, missing: int = 0) -> tuple[Layer, ...]:
    """The collages of a payload, with the weights that its header names.

    missing: bytes that the payload of a partial file lacks at its end.

    Raises:
        CollageFormatError: damaged.
        CheckpointError: it needs weights that cannot be found.
    """
    if header.model is None:
        raise CollageFormatError("the file is damaged: it does not name its model")
    return decoder_of(weights_of(header.model)).decode(payload, header, missing)


@lru_cache(maxsize=4)
def decoder_of(weights: Weights) -> "NeuralDecoder":
    """The decoder of these weights, shared by all that use them."""
    return NeuralDecoder(weights)


class NeuralDecoder:
    """Reads the streams of one model; make it with `decoder_of`.

    Attributes:
        model: what decoding depends on.
        tables: its probability tables.
        banks: the patches of the first so many channel groups, less one.

    Raises CheckpointError if the weights are not of a neural codec.
    """

    def __init__(self, weights: Weights) -> None:
        self.model = weights.decoder()
        try:
            self.tables = FixedTables(self.model.counts)
        except ValueError as error:
            raise CheckpointError(f"the weights {weights.name} are damaged: {error}") from error
        ends = np.cumsum(self.model.groups)[:-1]
        coarse = [PatchBank(self.model.bank.patches[:end]) for end in ends]
        self.banks = [*coarse, self.model.bank]

    def decode(self, payload: bytes, header: Header, missing: int = 0) -> tuple[Layer, ...]:
        """The collages of a payload: of the colours, and of alpha if there is one.

        Raises:
            CollageFormatError: damaged.
        """
        if not payload:
            raise CollageFormatError("the neural stream is empty")
        if payload[0] & ~(LINKED | SEGMENTED):
            raise CollageFormatError(f"unknown parameters {payload[0]:#04x} of the neural stream")
        is_linked = bool(payload[0] & LINKED)
        grid = Grid(header.height, header.width, 2 if header.channels in (2, 4) else 1)
        if payload[0] & SEGMENTED:
            textures, reader = self._in_segments(payload[1:], header.quality, grid, missing)
        elif missing:
            raise CollageFormatError("the file is truncated, and too small to have a coarse part")
        else:
            reader = SymbolReader(payload[1:])
            textures = [self._whole(reader, header.quality, grid) for _ in range(grid.pictures)]
        if not is_linked:
            if reader is not None:
                reader.finish()
            return tuple(TextureLayer(texture, grid) for texture in textures)
        if reader is None:  # a partial file, which breaks off before its links
            return tuple(TextureLayer(texture, grid) for texture in textures)
        links = []
        for _ in textures:
            reader.counts = initial_counts()
            links.append(code_links(reader, grid.rows, grid.columns, None))
            if links[-1] and not domains_fit(grid.rows, grid.columns):
                raise CollageFormatError(
                    "the neural stream is damaged: links in a picture that no domain fits into"
                )
        reader.finish()
        return linked_layers(textures, links, grid)

    def _whole(self, reader: SymbolReader, quality: int, grid: "Grid") -> "TiledTexture":
        """The latents of a picture that is part of one stream."""
        source = DecodedSymbols([reader] * len(self.model.groups), self.tables)
        amplitudes = np.zeros((self.model.n_patches, grid.rows, grid.columns), np.int16)
        with one_thread_a_product:
            for tile in grid.tiles:
                quantised = self.model.entropy.run(source, quality, tile.rows, tile.columns)
                values = self.model.amplitudes(quantised, quality)
                amplitudes[(..., *tile.within(grid.whole))] = values
        return TiledTexture(self, quality, grid, amplitudes)

    def _in_segments(
        self, data: bytes, quality: int, grid: "Grid", missing: int
    ) -> tuple[list["TiledTexture"], SymbolReader | None]:
        """The latents of all pictures, read when they are needed, and the stream of the links."""
        count = grid.pictures * len(grid.tiles)
        n_groups = len(self.model.groups)
        segments = read_segments(data, n_groups * count + 1, missing)
        textures = []
        for first in range(0, count, len(grid.tiles)):
            parts = [segments[tile:-1:count] for tile in range(first, first + len(grid.tiles))]
            amplitudes = np.zeros((self.model.n_patches, grid.rows, grid.columns), np.int16)
            textures.append(TiledTexture(self, quality, grid, amplitudes, parts))
        links = segments[-1]
        return textures, None if links is None else SymbolReader(links)


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


class TiledTexture:
    """A texture whose tiles are read when a window first shows them.

    amplitudes: (a, rows, columns) zero where they are not read yet. segments: of each tile and
    channel group, None where a partial file lacks them; without, amplitudes are complete.
    in_segments: whether the file has segments, so that small pictures are those of
    `COARSE_GROUPS`.
    """

    def __init__(
        self,
        decoder: NeuralDecoder,
        quality: int,
        grid: Grid,
        amplitudes: Amplitudes,
        segments: Sequence[Sequence[bytes | None]] | None = None,
        *,
        in_segments: bool = False,
    ) -> None:
        self._decoder = decoder
        self._quality = quality
        self._grid = grid
        self._amplitudes = amplitudes
        self._segments = segments
        self.in_segments = in_segments or segments is not None
        self._read = [0] * (0 if segments is None else len(segments))  # groups of each tile

    def is_exact(self, scale: Fraction) -> bool:
        """See `Texture.is_exact`."""
        return self._texture(len(self._decoder.banks)).is_exact(scale)

    def complete(self) -> Texture:
        """The texture with all that the file says of it."""
        n_groups = len(self._decoder.banks)
        self._need(n_groups, self._grid.whole)
        return self._texture(n_groups)

    def _texture(self, n_groups: int) -> Texture:
        bank = self._decoder.banks[n_groups - 1]
        return Texture(self._amplitudes[: len(bank.patches)], bank, self._decoder.model.unit)

    def window(self, scale: Fraction, window: Window) -> PixelArray:
        """A window (3, h, w) at an exact scale; at those of `COARSE_GROUPS` of the first groups."""
        n_groups = len(self._decoder.banks)
        if self.in_segments:
            n_groups = min(COARSE_GROUPS.get(scale, n_groups), n_groups)
        reach = 1  # patches of neighbours, and a few pixels of average interpolation
        side = RANGE * scale
        top, left = int(window.top / side) - reach, int(window.left / side) - reach
        bottom = ceil((window.top + window.height) / side) + reach
        right = ceil((window.left + window.width) / side) + reach
        self._need(n_groups, Tile(top, left, bottom - top, right - left))
        return self._texture(n_groups).window(scale, window)

    def _need(self, n_groups: int, part: Tile) -> None:
        """Read the first groups of the tiles that hold a part of the ranges."""
        needed = [
            (number, tile)
            for number, tile in enumerate(self._grid.tiles if self._read else [])
            if self._read[number] < n_groups and tile.meets(part)
        ]

        def read(numbered: tuple[int, Tile]) -> None:
            self._read_tile(*numbered, n_groups)

        in_threads(read, needed)

    def _read_tile(self, number: int, tile: Tile, n_groups: int) -> None:
        assert self._segments is not None
        decoder, model = self._decoder, self._decoder.model
        wanted = self._segments[number][:n_groups]
        present = takewhile(lambda data: data is not None, wanted)
        readers = [SymbolReader(data) for data in present if data is not None]
        if readers:
            source = DecodedSymbols(readers, decoder.tables)
            size = tile.rows, tile.columns
            quantised = model.entropy.run(source, self._quality, *size, len(readers))
            for reader in readers:
                reader.finish()
            count = len(decoder.banks[len(readers) - 1].patches)
            values = model.amplitudes(quantised, self._quality)
            self._amplitudes[(slice(count), *tile.within(self._grid.whole))] = values
        self._read[number] = n_groups


class TextureLayer(Layer):
    """A picture that is a texture alone, on the grey level `CENTRE`."""

    coarsest = Fraction(1, RANGE)
    octave = 2

    def __init__(self, texture: TiledTexture, grid: Grid) -> None:
        self._texture = texture
        self._grid = grid
        self.coarse = max(COARSE_GROUPS) if texture.in_segments else Fraction(0)

    def is_exact(self, scale: Fraction) -> bool:
        return self._texture.is_exact(scale)

    def window(self, scale: Fraction, window: Window) -> PixelArray:
        pixels = self._texture.window(scale, window)
        return np.add(pixels, np.float32(CENTRE), out=pixels)

    @property
    def collage(self) -> "Collage":
        with needs_extra("encode"):
            from neural_collage.codec.streams.linked import linked_collage

        none = Links.none(self._grid.rows, self._grid.columns)
        return linked_collage(
            self._texture.complete(), none, self._grid.height, self._grid.width, CENTRE
        )


def linked_layers(
    textures: Sequence[TiledTexture], links: Sequence[Links], grid: Grid
) -> tuple[Layer, ...]:
    """The collages of textures and links.

    Raises:
        CollageFormatError: links have no fixed point that iteration finds.
    """
    if not any(links):
        return tuple(TextureLayer(texture, grid) for texture in textures)
    with needs_extra("encode"):
        from neural_collage.codec.collage_layer import CollageLayer
        from neural_collage.codec.streams.linked import linked_collage

    try:
        return tuple(
            CollageLayer(linked_collage(texture.complete(), own, grid.height, grid.width, CENTRE))
            for texture, own in zip(textures, links, strict=True)
        )
    except NotConvergedError as error:
        raise CollageFormatError(f"the neural stream is damaged: {error}") from error
