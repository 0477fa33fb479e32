"""The neural codec: latents of overlapping patches, and links, in range-coded streams.

    1  parameters: bit 0 set if links follow the latents, bit 1 if there is a table, bit 2 if there
       is a precision layer, which `precise` reads
    3  with a precision layer: its parameters
    n  without a table: one stream of the latents of the colours, then of alpha if there is one, and
       the links of each, or the precision layer of each
    n  with a table: the length of each segment but the last, varints; then the segments: those of
       the first channel group of all tiles, of the second one of all tiles, and so on, that of the
       links, and those of the precision layer of all tiles

A picture is cut into tiles of at most 64 x 64 ranges of 16 pixels. Tiles are coded independently;
patches overlap across their edges. The segment of the first group starts with the side information.
So a window needs the tiles that it shows, a small picture the first groups alone, and a file that
breaks off gives a coarse picture. The symbols and their order are those of
`models.compression.integer_entropy`, and of `links`.
"""

from collections.abc import Sequence
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
from neural_collage.codec.streams.precise import PreciseTexture, Precision, precise_textures
from neural_collage.codec.streams.segments import read_segments
from neural_collage.codec.streams.tiles import COARSE_GROUPS, Grid, Tile
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

LINKED, SEGMENTED, PRECISE = 1, 2, 4
"""Bits of the parameters."""
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


def payload_start(payload: bytes) -> tuple[bool, bool, Precision | None, bytes]:
    """Whether a payload has links and segments, its precision layer, and what follows."""
    if not payload:
        raise CollageFormatError("the neural stream is empty")
    parameters, rest = payload[0], payload[1:]
    if parameters & ~(LINKED | SEGMENTED | PRECISE):
        raise CollageFormatError(f"unknown parameters {parameters:#04x} of the neural stream")
    precision = None
    if parameters & PRECISE:
        precision, rest = Precision.of_bytes(rest[: Precision.SIZE]), rest[Precision.SIZE :]
        if parameters & LINKED:
            raise CollageFormatError(
                "the neural stream is damaged: a precision layer on a picture with links"
            )
    return bool(parameters & LINKED), bool(parameters & SEGMENTED), precision, rest


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
        is_linked, is_segmented, precision, data = payload_start(payload)
        quality = header.quality if precision is None else precision.base_quality
        grid = Grid(header.height, header.width, 2 if header.channels in (2, 4) else 1)
        further: list[bytes | None] = []
        if is_segmented:
            tiles = grid.pictures * len(grid.tiles)
            before = len(self.model.groups) * tiles
            count = before + 1 + (tiles if precision else 0)
            segments = read_segments(data, count, missing)
            textures = self._in_segments(segments[:before], quality, grid)
            of_links, *further = segments[before:]
            reader = None if of_links is None else SymbolReader(of_links)
        elif missing:
            raise CollageFormatError("the file is truncated, and too small to have a coarse part")
        else:
            reader = SymbolReader(data)
            textures = [self._whole(reader, quality, grid) for _ in range(grid.pictures)]
        if precision is not None:
            precise = precise_textures(
                textures, grid, header.channels, precision, self.tables, further
            )
            if reader is not None:
                for layer in () if is_segmented else precise:
                    layer.read_whole(reader)
                reader.finish()
            return tuple(TextureLayer(layer, grid) for layer in precise)
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

    def _whole(self, reader: SymbolReader, quality: int, grid: Grid) -> "TiledTexture":
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
        self, segments: Sequence[bytes | None], quality: int, grid: Grid
    ) -> list["TiledTexture"]:
        """The latents of all pictures, read when they are needed."""
        count = grid.pictures * len(grid.tiles)
        textures = []
        for first in range(0, count, len(grid.tiles)):
            parts = [segments[tile::count] for tile in range(first, first + len(grid.tiles))]
            amplitudes = np.zeros((self.model.n_patches, grid.rows, grid.columns), np.int16)
            textures.append(TiledTexture(self, quality, grid, amplitudes, parts))
        return textures


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

    def read(self, part: Tile) -> None:
        """Read all of the tiles that hold a part of the ranges."""
        self._need(len(self._decoder.banks), part)

    def complete(self) -> Texture:
        """The texture with all that the file says of it."""
        self.read(self._grid.whole)
        return self._texture(len(self._decoder.banks))

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

    def __init__(self, texture: TiledTexture | PreciseTexture, grid: Grid) -> None:
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
