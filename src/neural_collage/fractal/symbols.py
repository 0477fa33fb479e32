"""Integers as symbols: the interface of entropy coders, and codes of unbounded integers."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from neural_collage.fractal.geometry import IntArray

ESCAPE = 15  # symbol of all magnitudes >= 15, which are followed by an Exp-Golomb code


@runtime_checkable
class SymbolCoder(Protocol):
    """Writes, reads or counts symbols; `values` is None when reading."""

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray:
        """Code symbols 0..alphabet-1 of an adaptive table of `TABLES`, with one context each."""

    def uniform(self, sizes: IntArray, values: IntArray | None) -> IntArray:
        """Code equally likely symbols 0..size-1; each size in 1..2**23."""


@dataclass(frozen=True)
class IntegerCoder:
    """Codes integers of any size and sign by a `SymbolCoder`; `values` is None when reading."""

    coder: SymbolCoder

    def bits(self, lengths: IntArray, values: IntArray | None) -> IntArray:
        """Code integers below 2**length as plain bits."""
        return self.coder.uniform(1 << lengths, values)

    def unbounded(self, table: str, count: int, values: IntArray | None) -> IntArray:
        """Code integers n >= 0: bit length of n + 1 in a table, then its bits below the first."""
        length = None if values is None else np.frexp(values + 1)[1].astype(np.int64) - 1
        length = self.coder.symbols(table, np.zeros(count, np.int64), length)
        rest = None if values is None else values + 1 - (1 << length)
        return (1 << length) - 1 + self.bits(length, rest)

    def signs(self, magnitude: IntArray, values: IntArray | None) -> IntArray:
        """Code the signs of non-zero magnitudes; returns the signed integers."""
        nonzero = magnitude != 0
        negative = None if values is None else (values[nonzero] < 0).astype(np.int64)
        signed = magnitude.copy()
        signed[nonzero] *= 1 - 2 * self.bits(np.ones(int(nonzero.sum()), np.int64), negative)
        return signed

    def signed(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray:
        """Code signed integers: magnitude in a table, escape for large ones, then the sign."""
        magnitude = None if values is None else np.abs(values)
        clipped = None if magnitude is None else np.minimum(magnitude, ESCAPE)
        coded = self.coder.symbols(table, contexts, clipped)
        large = coded == ESCAPE
        excess = None if magnitude is None else magnitude[large] - ESCAPE
        coded[large] += self.unbounded("escape", int(large.sum()), excess)
        return self.signs(coded, values)
