"""The range coder by itself; whole planes are in tests/fractal/test_syntax_and_statistics.py."""

import numpy as np
import pytest

from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.errors import CollageFormatError
from neural_collage.fractal.geometry import IntArray
from neural_collage.fractal.statistics import Counts


def tables() -> Counts:
    return {"a": np.array([[5, 1, 90], [40, 40, 1]]), "b": np.ones((1, 2), np.int64)}


def write(symbols: IntArray, contexts: IntArray) -> bytes:
    writer = SymbolWriter()
    writer.counts = tables()
    writer.symbols("a", contexts, symbols)
    return writer.finish()


def reader_of(data: bytes) -> SymbolReader:
    reader = SymbolReader(data)
    reader.counts = tables()
    return reader


@pytest.mark.parametrize("count", [0, 1, 127, 129, 20_000])
def test_symbols_come_back(count: int, rng: np.random.Generator) -> None:
    symbols, contexts = rng.integers(0, 3, count), rng.integers(0, 2, count)
    data = write(symbols, contexts)
    np.testing.assert_array_equal(reader_of(data).symbols("a", contexts), symbols)


def test_tables_and_plain_numbers_share_a_stream(rng: np.random.Generator) -> None:
    sizes = np.concatenate([rng.integers(1, 1 << 23, 500), [1, 1, 2, 1 << 23]])
    numbers = rng.integers(0, sizes)
    numbers[-1] = (1 << 23) - 1
    flags, zeros = rng.integers(0, 2, 300), np.zeros(300, np.int64)
    writer = SymbolWriter()
    writer.counts = tables()
    assert writer.symbols("b", zeros, flags).tolist() == flags.tolist()
    assert writer.uniform(sizes, numbers).tolist() == numbers.tolist()
    writer.symbols("b", zeros, flags)
    reader = reader_of(writer.finish())
    assert reader.symbols("b", zeros).tolist() == flags.tolist()
    assert reader.uniform(sizes).tolist() == numbers.tolist()
    assert reader.symbols("b", zeros).tolist() == flags.tolist()
    np.testing.assert_array_equal(reader.counts["b"], writer.counts["b"])


def test_skewed_symbols_cost_almost_no_bits() -> None:
    zeros = np.zeros(20_000, np.int64)
    assert len(write(zeros + 2, zeros)) < 60


def test_counts_far_beyond_a_floats_precision_still_round_trip(rng: np.random.Generator) -> None:
    symbols, contexts = rng.integers(0, 3, 9000), rng.integers(0, 2, 9000)
    huge = np.array([[1, 1, 1 << 40], [(1 << 25) + 1, 1 << 33, 3]])
    writer = SymbolWriter()
    writer.counts = {"a": huge.copy()}
    writer.symbols("a", contexts, symbols)
    reader = SymbolReader(writer.finish())
    reader.counts = {"a": huge.copy()}
    np.testing.assert_array_equal(reader.symbols("a", contexts), symbols)


def test_trailing_zero_bytes_are_not_stored(rng: np.random.Generator) -> None:
    for count in range(40):
        symbols, contexts = rng.integers(0, 3, count), np.zeros(count, np.int64)
        data = write(symbols, contexts)
        assert not data.endswith(b"\0")
        for padding in (b"", b"\0", b"\0" * 9):
            read = reader_of(data + padding).symbols("a", contexts)
            np.testing.assert_array_equal(read, symbols)


def test_noise_gives_symbols_of_the_alphabet_or_a_format_error(rng: np.random.Generator) -> None:
    contexts, sizes = rng.integers(0, 2, 500), np.full(50, 1000)
    outcomes = set()
    for length in [0, 1, 5, *[400] * 40]:
        reader = reader_of(rng.bytes(length))
        try:
            symbols, numbers = reader.symbols("a", contexts), reader.uniform(sizes)
        except CollageFormatError as error:
            outcomes.add("refused")
            assert "damaged" in str(error)  # noqa: PT017
        else:
            outcomes.add("read")
            assert ((symbols >= 0) & (symbols < 3)).all()
            assert ((numbers >= 0) & (numbers < 1000)).all()
    assert "read" in outcomes
