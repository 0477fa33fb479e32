"""The numbers of a precision layer: read from a stream, or chosen by RDOQ for a residual."""

import numpy as np

from neural_collage.codec.entropy import FixedTables, SymbolReader, SymbolWriter
from neural_collage.codec.precision.patches import LARGEST_NUMBER, Numbers
from neural_collage.codec.precision.syntax import code_numbers
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.fractal.geometry import IntArray


class DecodedNumbers:
    """A `syntax.Source`: the numbers of a stream."""

    def __init__(self, reader: SymbolReader, tables: FixedTables) -> None:
        self._reader = reader
        self._tables = tables

    def numbers(
        self, colour: int, patches: IntArray, sites: IntArray, scales: IntArray
    ) -> IntArray:
        which = scales.ravel()
        coded = np.flatnonzero(which)
        numbers = np.zeros(len(which), np.int64)
        numbers[coded] = self._reader.read_static(self._tables, which[coded])
        return numbers.reshape(scales.shape)


class ChosenNumbers:
    """A `syntax.Source`: rounds coefficients to numbers, and keeps these for `write_to`.

    values: (colours, 64, rows, columns) in steps. weight: bits that a squared error of one step is
        worth.
    """

    def __init__(self, values: PixelArray, weight: float, tables: FixedTables) -> None:
        self._weight = np.float32(weight)
        self._values = values.reshape(*values.shape[:2], -1)
        self._tables = tables
        self._runs: list[tuple[IntArray, IntArray]] = []

    def numbers(
        self, colour: int, patches: IntArray, sites: IntArray, scales: IntArray
    ) -> IntArray:
        exact = self._values[colour, patches[:, None], sites]
        nearest = np.rint(exact)
        smaller = nearest - np.sign(nearest)
        costs = [
            np.square(exact - choice) * self._weight
            + self._tables.bits(scales, choice.astype(np.int64))
            for choice in (nearest, smaller)
        ]
        chosen = np.where(costs[1] < costs[0], smaller, nearest)
        limited = np.clip(chosen, -LARGEST_NUMBER, LARGEST_NUMBER).astype(np.int64)
        numbers = np.where(scales > 0, limited, 0)
        coded = np.flatnonzero(scales)
        self._runs.append((scales.ravel()[coded], numbers.ravel()[coded]))
        return numbers

    def write_to(self, writer: SymbolWriter) -> None:
        """Write the numbers as `DecodedNumbers` reads them."""
        for scales, numbers in self._runs:
            writer.write_static(self._tables, scales, numbers)

    def written(self) -> bytes:
        """The numbers as a stream of their own."""
        writer = SymbolWriter()
        self.write_to(writer)
        return writer.finish()


def read_numbers(reader: SymbolReader, tables: FixedTables, base: PixelArray) -> Numbers:
    """The numbers of the blocks of a tile, see `syntax.code_numbers`."""
    return code_numbers(DecodedNumbers(reader, tables), base)
