"""Numbers of precision layers: their order, and the tables that they have."""

import numpy as np
import pytest

from neural_collage.codec.entropy import SymbolReader
from neural_collage.codec.precision.numbers import ChosenNumbers, read_numbers
from neural_collage.codec.precision.patches import LARGEST_MAGNITUDE, LARGEST_NUMBER, PATCHES
from neural_collage.codec.precision.syntax import (
    LARGEST_EXPECTED,
    LARGEST_KNOWN,
    LARGEST_WEIGHT,
    boards,
    code_numbers,
    diagonals,
    shipped_priors,
)
from neural_collage.codec.streams.neural import decoder_of
from neural_collage.codec.weights import shipped_weights
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.fractal.geometry import IntArray

TABLES = decoder_of(shipped_weights("natural")).tables
SIZES = pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 6), (5, 4)])


class Recorder:
    """A source of zeros that notes what it is asked for."""

    def __init__(self) -> None:
        self.places: list[tuple[int, int, int]] = []

    def numbers(
        self, colour: int, patches: IntArray, sites: IntArray, scales: IntArray
    ) -> IntArray:
        self.places += [(colour, patch, site) for patch in patches for site in sites]
        return np.zeros(scales.shape, np.int64)


def base(size: tuple[int, int], colours: int, rng: np.random.Generator) -> PixelArray:
    return rng.integers(0, 256, (colours, PATCHES, *size)).astype(np.float32)


@SIZES
@pytest.mark.parametrize("colours", [1, 3])
def test_every_number_is_coded_once(
    size: tuple[int, int], colours: int, rng: np.random.Generator
) -> None:
    recorder = Recorder()
    code_numbers(recorder, base(size, colours, rng))
    everywhere = np.ndindex(colours, PATCHES, size[0] * size[1])
    assert sorted(recorder.places) == list(everywhere)


def test_diagonals_rise_and_know_lower_patches_alone() -> None:
    order = [patch for diagonal in diagonals() for patch in diagonal.patches.tolist()]
    assert sorted(order) == list(range(PATCHES))
    for number, diagonal in enumerate(diagonals()):
        known = {p for before in diagonals()[:number] for p in before.patches.tolist()}
        assert {p for lower in diagonal.lower for p in lower.tolist()} <= known | {PATCHES}


def test_boards_are_a_checkerboard() -> None:
    black, white = boards(3, 3)
    assert black.tolist() == [0, 2, 4, 6, 8]
    assert white.tolist() == [1, 3, 5, 7]


@SIZES
@pytest.mark.parametrize("colours", [1, 3])
def test_numbers_come_back_from_their_stream(
    size: tuple[int, int], colours: int, rng: np.random.Generator
) -> None:
    values = rng.normal(0, 3, (colours, PATCHES, *size)).astype(np.float32)
    values[0, ::7] *= 1000
    around = base(size, colours, rng)
    source = ChosenNumbers(values, 8.0, TABLES)
    numbers = code_numbers(source, around)
    assert np.abs(numbers - values).max() <= 1
    reader = SymbolReader(source.written())
    np.testing.assert_array_equal(read_numbers(reader, TABLES, around), numbers)
    reader.finish()


def test_numbers_are_limited() -> None:
    values = np.full((1, PATCHES, 1, 1), 1e9, np.float32)
    source = ChosenNumbers(values, 8.0, TABLES)
    around = np.zeros(values.shape, np.float32)
    assert (code_numbers(source, around) == LARGEST_NUMBER).all()
    read = read_numbers(SymbolReader(source.written()), TABLES, around)
    assert (read == LARGEST_NUMBER).all()


def test_rdoq_lowers_the_cost(rng: np.random.Generator) -> None:
    values = rng.laplace(0, 0.7, (3, PATCHES, 8, 8)).astype(np.float32)
    around = np.zeros(values.shape, np.float32)
    costs = []
    for weight in (8.0, 1e6):  # the second one rounds to the nearest number
        source = ChosenNumbers(values, weight, TABLES)
        error = np.square(code_numbers(source, around) - values).sum()
        costs.append(8 * len(source.written()) + 8.0 * error)
    assert costs[0] < costs[1]


def test_expected_magnitudes_are_exact_in_single_precision() -> None:
    priors = shipped_priors()
    assert (priors.weights == np.rint(priors.weights)).all()
    assert priors.weights.min() >= 0
    assert priors.weights.max() <= LARGEST_WEIGHT
    largest = np.array([2, 1, 2, 2, 8, 0, 0, 1, 1, 4]) * LARGEST_KNOWN
    largest[5], largest[6] = LARGEST_MAGNITUDE, 1
    assert (priors.weights @ largest).max() < 1 << 24


def test_indices_rise_with_what_is_expected() -> None:
    priors = shipped_priors()
    for colour in range(3):
        indices = priors.indices(colour).astype(int)
        assert len(indices) == LARGEST_EXPECTED + 1
        assert (np.diff(indices) >= 0).all()
        assert indices[-1] < len(TABLES)
