"""The symbols of a neural stream: read from it, or chosen by RDOQ for a picture."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neural_collage.codec.entropy import FixedTables, SymbolReader, SymbolWriter
from neural_collage.models.compression.integer_entropy import UNIT, Pass
from neural_collage.models.compression.integer_layers import IntArray

LARGEST = 1 << 20  # safety clamp of symbols; unreachable for real images
SingleArray = npt.NDArray[np.float32]


class DecodedSymbols:
    """A `SymbolSource` of `integer_entropy`: the symbols of a stream.

    readers: one for each channel group; the same one if all are in one stream. Side information
        is before the first group.
    """

    def __init__(self, readers: Sequence[SymbolReader], tables: FixedTables) -> None:
        self._readers = readers
        self._tables = tables

    def side(self, scales: IntArray) -> IntArray:
        return self._read(self._readers[0], scales)

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        return self._read(self._readers[part.group], scales)

    def _read(self, reader: SymbolReader, scales: IntArray) -> IntArray:
        which = scales.ravel()
        coded = np.flatnonzero(which)
        symbols = np.zeros(len(which), np.int64)
        symbols[coded] = reader.read_static(self._tables, which[coded])
        return symbols.reshape(scales.shape)


class Run(NamedTuple):
    """Symbols that are coded together.

    tables: (n,) the table of each. values: (n,).
    """

    tables: IntArray
    values: IntArray


class ChosenSymbols:
    """A `SymbolSource` of `integer_entropy`: rounds latents to symbols, and keeps these.

    values: (a, rows, columns) the latents, and side: (s, r, c) their side information, neither
    rounded. weights: (a, rows, columns) bits that a squared error of one step is worth.

    Attributes:
        runs: by channel group, in coding order; side information is before the first group.
    """

    def __init__(
        self,
        tables: FixedTables,
        groups: int,
        values: SingleArray,
        side: SingleArray,
        weights: SingleArray,
    ) -> None:
        self.runs: list[list[Run]] = [[] for _ in range(groups)]
        self._tables = tables
        self._values = values
        self._side = side
        self._weights = weights

    def side(self, scales: IntArray) -> IntArray:
        return self._keep(0, np.rint(self._side), scales)

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        exact_means = (means / UNIT).astype(np.float32)
        gains = part.gains.astype(np.float32)
        deviation = self._values[part.channels][:, part.sites] / gains - exact_means
        weights = self._weights[part.channels][:, part.sites] * np.square(gains)
        symbols = self._rdoq(deviation, weights, scales)
        return self._keep(part.group, symbols, scales)

    def _rdoq(self, deviation: SingleArray, weights: SingleArray, scales: IntArray) -> SingleArray:
        """See `quantisers.rdoq`."""
        nearest = np.rint(deviation)
        smaller = nearest - np.sign(nearest)
        costs = [
            np.square(deviation - choice) * weights
            + self._tables.bits(scales, choice.astype(np.int64))
            for choice in (nearest, smaller)
        ]
        return np.where(costs[1] < costs[0], smaller, nearest)

    def _keep(self, group: int, symbols: SingleArray, scales: IntArray) -> IntArray:
        limited = np.clip(symbols, -LARGEST, LARGEST).astype(np.int64)
        whole = np.where(scales > 0, limited, 0)
        coded = np.flatnonzero(scales)
        self.runs[group].append(Run(scales.ravel()[coded], whole.ravel()[coded]))
        return whole


def write_runs(writer: SymbolWriter, tables: FixedTables, runs: Iterable[Run]) -> None:
    """Write symbols as `DecodedSymbols` reads them."""
    for run in runs:
        writer.write_static(tables, *run)
