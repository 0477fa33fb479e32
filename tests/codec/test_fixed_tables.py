"""Whole numbers with tables that do not adapt, alone and beside other symbols."""

import hashlib

import numpy as np
import pytest

from neural_collage.codec.entropy import FixedTables, SymbolReader, SymbolWriter, by_table
from neural_collage.errors import CollageFormatError
from neural_collage.fractal.geometry import IntArray

LIMIT = 9
LARGEST = (1 << 23) - 1
"""In magnitude, of a number that can be escaped."""


def counts_of(rng: np.random.Generator, tables: int = 12) -> IntArray:
    """Bell-shaped, from narrow to wide, with zeros at the ends; the last of escapes alone."""
    numbers = np.arange(-LIMIT, LIMIT + 1)
    widths = np.geomspace(0.3, 6, tables)[:, None]
    bells = np.rint(5000 * np.exp(-np.abs(numbers + rng.normal(0, 1, (tables, 1))) / widths))
    bells[-1] = 0
    escapes = rng.integers(1, 50, (tables, 1))
    return np.concatenate([bells.astype(np.int64), escapes], 1)


def drawn(rng: np.random.Generator, counts: IntArray, which: IntArray) -> IntArray:
    """Numbers that occur as often as the tables say; a few large ones for escapes."""
    edges = (counts / counts.sum(1, keepdims=True)).cumsum(1)[which]
    numbers = (edges < rng.random((len(which), 1))).sum(1) - LIMIT
    large = rng.integers(-LARGEST, LARGEST + 1, len(which)) >> rng.integers(0, 23, len(which))
    return np.where(numbers > LIMIT, large, numbers)


def written(tables: FixedTables, which: IntArray, values: IntArray) -> bytes:
    writer = SymbolWriter()
    writer.write_static(tables, which, values)
    return writer.finish()


@pytest.mark.parametrize("count", [0, 1, 2, 300, 20_000])
def test_numbers_come_back(count: int, rng: np.random.Generator) -> None:
    counts = counts_of(rng)
    tables, which = FixedTables(counts), rng.integers(0, len(counts), count)
    assert len(tables) == len(counts)
    values = drawn(rng, counts, which)
    reader = SymbolReader(written(tables, which, values))
    np.testing.assert_array_equal(reader.read_static(tables, which), values)
    reader.finish()


@pytest.mark.parametrize("table", [0, 5, 11])
def test_every_number_has_a_code_in_every_table(table: int, rng: np.random.Generator) -> None:
    tables = FixedTables(counts_of(rng))
    edges = np.array([1 << n for n in range(23)])
    near = np.concatenate([edges - 1, edges, edges + 1, np.arange(2 * LIMIT), [LARGEST]])
    values = np.concatenate([near, -near])
    which = np.full(len(values), table)
    read = SymbolReader(written(tables, which, values)).read_static(tables, which)
    np.testing.assert_array_equal(read, values)


def test_numbers_share_a_stream_with_other_symbols(rng: np.random.Generator) -> None:
    counts = counts_of(rng)
    tables = FixedTables(counts)
    which = rng.integers(0, len(counts), 200)
    values = drawn(rng, counts, which)
    flags, zeros = rng.integers(0, 2, 100), np.zeros(100, np.int64)
    writer = SymbolWriter()
    writer.counts = {"a": np.ones((1, 2), np.int64)}
    writer.write_static(tables, which, values)
    writer.symbols("a", zeros, flags)
    writer.write_static(tables, which[::-1], values[::-1])
    writer.uniform(zeros + 2, flags)
    reader = SymbolReader(writer.finish())
    reader.counts = {"a": np.ones((1, 2), np.int64)}
    assert reader.read_static(tables, which).tolist() == values.tolist()
    assert reader.symbols("a", zeros).tolist() == flags.tolist()
    assert reader.read_static(tables, which[::-1]).tolist() == values[::-1].tolist()
    assert reader.uniform(zeros + 2).tolist() == flags.tolist()


def test_bits_and_bytes_match_the_information_content(rng: np.random.Generator) -> None:
    counts = counts_of(rng)
    which = rng.integers(0, len(counts) - 1, 30_000)
    values = drawn(rng, counts, which)
    column = np.where(np.abs(values) > LIMIT, -1, values + LIMIT)
    share = counts[which, column] / counts[which].sum(1)
    escaped = counts[which, column] == 0  # or beyond the limit
    share[escaped] = (counts[:, -1] / counts.sum(1))[which[escaped]]
    tables = FixedTables(counts)
    within = np.abs(values) <= LIMIT
    stated = tables.bits(which[within], values[within])
    np.testing.assert_allclose(stated, -np.log2(share[within]), rtol=1e-5)
    size = 8 * len(written(tables, which[within], values[within]))
    assert size == pytest.approx(-np.log2(share[within]).sum(), rel=2e-3, abs=64)


def test_all_escapes_have_the_same_rate() -> None:
    tables = FixedTables(np.array([[0, 4, 7, 4, 0, 1], [0, 0, 0, 0, 0, 1]]))
    bits = tables.bits(np.zeros(9, np.int64), np.arange(-4, 5))
    expected = [4, 4, 4, 2, 4 - np.log2(7), 2, 4, 4, 4]
    assert bits.dtype == np.float32
    np.testing.assert_allclose(bits, expected, rtol=1e-6)
    assert np.isfinite(tables.bits(np.array([1]), np.array([0]))).all()


def test_probable_integers_cost_almost_no_bits() -> None:
    tables = FixedTables(np.array([[0, 1 << 20, 0, 1]]))
    zeros = np.zeros(20_000, np.int64)
    assert len(written(tables, zeros, zeros)) < 12


@pytest.mark.parametrize("number", [LARGEST + 1, -LARGEST - 1, 1 << 40])
def test_numbers_too_large_to_be_escaped_are_refused(number: int) -> None:
    tables = FixedTables(np.array([[1, 5, 1, 1]]))
    with pytest.raises(ValueError, match=f"a symbol of {number} is too large"):
        written(tables, np.zeros(3, np.int64), np.array([0, number, 1]))


@pytest.mark.parametrize(
    "counts",
    [
        np.ones(4, np.int64),
        np.ones((2, 5), np.int64),
        np.array([[1, 2, 1, 0]]),
        np.array([[1, -2, 1, 1]]),
    ],
    ids=["no rows", "no escapes", "impossible escapes", "negative"],
)
def test_malformed_counts_are_refused(counts: IntArray) -> None:
    with pytest.raises(ValueError, match="a row of numbers and a count of escapes each"):
        FixedTables(counts)


def test_numbers_of_a_table_are_taken_together(rng: np.random.Generator) -> None:
    which = rng.integers(0, 20, 100)
    which[which == 7] = 8
    order, parts = by_table(which)
    assert [table for table, _ in parts] == sorted(set(which.tolist()))
    assert sorted(order.tolist()) == list(range(100))
    assert [n for _, part in parts for n in range(part.start, part.stop)] == list(range(100))
    for table, part in parts:
        assert (which[order[part]] == table).all()
        assert (np.diff(order[part]) > 0).all()


def test_noise_gives_numbers_or_a_format_error(rng: np.random.Generator) -> None:
    tables, which = FixedTables(counts_of(rng)), rng.integers(0, 12, 200)
    outcomes = set()
    for length in [0, 1, 5, *[300] * 60]:
        try:
            read = SymbolReader(rng.bytes(length)).read_static(tables, which)
        except CollageFormatError as error:
            outcomes.add("refused")
            assert "damaged" in str(error)  # noqa: PT017
        else:
            outcomes.add("read")
            assert (np.abs(read) <= LARGEST).all()
    assert "read" in outcomes


def test_bytes_after_the_last_symbol_are_refused(rng: np.random.Generator) -> None:
    tables, which = FixedTables(counts_of(rng)), np.zeros(10, np.int64)
    reader = SymbolReader(written(tables, which, which) + bytes(range(1, 17)))
    reader.read_static(tables, which)
    with pytest.raises(CollageFormatError, match="too long"):
        reader.finish()


def test_the_bytes_of_numbers_never_change() -> None:
    """From whole numbers alone, the same on every machine."""
    row, column = np.mgrid[:4, : 2 * LIMIT + 2]
    counts = (row + 1) * (7 + (column * column * 31 + row) % 400) * (column % (row + 3) > 0)
    counts[:, -1] = 3
    n = np.arange(500)
    values = np.where(n % 50 == 0, n * n * 17 - 9 * n, (n * n * 31 + 7 * n) % 19 - 9)
    data = written(FixedTables(counts), n * n % 4, values)
    assert (len(data), hashlib.sha256(data).hexdigest()[:16]) == (524, "9971bb964c4602e0")
