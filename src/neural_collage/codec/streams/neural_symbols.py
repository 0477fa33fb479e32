"""The symbols of a neural stream: read from it, or chosen by RDOQ for a picture and written."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.codec.entropy import FixedTables, SymbolReader, SymbolWriter
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.integer_entropy import UNIT, Pass
from neural_collage.models.compression.quantisers import distortion_multipliers, rdoq

LARGEST = 1 << 20  # safety clamp of symbols; unreachable for real images
Integers = Int64[Tensor, "*n"]


class DecodedSymbols:
    """A `SymbolSource` of `integer_entropy`: the symbols of a stream."""

    def __init__(self, reader: SymbolReader, tables: FixedTables) -> None:
        self._reader = reader
        self._tables = tables

    def side(self, scales: Integers) -> Integers:
        return self._read(scales)

    def coefficients(self, part: Pass, means: Integers, scales: Integers) -> Integers:
        return self._read(scales)

    def _read(self, scales: Tensor) -> Tensor:
        which = scales.reshape(-1).numpy()
        coded = which > 0
        symbols = np.zeros(len(which), np.int64)
        symbols[coded] = self._reader.read_static(self._tables, which[coded])
        return torch.from_numpy(symbols).view(scales.shape)


class EncodedSymbols:
    """A `SymbolSource` of `integer_entropy`: rounds latents to symbols, and writes these.

    values: the latents, not rounded.
    """

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
        self._values = values
        weights = network.bits_per_squared_step(quality)
        self._weights = weights * distortion_multipliers(network.config.groups)
        with torch.inference_mode():
            self._side = network.side_latents(values[None])[0]

    def side(self, scales: Integers) -> Integers:
        return self._write(self._side.round().long(), scales)

    def coefficients(self, part: Pass, means: Integers, scales: Integers) -> Integers:
        deviation = self._values[part.channels, part.sites] - means / UNIT
        weights = self._weights[part.channels, None]
        symbols = rdoq(deviation, weights, lambda choice: self._tables.bits(scales, choice))
        return self._write(symbols.long(), scales)

    def _write(self, symbols: Tensor, scales: Tensor) -> Tensor:
        symbols = torch.where(scales > 0, symbols, 0).clamp(-LARGEST, LARGEST)
        flat, which = symbols.reshape(-1).numpy(), scales.reshape(-1).numpy()
        coded = which > 0
        self._writer.write_static(self._tables, which[coded], flat[coded])
        return symbols
