"""The entropy decoding of the reference decoder: a range decoder, and numbers of its symbols."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.root import ROOT

Ints = npt.NDArray[np.int64]
PRIORS = ROOT / "src/neural_collage/fractal/priors.npz"


def varint(data: Iterator[int]) -> int:
    """A number in LEB128; raises ValueError if it breaks off or is longer than need be."""
    value = 0
    for place in range(9):
        byte = next(data, None)
        if byte is None or (place and not byte):
            break
        value += (byte & 127) << 7 * place
        if byte < 128:
            return value
    raise ValueError("the file is damaged: no number where one should be")


def categorical(counts: npt.NDArray[Any]) -> Ints:
    """Where the shares of symbols start, given the counts (..., n) of each; in single precision."""
    n = counts.shape[-1]
    sums = counts.astype(np.float32).cumsum(-1)
    factor = np.float32((1 << 24) - n) / sums[..., -1:]
    before = np.concatenate([np.zeros_like(factor), sums[..., :-1]], -1)
    return (before * factor).astype(np.int64) + np.arange(n)


class SymbolDecoder:
    """Reads the symbols of a stream one after the other; `kind` chooses the set of tables."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self.words = np.frombuffer(stream + bytes(-len(stream) % 4), "<u4").tolist()
        self.taken = 0
        self.offset = self.word() << 32 | self.word()
        self.range = (1 << 64) - 1
        self.kind = "luma"
        with np.load(PRIORS) as file:
            self.counts = {name: counts.astype(np.int64) for name, counts in file.items()}

    def word(self) -> int:
        """The next word of the stream, 0 after its last one."""
        self.taken += 1
        return int(self.words[self.taken - 1]) if self.taken <= len(self.words) else 0

    def finish(self) -> None:
        """Raise ValueError if the stream does not end where its symbols do."""
        lax = len(self.words) > 1 and self.words[-1] != 1
        if (
            self.taken <= len(self.words)
            or self.stream.endswith(b"\0")
            or self.offset >= 1 << (33 if lax else 32)
        ):
            raise ValueError("the stream is damaged: bytes behind its end")

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
            self.offset = self.offset << 32 | self.word()
        return symbol

    def uniform(self, size: int) -> int:
        """One of so many equally likely symbols."""
        if size < 1:
            raise ValueError("the stream is damaged: a choice among nothing")
        share = (1 << 24) // size
        return self.symbol(range(0, size * share, share)) if size > 1 else 0

    def bit(self, ones: int) -> int:
        """A bit that is a one with this probability, in units of 2^-16."""
        return self.symbol(categorical(np.array([(1 << 16) - ones, ones])).tolist())

    def adaptive(self, table: str, contexts: Ints) -> Ints:
        """Symbols of an adaptive table, in runs between which it is updated."""
        counts = self.counts[f"{self.kind}/{table}"]
        found, length = list[int](), 128
        while len(found) < len(contexts):
            run = contexts[len(found) : len(found) + length]
            symbols = [self.symbol(row) for row in categorical(counts[run]).tolist()]
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
