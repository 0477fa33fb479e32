import numpy as np
import pytest

from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.codec.graphics.index_map import UNKNOWN, code_index_map, waves
from neural_collage.core.copies import BoolArray, IntArray
from neural_collage.errors import CollageFormatError
from tests.codec.graphics.layers import own, random_map, read_map, write_map

SQUARES = (64, 128, 256, 512)
SHAPES = [(1, 1), (1, 2), (1, 90), (90, 1), (2, 2), (3, 70), (40, 33), (70, 80)]


def everywhere(shape: tuple[int, int]) -> BoolArray:
    return np.ones(shape, bool)


@pytest.mark.parametrize("n_symbols", [2, 3, 17, 5000])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_map_comes_back(shape: tuple[int, int], n_symbols: int, rng: np.random.Generator) -> None:
    sources, is_coded, indices = random_map(shape, n_symbols, rng)
    data = write_map(sources, is_coded, n_symbols, 64, indices)
    read = read_map(data, sources, is_coded, n_symbols, 64)
    np.testing.assert_array_equal(read, indices)
    assert (read[~is_coded] == UNKNOWN).all()


@pytest.mark.parametrize("square", SQUARES)
def test_squares_of_all_sizes_come_back(square: int, rng: np.random.Generator) -> None:
    sources, is_coded, indices = random_map((70, 140), 5, rng)
    data = write_map(sources, is_coded, 5, square, indices)
    np.testing.assert_array_equal(read_map(data, sources, is_coded, 5, square), indices)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_and_everything_can_be_coded(share: float, rng: np.random.Generator) -> None:
    shape = (30, 20)
    is_coded = rng.random(shape) < share
    indices = np.where(is_coded, rng.integers(0, 7, shape), UNKNOWN)
    data = write_map(own(shape), is_coded, 7, 64, indices)
    assert bool(data) == bool(share)
    np.testing.assert_array_equal(read_map(data, own(shape), is_coded, 7, 64), indices)


def test_one_symbol_costs_next_to_nothing() -> None:
    shape = (200, 200)
    indices = np.zeros(shape, np.int64)
    data = write_map(own(shape), everywhere(shape), 1, 256, indices)
    assert len(data) <= 12
    np.testing.assert_array_equal(read_map(data, own(shape), everywhere(shape), 1, 256), indices)


def test_costs_are_the_bits_of_the_stream(rng: np.random.Generator) -> None:
    sources, is_coded, indices = random_map((80, 120), 9, rng)
    costs = np.zeros(is_coded.shape, np.float32)
    code_index_map(SymbolWriter(), sources, is_coded, 9, 64, indices, costs)
    assert (costs[~is_coded] == 0).all()
    assert (costs[is_coded] > 0).all()
    data = write_map(sources, is_coded, 9, 64, indices)
    assert costs.sum() == pytest.approx(8 * len(data), rel=0.01)


@pytest.mark.parametrize("square", SQUARES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (600, 1), (70, 90), (130, 520)], ids=str)
def test_waves_hold_each_coded_position_once(
    shape: tuple[int, int], square: int, rng: np.random.Generator
) -> None:
    is_coded = rng.random(shape) < 0.6
    found = list(waves(is_coded, square))
    assert all(len(wave) for wave in found)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([*found, np.empty(0, np.int64)])), np.flatnonzero(is_coded)
    )
    assert len(found) <= 3 * square - 2


@pytest.mark.parametrize("square", [64, 128])
def test_neighbours_in_a_square_are_of_lower_waves(square: int) -> None:
    shape = (150, 200)
    number = np.empty(shape, np.int64)
    for n, wave in enumerate(waves(everywhere(shape), square)):
        number.ravel()[wave] = n
    y, x = np.mgrid[: shape[0], : shape[1]]
    for dy, dx in ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 2)):
        inside = (y % square + dy >= 0) & (x % square + dx >= 0) & (x % square + dx < square)
        inside &= x + dx < shape[1]
        before = number[y[inside] + dy, x[inside] + dx]
        assert (before < number[inside]).all()


def test_squares_proceed_together() -> None:
    shape = (128, 256)
    first = next(waves(everywhere(shape), 64))
    assert len(first) == 8
    y, x = np.divmod(first, shape[1])
    assert not (y % 64).any()
    assert not (x % 64).any()


def test_a_glyph_costs_less_the_second_time(rng: np.random.Generator) -> None:
    glyphs = rng.integers(0, 2, (8, 10, 9))
    line = np.zeros((14, 8 * 11 + 2), np.int64)
    for n, glyph in enumerate(glyphs):
        line[2:12, 2 + 11 * n : 11 + 11 * n] = glyph

    def size(indices: IntArray) -> int:
        return len(write_map(own(indices.shape), everywhere(indices.shape), 2, 256, indices))

    once, twice = size(line), size(np.concatenate([line, line]))
    assert twice - once < 0.8 * once
    flipped = np.concatenate([line, line[:, ::-1]])
    assert twice < size(flipped)


def test_copies_are_context_for_what_is_coded_beside_them(rng: np.random.Generator) -> None:
    """Stripes, of which the upper right ones repeat the left ones: the lower right is known."""
    indices = np.tile(rng.integers(0, 6, 150), (20, 2))
    is_coded = everywhere((20, 300))
    is_coded[:10, 150:] = is_coded[10:, :150] = False
    sources = own((20, 300))
    sources[:10, 150:] -= 150
    coded = np.where(is_coded, indices, UNKNOWN)
    data = write_map(sources, is_coded, 6, 64, coded)
    np.testing.assert_array_equal(read_map(data, sources, is_coded, 6, 64), coded)
    unseen = write_map(own((20, 300)), is_coded, 6, 64, coded)
    assert len(data) < len(unseen) - 20


def test_the_size_is_near_the_entropy_of_noise(rng: np.random.Generator) -> None:
    indices = rng.integers(0, 8, (80, 80))
    bits = 8 * len(write_map(own((80, 80)), everywhere((80, 80)), 8, 256, indices))
    assert 3 * 6400 <= bits < 1.25 * 3 * 6400


def test_random_bytes_are_read_or_refused(rng: np.random.Generator) -> None:
    sources, is_coded, _ = random_map((30, 40), 100, rng)
    outcomes = set()
    for length in (0, 1, 4, 9, 100, 3000):
        reader = SymbolReader(rng.bytes(length))
        try:
            values = code_index_map(reader, sources, is_coded, 100, 64, None)
            outcomes.add("read")
        except CollageFormatError:
            outcomes.add("refused")
            continue
        assert ((values >= 0) == is_coded).all()
        assert values.max() < 128  # of seven digits
    assert "read" in outcomes
