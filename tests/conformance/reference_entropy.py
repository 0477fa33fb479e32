"""The entropy decoding of the reference decoder: a range decoder, and numbers of its symbols."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tests.root import ROOT

Ints = npt.NDArray[np.int64]
PRIORS = ROOT / "src/neural_collage/fractal/priors.npz"


class SymbolDecoder:
    """Reads the symbols of a stream one after the other; `kind` chooses the set of tables."""

    def __init__(self, stream: bytes) -> None:
        self.words = iter(np.frombuffer(stream + bytes(-len(stream) % 4), "<u4").tolist())
        self.offset = next(self.words, 0) << 32 | next(self.words, 0)
        self.range = (1 << 64) - 1
        self.kind = "luma"
        with np.load(PRIORS) as file:
            self.counts = {name: counts.astype(np.int64) for name, counts in file.items()}

    def symbol(self, starts: Sequence[int]) -> int:
        """A symbol of a table whose shares of 2^24 start there."""
        unit = self.range >> 24
        position = self.offset // unit
        if position >= 1 << 24:
            raise ValueError("the stream is damaged")
        symbol = bisect_right(starts, position) - 1
        end = starts[symbol + 1] if symbol + 1 < len(starts) else 1 << 24
        self.offset -= unit * starts[symbol]
        self.range = unit * (end - starts[symbol])
        if self.range < 1 << 32:
            self.range <<= 32
            self.offset = self.offset << 32 | next(self.words, 0)
        return symbol

    def uniform(self, size: int) -> int:
        """One of so many equally likely symbols."""
        share = (1 << 24) // size
        return self.symbol(range(0, size * share, share)) if size > 1 else 0

    def bit(self, ones: int) -> int:
        """A bit that is a one with this probability, in units of 2^-16."""
        factor = np.float32((1 << 24) - 2) / np.float32(1 << 16)
        return self.symbol([0, 1 + int(np.float32((1 << 16) - ones) * factor)])

    def adaptive(self, table: str, contexts: Ints) -> Ints:
        """Symbols of an adaptive table, in runs between which it is updated."""
        counts = self.counts[f"{self.kind}/{table}"]
        n, found, length = counts.shape[1], list[int](), 128
        while len(found) < len(contexts):
            run = contexts[len(found) : len(found) + length]
            sums = np.pad(counts[run].astype(np.float32).cumsum(1), ((0, 0), (1, 0)))
            factor = np.float32((1 << 24) - n) / sums[:, n:]  # all of it in single precision
            starts = (sums[:, :n] * factor).astype(np.int64) + np.arange(n)
            symbols = [self.symbol(row) for row in starts.tolist()]
            np.add.at(counts, (run, np.array(symbols)), 32)
            found, length = found + symbols, min(2 * length, 4096)
        return np.array(found, np.int64)

    def unbounded(self, table: str, count: int) -> Ints:
        """Exp-Golomb numbers."""
        lengths = self.adaptive(table, np.zeros(count, np.int64)).tolist()
        return np.array([(1 << n) - 1 + self.uniform(1 << n) for n in lengths], np.int64)

    def signs(self, magnitudes: Ints) -> Ints:
        """The magnitudes with their signs."""
        return np.array([-m if m and self.uniform(2) else m for m in magnitudes], np.int64)

    def signed(self, table: str, contexts: Ints) -> Ints:
        """Numbers of a table: magnitudes, escapes, signs."""
        magnitudes = self.adaptive(table, contexts)
        escaped = magnitudes == 15
        magnitudes[escaped] += self.unbounded("escape", int(escaped.sum()))
        return self.signs(magnitudes)
