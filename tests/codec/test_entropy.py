"""The range coder by itself; whole planes are in tests/fractal/test_syntax_and_statistics.py."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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


SIZES = (1, 2, 3, 256, 1000, 1 << 16, 1 << 23)
Numbers = list[tuple[int, int]]
"""Sizes of alphabets, and a symbol of each."""


def streams(max_size: int = 60) -> st.SearchStrategy[Numbers]:
    """Any symbols; mostly the first of their alphabet, which leave zeros at the end of a stream."""

    def numbers(size: int) -> st.SearchStrategy[tuple[int, int]]:
        any_of_them = st.integers(0, size - 1)
        return st.tuples(st.just(size), st.one_of(st.just(0), st.just(size - 1), any_of_them))

    return st.lists(st.sampled_from(SIZES).flatmap(numbers), max_size=max_size)


def written(numbers: Numbers) -> bytes:
    sizes, values = np.array(numbers, np.int64).reshape(-1, 2).T
    writer = SymbolWriter()
    writer.uniform(sizes, values)
    return writer.finish()


def read(data: bytes, numbers: Numbers) -> tuple[Numbers | None, bool]:
    """The symbols of a stream, None if it is refused; and whether its end is accepted."""
    sizes = [size for size, _ in numbers]
    reader = SymbolReader(data)
    try:
        found = reader.uniform(np.array(sizes, np.int64)).tolist()
    except CollageFormatError:
        return None, False
    try:
        reader.finish()
    except CollageFormatError as error:
        assert "too long" in str(error)  # noqa: PT017
        return list(zip(sizes, found, strict=True)), False
    return list(zip(sizes, found, strict=True)), True


def value(data: bytes) -> Fraction:
    """A stream as a number in [0, 1)."""
    words = np.frombuffer(data + bytes(-len(data) % 4), "<u4").tolist()
    return sum((Fraction(w, 1 << 32 * n) for n, w in enumerate(words, 1)), Fraction(0))


@given(streams())
def test_the_end_of_every_stream_is_accepted(numbers: Numbers) -> None:
    assert read(written(numbers), numbers) == (numbers, True)


@pytest.mark.parametrize("skew", [1, 4, 16])
def test_the_end_of_streams_with_adaptive_tables_is_accepted(
    skew: int, rng: np.random.Generator
) -> None:
    for count in [*range(200), 5000, 20_000]:
        symbols, contexts = rng.integers(0, 3 * skew, count) // skew, rng.integers(0, 2, count)
        symbols = np.minimum(symbols, rng.integers(0, 3))
        reader = reader_of(write(symbols, contexts))
        reader.symbols("a", contexts)
        reader.finish()


zeros_then_one = st.integers(0, 7).map(lambda n: bytes(n) + b"\1")


@given(streams(), st.one_of(zeros_then_one, st.binary(min_size=1, max_size=8)))
@example([], b"\1")
@example([(2, 0)], b"\1")
@example([(256, 0)] * 30, bytes(28) + b"\1")
@example([(1000, 999), *[(256, 0)] * 30], bytes(24) + b"\1")
def test_bytes_after_a_stream_are_refused_or_give_other_symbols(
    numbers: Numbers, extra: bytes
) -> None:
    found, accepted = read(written(numbers) + extra, numbers)
    assert not accepted or found != numbers


@given(streams(), st.integers(1, 12))
def test_a_truncated_stream_gives_other_symbols(numbers: Numbers, count: int) -> None:
    data = written(numbers)
    if data:
        assert read(data[:-count], numbers)[0] != numbers


@given(streams(), st.binary(max_size=12))
def test_an_accepted_stream_is_as_written_up_to_one_in_its_last_word(
    numbers: Numbers, data: bytes
) -> None:
    found, accepted = read(data, numbers)
    if found is None:
        return
    canonical = written(found)
    assert accepted or data != canonical
    if accepted and data != canonical:
        words = -(-max(len(data), len(canonical)) // 4)
        assert value(data) - value(canonical) == Fraction(1, 1 << 32 * words)
