"""The neural codec: coefficients of overlapping patches, and links, in one range-coded stream.

    1  parameters: bit 0 set if links follow the coefficients of a picture
    n  range-coded pictures of three planes: the colours, then alpha if there is one

A picture is cut into tiles of at most 64 x 64 ranges of 16 pixels, which are coded one after the
other and independently, so that memory stays bounded; their patches overlap all the same. What the
symbols are and in which order they come is said in `models.integer_entropy`; links in
`fractal.links`.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.codec.colour import to_triples
from neural_collage.codec.container import ColourSpace, Header, ModelId
from neural_collage.codec.entropy import FixedTables, SymbolReader, SymbolWriter
from neural_collage.codec.image import Layer
from neural_collage.codec.picture import Picture
from neural_collage.codec.weights import Weights, shipped_weights
from neural_collage.core.blocks import pad_to_multiple
from neural_collage.core.collage import Collage
from neural_collage.core.errors import CollageFormatError
from neural_collage.core.lapped import LappedTexture
from neural_collage.core.partition import Partition
from neural_collage.models.analysis import RANGE
from neural_collage.models.codec_model import CodecModel
from neural_collage.models.compressor import CENTRE
from neural_collage.models.integer_entropy import UNIT, Pass

DEFAULT_MODEL = "natural"
TILE = 64  # ranges a side
MARGIN = 6  # ranges around a tile that its analysis can see
_LARGEST_VALUE = 1 << 20  # of a deviation, in steps: no picture comes near


class NeuralCodec:
    """One-pass neural compression; see the module.

    weights: of a `CodecModel`, by default those that come with the package.
    """

    name = "neural"
    id = 2
    colour_space = ColourSpace.RGB

    def __init__(self, weights: Weights | None = None) -> None:
        self.weights = weights or shipped_weights(DEFAULT_MODEL)
        self._network = self.weights.build(CodecModel)
        self._tables = FixedTables(self._network.counts.numpy().astype(np.int64))

    @property
    def model(self) -> ModelId:
        """The identity of the weights, which files carry."""
        return self.weights.model

    def encode(self, picture: Picture, *, quality: int, effort: int, device: str) -> bytes:
        """The payload of a picture."""
        writer = SymbolWriter()
        for planes in to_triples(picture.pixels):
            padded = pad_to_multiple(planes, RANGE)
            for tile, values in self._analysed(padded, quality, device):
                source = _Chooser(writer, self._tables, self._network, values, quality)
                self._network.entropy.run(source, quality, tile.rows, tile.columns)
        return bytes([0]) + writer.finish()

    def layers(self, payload: bytes, header: Header) -> tuple[Layer, ...]:
        """The collages of a payload: of the colours, and of alpha if there is one.

        Raises:
            CollageFormatError: damaged.
        """
        if not payload:
            raise CollageFormatError("the neural stream is empty")
        if payload[0] > 1:
            raise CollageFormatError(f"unknown parameters {payload[0]:#04x} of the neural stream")
        reader = SymbolReader(payload[1:])
        rows, columns = (-(-side // RANGE) for side in (header.height, header.width))
        layers = []
        for _ in range(2 if header.channels in (2, 4) else 1):
            texture = self._read_texture(reader, header.quality, rows, columns)
            layers.append(Layer(plain_collage(texture, header.height, header.width)))
        reader.finish()
        return tuple(layers)

    def _read_texture(
        self, reader: SymbolReader, quality: int, rows: int, columns: int
    ) -> LappedTexture:
        network = self._network
        shape = (network.config.n_patches, rows, columns)
        amplitudes = torch.zeros(shape, dtype=torch.int16)
        source = _Reader(reader, self._tables)
        for tile in tiles(rows, columns):
            quantised = network.entropy.run(source, quality, tile.rows, tile.columns)
            amplitudes[:, tile.within_rows, tile.within_columns] = network.amplitudes(
                quantised, quality
            )
        return network.texture(amplitudes)

    def _analysed(
        self, planes: Float[Tensor, "3 h w"], quality: int, device: str
    ) -> Iterator[tuple["Tile", Float[Tensor, "a rows columns"]]]:
        """The coefficients of a picture of whole ranges, tile by tile."""
        network = self._network
        if torch.device(device).type != "cpu":
            network = deepcopy(network).to(device)
        rows, columns = (side // RANGE for side in planes.shape[1:])
        for tile in tiles(rows, columns):
            seen = tile.grown(MARGIN, rows, columns)
            part = planes[:, seen.pixel_rows, seen.pixel_columns].to(device)
            with torch.inference_mode():
                values = network.values(part[None], quality)[0].cpu()
            top, left = tile.top - seen.top, tile.left - seen.left
            yield tile, values[:, top : top + tile.rows, left : left + tile.columns]


@dataclass(frozen=True)
class Tile:
    """A rectangle of ranges."""

    top: int
    left: int
    rows: int
    columns: int

    def grown(self, by: int, rows: int, columns: int) -> "Tile":
        """With a margin, as far as there are ranges."""
        top, left = max(0, self.top - by), max(0, self.left - by)
        bottom = min(rows, self.top + self.rows + by)
        right = min(columns, self.left + self.columns + by)
        return Tile(top, left, bottom - top, right - left)

    @property
    def within_rows(self) -> slice:
        return slice(self.top, self.top + self.rows)

    @property
    def within_columns(self) -> slice:
        return slice(self.left, self.left + self.columns)

    @property
    def pixel_rows(self) -> slice:
        return slice(self.top * RANGE, (self.top + self.rows) * RANGE)

    @property
    def pixel_columns(self) -> slice:
        return slice(self.left * RANGE, (self.left + self.columns) * RANGE)


def tiles(rows: int, columns: int) -> Iterator[Tile]:
    """The tiles of a picture of so many ranges, in raster order."""
    for top in range(0, rows, TILE):
        for left in range(0, columns, TILE):
            yield Tile(top, left, min(TILE, rows - top), min(TILE, columns - left))


def plain_collage(texture: LappedTexture, height: int, width: int) -> Collage:
    """The collage of a texture about middle grey, without domains."""
    partition = Partition.uniform(height, width, RANGE)
    n = len(partition)
    return Collage(
        partition,
        domains=torch.zeros(n, 0, 2, dtype=torch.int64),
        isometries=torch.zeros(n, 0, dtype=torch.int64),
        weights=torch.zeros(1, n, 0),
        bias=torch.full((texture.channels, n), CENTRE),
        texture=texture,
    )


class _Reader:
    """The symbols of a stream."""

    def __init__(self, reader: SymbolReader, tables: FixedTables) -> None:
        self._reader = reader
        self._tables = tables

    def side(self, scales: Int64[Tensor, "s rows columns"]) -> Int64[Tensor, "s rows columns"]:
        return self._read(scales)

    def coefficients(
        self, part: Pass, means: Int64[Tensor, "a n"], scales: Int64[Tensor, "a n"]
    ) -> Int64[Tensor, "a n"]:
        return self._read(scales)

    def _read(self, scales: Tensor) -> Tensor:
        flat = scales.reshape(-1).numpy()
        coded = flat > 0
        symbols = np.zeros(len(flat), np.int64)
        symbols[coded] = self._reader.fixed(self._tables, flat[coded])
        return torch.from_numpy(symbols).view(scales.shape)


class _Chooser:
    """Rounds values to symbols, and writes them."""

    def __init__(
        self,
        writer: SymbolWriter,
        tables: FixedTables,
        network: CodecModel,
        values: Float[Tensor, "a rows columns"],
        quality: int,
    ) -> None:
        self._writer = writer
        self._tables = tables
        self._network = network
        self._values = values
        self._quality = quality

    def side(self, scales: Int64[Tensor, "s rows columns"]) -> Int64[Tensor, "s rows columns"]:
        with torch.inference_mode():
            side = self._network.side_values(self._values[None])[0]
        return self._write(side.round().long(), scales)

    def coefficients(
        self, part: Pass, means: Int64[Tensor, "a n"], scales: Int64[Tensor, "a n"]
    ) -> Int64[Tensor, "a n"]:
        values = self._values[part.channels, part.sites]
        return self._write((values - means / UNIT).round().long(), scales)

    def _write(self, symbols: Tensor, scales: Tensor) -> Tensor:
        symbols = torch.where(scales > 0, symbols, 0).clamp(-_LARGEST_VALUE, _LARGEST_VALUE)
        flat, which = symbols.reshape(-1).numpy(), scales.reshape(-1).numpy()
        coded = which > 0
        self._writer.fixed(self._tables, which[coded], flat[coded])
        return symbols
