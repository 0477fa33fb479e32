from dataclasses import fields

import numpy as np
import pytest

from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.errors import CollageFormatError
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.contexts import TABLES
from neural_collage.fractal.geometry import IntArray
from neural_collage.fractal.statistics import (
    INCREMENT,
    KINDS,
    Counter,
    chunks,
    flat_counts,
    prior_counts,
    update,
)
from neural_collage.fractal.symbols import SymbolCoder
from neural_collage.fractal.syntax import code_plane
from tests.fractal.codes import RECIPES, CodeRecipe

by_size = pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.height}x{r.width}")


class CheckedCoder:
    """Wraps a coder, checks all symbols and contexts, and records the calls."""

    def __init__(self, inner: SymbolCoder) -> None:
        self.inner = inner
        self.calls: list[tuple[str, tuple[int, ...]]] = []

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray:
        rows, alphabet = TABLES[table]
        assert ((contexts >= 0) & (contexts < rows)).all()
        if values is not None:
            assert ((values >= 0) & (values < alphabet)).all()
        result = self.inner.symbols(table, contexts, values)
        assert result.shape == contexts.shape
        self.calls.append((table, tuple(contexts)))
        return result

    def uniform(self, sizes: IntArray, values: IntArray | None) -> IntArray:
        assert ((sizes >= 1) & (sizes <= 1 << 23)).all()
        if values is not None:
            assert ((values >= 0) & (values < sizes)).all()
        self.calls.append(("uniform", tuple(sizes)))
        return self.inner.uniform(sizes, values)


def write(code: PlaneCode) -> tuple[bytes, CheckedCoder]:
    writer = SymbolWriter()
    writer.counts = prior_counts("luma")
    checked = CheckedCoder(writer)
    code_plane(checked, code.geometry, code.contrasts.shape[1], code)
    return writer.finish(), checked


def reader_of(data: bytes) -> SymbolReader:
    reader = SymbolReader(data)
    reader.counts = prior_counts("luma")
    return reader


def assert_equal(a: PlaneCode, b: PlaneCode) -> None:
    for field in fields(PlaneCode):
        first, second = getattr(a, field.name), getattr(b, field.name)
        if field.name == "geometry":
            assert first == second
        elif isinstance(first, tuple):
            assert len(first) == len(second)
            for x, y in zip(first, second, strict=True):
                np.testing.assert_array_equal(x, y)
        else:
            np.testing.assert_array_equal(first, second)


@by_size
def test_a_written_plane_is_read_with_the_same_calls(
    recipe: CodeRecipe, rng: np.random.Generator
) -> None:
    code = recipe.make(rng)
    data, written = write(code)
    read = CheckedCoder(reader_of(data))
    assert_equal(code_plane(read, code.geometry, recipe.domains_per_range, None), code)
    assert read.calls == written.calls


def test_many_random_planes_round_trip_in_one_stream(rng: np.random.Generator) -> None:
    codes = [
        CodeRecipe(
            height=int(rng.integers(1, 140)),
            width=int(rng.integers(1, 140)),
            lattice=int(rng.choice([4, 8, 16])),
            domains_per_range=int(rng.integers(1, 4)),
            split=float(rng.random()),
            matched=float(rng.random()),
            spread=float(rng.exponential(2)),
        ).make(rng)
        for _ in range(12)
    ]
    writer = SymbolWriter()
    writer.counts = prior_counts("chroma")
    for code in codes:
        code_plane(writer, code.geometry, code.contrasts.shape[1], code)
    reader = SymbolReader(writer.finish())
    reader.counts = prior_counts("chroma")
    for code in codes:
        assert_equal(code_plane(reader, code.geometry, code.contrasts.shape[1], None), code)
    for table in TABLES:
        np.testing.assert_array_equal(writer.counts[table], reader.counts[table])


@by_size
def test_the_counter_gives_the_size_of_the_stream(
    recipe: CodeRecipe, rng: np.random.Generator
) -> None:
    code = recipe.make(rng)
    data, _ = write(code)
    counter = Counter(prior_counts("luma"))
    assert_equal(code_plane(counter, code.geometry, recipe.domains_per_range, code), code)
    assert 8 * len(data) == pytest.approx(sum(counter.bits.values()), rel=0.01, abs=48)


@by_size
def test_random_bytes_decode_to_valid_symbols_or_are_refused(
    recipe: CodeRecipe, rng: np.random.Generator
) -> None:
    geometry = recipe.make(rng).geometry
    finished = 0
    for length in (0, 3, 40, 1000):
        try:
            code = code_plane(CheckedCoder(reader_of(rng.bytes(length))), geometry, 3, None)
        except CollageFormatError:
            continue
        finished += 1
        assert len(code.last) == len(code.partition())
        assert not code.coefficients[:, 0, 0].any()
    assert finished > 0


@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 5000, 123_456])
def test_chunks_cover_the_run_once_and_grow(count: int) -> None:
    pieces = list(chunks(count))
    covered = np.concatenate([np.arange(count)[piece] for piece in pieces] or [np.arange(0)])
    np.testing.assert_array_equal(covered, np.arange(count))
    lengths = [piece.stop - piece.start for piece in pieces[:-1]]
    assert lengths == sorted(lengths)
    assert max(lengths, default=0) <= 4096


def test_an_update_counts_every_symbol_once() -> None:
    counts = np.ones((2, 3), np.int64)
    update(counts, np.array([0, 1, 1, 1]), np.array([2, 0, 0, 1]))
    assert (counts - 1).tolist() == [[0, 0, INCREMENT], [2 * INCREMENT, INCREMENT, 0]]


@pytest.mark.parametrize("kind", KINDS)
def test_priors_have_the_shape_of_the_tables_and_positive_counts(kind: str) -> None:
    for counts in (prior_counts(kind), flat_counts()):
        assert set(counts) == set(TABLES)
        for table, shape in TABLES.items():
            assert counts[table].shape == shape
            assert counts[table].min() >= 1


def test_prior_counts_are_a_copy() -> None:
    counts = prior_counts("luma")
    before = counts["root"].copy()
    counts["root"] += 5
    np.testing.assert_array_equal(prior_counts("luma")["root"], before)


def test_a_counter_adapts_to_repeated_symbols() -> None:
    counter = Counter(flat_counts())
    zeros = np.zeros(4000, np.int64)
    repeated = np.full(4000, 7)
    counter.symbols("isometry", zeros, repeated)
    assert counter.bits["isometry"] < 4000 * 0.5
    counter.uniform(np.full(10, 8), np.zeros(10, np.int64))
    assert counter.bits["uniform"] == pytest.approx(30)
