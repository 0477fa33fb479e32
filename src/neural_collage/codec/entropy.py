"""Entropy coding: symbols with adaptive or fixed tables over constriction's range coder.

Probabilities are integer counts, passed as integers in float32; constriction converts them to
fixed-point tables by basic arithmetic alone (`perfect=False`), the same on all machines.
Range coding: Martin 1979.
"""

from itertools import pairwise

import constriction
import numpy as np
import numpy.typing as npt

from neural_collage.errors import CollageFormatError
from neural_collage.fractal.geometry import BoolArray, IntArray
from neural_collage.fractal.statistics import Counts, chunks, update

_CATEGORICAL = constriction.stream.model.Categorical(perfect=False)
_UNIFORM = constriction.stream.model.Uniform()

BIT_UNIT = 1 << 16
"""The probability 1 of a bit."""


def _probabilities(counts: IntArray, contexts: IntArray) -> npt.NDArray[np.float32]:
    return counts.astype(np.float32)[contexts]


def _bit_rows(ones: IntArray) -> npt.NDArray[np.float32]:
    """The probabilities of zero and one."""
    rows = np.empty((len(ones), 2), np.float32)
    rows[:, 0], rows[:, 1] = BIT_UNIT - ones, ones
    return rows


class FixedTables:
    """Static tables of the integers from -limit to limit, and an escape for all others.

    counts: (tables, 2 limit + 2), of each integer and last of escapes, which must not be zero.
        Integers outside the first and the last with a count are escaped; zeros in between count
        as one.

    Raises ValueError for counts of another form.
    """

    def __init__(self, counts: IntArray) -> None:
        if (
            counts.ndim != 2
            or counts.shape[1] % 2
            or (counts < 0).any()
            or (counts[:, -1] < 1).any()
        ):
            raise ValueError("tables of counts have a row of numbers and a count of escapes each")
        self.limit = counts.shape[1] // 2 - 1
        starts, escapes = [], []
        self._models = []
        shares = []
        for row in counts:
            used = np.flatnonzero(row[:-1])
            low, high = (used[0], used[-1] + 1) if len(used) else (self.limit, self.limit)
            coded_counts = np.append(np.maximum(row[low:high], 1), row[-1]).astype(np.float32)
            share = np.full(len(row) - 1, coded_counts[-1] / coded_counts.sum())
            share[low:high] = coded_counts[:-1] / coded_counts.sum()
            shares.append(share)
            # a table of a single symbol cannot be coded
            coded_counts = coded_counts if len(coded_counts) > 1 else np.ones(2, np.float32)
            starts.append(int(low) - self.limit)
            escapes.append(len(coded_counts) - 1)
            self._models.append(constriction.stream.model.Categorical(coded_counts, perfect=False))
        self._starts = np.array(starts)  # the smallest number of each table
        self._escapes = np.array(escapes)  # the symbol that stands for all others
        self._bits = (-np.log2(np.stack(shares))).astype(np.float32)

    def __len__(self) -> int:
        return len(self._models)

    def bits(self, tables: IntArray, values: IntArray) -> npt.NDArray[np.float32]:
        """The rate of integers, each with its own table; that of escapes is underestimated."""
        column = np.clip(values, -self.limit, self.limit) + self.limit
        rates: npt.NDArray[np.float32] = self._bits[tables, column]
        return rates

    def model(self, table: int) -> object:
        """The model of a table for constriction's coders."""
        return self._models[table]

    def symbols(self, tables: IntArray, values: IntArray) -> tuple[IntArray, BoolArray]:
        """Integers as symbols, each of its own table, and which of them are escapes."""
        symbols, escapes = values - self._starts[tables], self._escapes[tables]
        escaped = (symbols < 0) | (symbols >= escapes)
        return np.where(escaped, escapes, symbols), escaped

    def values(self, tables: IntArray, symbols: IntArray) -> tuple[IntArray, BoolArray]:
        """Symbols, each of its own table, as integers, and which of them are escapes."""
        return symbols + self._starts[tables], symbols == self._escapes[tables]


def by_table(tables: IntArray) -> tuple[IntArray, list[tuple[int, slice]]]:
    """An order of positions by table, and which part of it each table has."""
    small = tables.astype(np.uint8) if tables.max(initial=0) < 256 else tables
    order = np.argsort(small, kind="stable")  # much faster for bytes
    counts = np.bincount(tables)
    used = np.flatnonzero(counts)
    ends = np.cumsum(counts[used]).tolist()
    starts = [0, *ends]
    parts = [slice(*ends) for ends in pairwise(starts)]
    return order, list(zip(used.tolist(), parts, strict=True))


_ESCAPE_LENGTHS = 24
"""Escaped integers n are coded as zigzag(n) + 1 of at most this many bits: |n| < 2^23."""


def _zigzag(values: IntArray) -> IntArray:
    return np.where(values < 0, -2 * values - 1, 2 * values)


class SymbolWriter:
    """Encodes symbols with adaptive tables; see `fractal.syntax.SymbolCoder`."""

    def __init__(self) -> None:
        self.counts: Counts = {}
        self._encoder = constriction.stream.queue.RangeEncoder()

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray:
        """Write symbols of a table."""
        assert values is not None
        counts = self.counts[table]
        for piece in chunks(len(values)):
            rows = _probabilities(counts, contexts[piece])
            self._encoder.encode(values[piece].astype(np.int32), _CATEGORICAL, rows)
            update(counts, contexts[piece], values[piece])
        return values.copy()

    def uniform(self, sizes: IntArray, values: IntArray | None) -> IntArray:
        """Write equiprobable symbols."""
        assert values is not None
        real = sizes > 1
        if real.any():
            self._encoder.encode(
                values[real].astype(np.int32), _UNIFORM, sizes[real].astype(np.int32)
            )
        return values.copy()

    def bits(self, ones: IntArray, values: IntArray | None) -> IntArray:
        """Write bits, given the probability of a one in units of 2^-16, 1 to 2^16 - 1."""
        assert values is not None
        self._encoder.encode(values.astype(np.int32), _CATEGORICAL, _bit_rows(ones))
        return values

    def write_static(self, tables: FixedTables, which: IntArray, values: IntArray) -> None:
        """Write integers, each with its own table; those of one table together.

        Raises ValueError for integers too large to be escaped.
        """
        order, parts = by_table(which)
        symbols, escaped = tables.symbols(which[order], values[order])
        coded = symbols.astype(np.int32)
        for table, part in parts:
            self._encoder.encode(coded[part], tables.model(table))
        if not len(outside := order[escaped]):
            return
        numbers = _zigzag(values[outside]) + 1
        lengths = np.frexp(numbers.astype(np.float64))[1].astype(np.int64) - 1
        if lengths.max() >= _ESCAPE_LENGTHS:
            raise ValueError(f"a symbol of {values[outside][lengths.argmax()]} is too large")
        self.uniform(np.full(len(lengths), _ESCAPE_LENGTHS), lengths)
        self.uniform(1 << lengths, numbers - (1 << lengths))

    def finish(self) -> bytes:
        """The bytes written so far, whole 32-bit words with trailing zero bytes dropped."""
        return _stored(self._encoder)


def _stored(encoder: constriction.stream.queue.RangeEncoder) -> bytes:
    words: npt.NDArray[np.uint32] = encoder.get_compressed()
    return words.astype("<u4").tobytes().rstrip(b"\0")


class SymbolReader:
    """Decodes what `SymbolWriter` wrote."""

    def __init__(self, data: bytes) -> None:
        self.counts: Counts = {}
        self._data = data
        # with the one zero word that the decoder reads after the last word of a complete stream
        words = np.frombuffer(data + bytes(-len(data) % 4 + 4), "<u4").astype(np.uint32)
        self._decoder = constriction.stream.queue.RangeDecoder(words)
        # Bytes after a stream that leave its symbols as they are pass the test of `finish` only as
        # a last word of 1 instead of 0, or if there are no symbols: then symbols are encoded again.
        is_ambiguous = len(words) == 2 or words[-2:].tolist() == [1, 0]
        self._encoder = constriction.stream.queue.RangeEncoder() if is_ambiguous else None

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None = None) -> IntArray:
        """Read symbols of a table."""
        counts = self.counts[table]
        result = np.empty(len(contexts), np.int64)
        for piece in chunks(len(contexts)):
            rows = _probabilities(counts, contexts[piece])
            result[piece] = self._decode(_CATEGORICAL, rows)
            update(counts, contexts[piece], result[piece])
        return result

    def uniform(self, sizes: IntArray, values: IntArray | None = None) -> IntArray:
        """Read equiprobable symbols."""
        result = np.zeros(len(sizes), np.int64)
        real = sizes > 1
        if real.any():
            result[real] = self._decode(_UNIFORM, sizes[real].astype(np.int32))
        return result

    def bits(self, ones: IntArray, values: IntArray | None = None) -> IntArray:
        """Read bits."""
        return self._decode(_CATEGORICAL, _bit_rows(ones))

    def read_static(self, tables: FixedTables, which: IntArray) -> IntArray:
        """Read integers, each with its own table."""
        result = np.empty(len(which), np.int64)
        order, parts = by_table(which)
        symbols = np.empty(len(which), np.int64)
        for table, part in parts:
            symbols[part] = self._decode(tables.model(table), part.stop - part.start)
        result[order], escaped = tables.values(which[order], symbols)
        if len(outside := order[escaped]):
            lengths = self.uniform(np.full(len(outside), _ESCAPE_LENGTHS))
            numbers = (1 << lengths) + self.uniform(1 << lengths) - 1
            result[outside] = np.where(numbers % 2, -(numbers + 1) // 2, numbers // 2)
        return result

    def finish(self) -> None:
        """Check that the data ends where `SymbolWriter` ends it.

        The encoder ends with the smallest last word that identifies the symbols; the decoder then
        has read one word more. A last word larger by one is accepted: constriction tests no finer
        bound and does not expose the decoder's state, so only encoding again would reveal it.

        Raises:
            CollageFormatError: it does not.
        """
        ends = self._decoder.maybe_exhausted() and not self._data.endswith(b"\0")
        if not ends or (self._encoder is not None and _stored(self._encoder) != self._data):
            raise CollageFormatError("the entropy-coded data is damaged: it is too long")

    def _decode(self, model: object, parameters: object) -> IntArray:
        try:
            symbols: IntArray = self._decoder.decode(model, parameters).astype(np.int64)
        except (AssertionError, ValueError, RuntimeError) as error:
            raise CollageFormatError(f"the entropy-coded data is damaged: {error}") from error
        if self._encoder is not None:
            rows = () if isinstance(parameters, int) else (parameters,)
            self._encoder.encode(symbols.astype(np.int32), model, *rows)
        return symbols
