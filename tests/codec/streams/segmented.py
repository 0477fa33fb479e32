"""Neural files in segments, for tests: of small tiles, and their parts."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import neural_collage as nc
from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.codec.streams import neural
from neural_collage.codec.streams.neural import SEGMENTED, NeuralDecoder, decoder_of
from neural_collage.codec.streams.neural_symbols import DecodedSymbols
from neural_collage.codec.streams.segments import read_segments, write_segments
from neural_collage.codec.streams.tiles import Grid
from neural_collage.codec.weights import weights_of
from neural_collage.models.compression.integer_entropy import Pass
from neural_collage.models.compression.integer_layers import IntArray

TILE = 3
"""Ranges a side of the small tiles that the fixture `small_tiles` cuts pictures into."""


@dataclass(frozen=True)
class Parts:
    """The segments of a file. segments: by channel group and tile, those of alpha last; links."""

    image: nc.CollageImage
    segments: tuple[tuple[bytes, ...], ...]
    links: bytes

    @classmethod
    def of(cls, image: nc.CollageImage) -> "Parts":
        """Those of a complete file."""
        assert image.payload[0] & SEGMENTED
        count, n_groups = len(grid_of(image).tiles) * grid_of(image).pictures, n_groups_of(image)
        read = read_segments(image.payload[1:], count * n_groups + 1)
        *all_tiles, links = (segment for segment in read if segment is not None)
        by_group = [tuple(all_tiles[n * count :][:count]) for n in range(n_groups)]
        return cls(image, tuple(by_group), links)

    def payload(self) -> bytes:
        """The payload of these segments."""
        together = [segment for of_group in self.segments for segment in of_group]
        return self.image.payload[:1] + write_segments([*together, self.links])

    def with_segment(self, group: int, tile: int, data: bytes) -> nc.CollageImage:
        """A file with another segment."""
        of_group = list(self.segments[group])
        of_group[tile] = data
        segments = (*self.segments[:group], tuple(of_group), *self.segments[group + 1 :])
        return nc.CollageImage(self.image.header, replace(self, segments=segments).payload())


def again(image: nc.CollageImage) -> nc.CollageImage:
    """The image as a reader of its file has it, with nothing read yet."""
    return nc.CollageImage.from_bytes(image.to_bytes())


def grid_of(image: nc.CollageImage) -> Grid:
    return Grid(image.height, image.width, 2 if image.channels in (2, 4) else 1)


def decoder_for(image: nc.CollageImage) -> NeuralDecoder:
    assert image.header.model is not None
    return decoder_of(weights_of(image.header.model))


def n_groups_of(image: nc.CollageImage) -> int:
    return len(decoder_for(image).model.groups)


class Copied:
    """A `SymbolSource` of what another stream says, written to one stream."""

    def __init__(self, source: DecodedSymbols, decoder: NeuralDecoder, to: SymbolWriter) -> None:
        self._source = source
        self._tables = decoder.tables
        self._to = to

    def side(self, scales: IntArray) -> IntArray:
        return self._copy(self._source.side(scales), scales)

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        return self._copy(self._source.coefficients(part, means, scales), scales)

    def _copy(self, symbols: IntArray, scales: IntArray) -> IntArray:
        coded = np.flatnonzero(scales)
        self._to.write_static(self._tables, scales.ravel()[coded], symbols.ravel()[coded])
        return symbols


def in_one_stream(image: nc.CollageImage) -> nc.CollageImage:
    """The same symbols without a table of segments; of pictures without links."""
    parts, decoder, writer = Parts.of(image), decoder_for(image), SymbolWriter()
    for number in range(len(parts.segments[0])):
        tile = grid_of(image).tiles[number % len(grid_of(image).tiles)]
        readers = [SymbolReader(of_group[number]) for of_group in parts.segments]
        source = Copied(DecodedSymbols(readers, decoder.tables), decoder, writer)
        decoder.model.entropy.run(source, image.quality, tile.rows, tile.columns)
    return nc.CollageImage(image.header, bytes([0]) + writer.finish())


def read_while(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The data of all streams that are read from now on, in no particular order."""
    read: list[bytes] = []

    def recorded(data: bytes) -> SymbolReader:
        read.append(data)
        return SymbolReader(data)

    monkeypatch.setattr(neural, "SymbolReader", recorded)
    return read
