"""Averages of arrays: by their formula, and as those of tensors."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.core import blocks
from neural_collage.core.arrays import averages
from neural_collage.core.arrays.averages import PixelArray, area_average, cell_weights, pool
from neural_collage.core.resample import area_resample
from neural_collage.core.scales import Interval
from tests.threads import threads

sides = st.integers(1, 40)


def image_of(height: int, width: int, channels: int = 2, seed: int = 0) -> PixelArray:
    return np.random.default_rng(seed).random((channels, height, width), np.float32)


def direct_average(values: PixelArray, cells: int, start: Fraction, stop: Fraction) -> list[float]:
    """The averages of one row over equal cells, pixel by pixel, in exact arithmetic."""
    step = (stop - start) / cells
    result = []
    for cell in range(cells):
        low, high = start + cell * step, start + (cell + 1) * step
        shares = [
            (min(high, Fraction(n + 1)) - max(low, Fraction(n)), Fraction(float(value)))
            for n, value in enumerate(values)
        ]
        result.append(float(sum(share * v for share, v in shares if share > 0) / step))
    return result


@pytest.mark.parametrize("factor", [1, 2, 3, 16])
def test_pooling_averages_squares(factor: int) -> None:
    image = image_of(3 * factor, 5 * factor)
    pooled = pool(image, factor)
    assert pooled.dtype == np.float32
    assert pooled.shape == (2, 3, 5)
    for row in range(3):
        for column in range(5):
            square = image[:, row * factor :, column * factor :][:, :factor, :factor]
            expected = square.astype(np.float64).mean((1, 2))
            np.testing.assert_allclose(pooled[:, row, column], expected, rtol=2**-24)
    of_tensors = blocks.pool(torch.from_numpy(image), factor)
    np.testing.assert_allclose(pooled, of_tensors, rtol=1e-6)


@given(sides, st.integers(1, 90), st.data())
def test_averages_are_those_of_the_formula(side: int, cells: int, data: st.DataObject) -> None:
    """Of any part, with any number of cells, to the rounding of single precision."""
    start = data.draw(st.fractions(0, side, max_denominator=50).filter(lambda f: f < side))
    stop = data.draw(st.fractions(start, side, max_denominator=50).filter(lambda f: f > start))
    image = image_of(1, side, 1)
    found = area_average(image, 1, cells, columns=(start, stop))
    assert found.dtype == np.float32
    expected = direct_average(image[0, 0], cells, start, stop)
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-6)
    turned = area_average(image.swapaxes(1, 2), cells, 1, rows=(start, stop))
    np.testing.assert_array_equal(turned, found.swapaxes(1, 2), strict=True)


@given(sides, sides, sides, sides, st.booleans())
def test_averages_are_those_of_tensors(
    height: int, width: int, rows: int, columns: int, whole: bool
) -> None:
    image = image_of(height, width)
    parts: tuple[Interval, Interval] | tuple[None, None] = (None, None)
    if not whole:
        parts = (Fraction(height, 3), height), (0, Fraction(2 * width, 3))
    found = area_average(image, rows, columns, *parts)
    expected = area_resample(torch.from_numpy(image), rows, columns, *parts)
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@given(sides, st.integers(1, 300))
def test_weights_of_a_cell_sum_to_1_and_reach_no_further_than_it(side: int, cells: int) -> None:
    step, done = Fraction(side, cells), 0
    for pixels, weights in cell_weights(side, cells, 0, side):
        np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-12)
        assert (weights >= 0).all()
        assert weights.shape[1] == pixels.stop - pixels.start
        for row in weights:
            used = np.flatnonzero(row > 1e-9) + pixels.start
            assert used[0] >= int(done * step)
            assert used[-1] < (done + 1) * step
            done += 1
    assert done == cells


def test_the_size_of_strips_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_of(50, 70)
    expected = area_average(image, 130, 33)
    for cells in (1, 7):
        monkeypatch.setattr(averages, "_STRIP", cells)
        np.testing.assert_allclose(area_average(image, 130, 33), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [(105, 140), (210, 249), (20, 70)], ids=str)
def test_the_number_of_threads_changes_nothing(size: tuple[int, int]) -> None:
    """Of averages that lie half way between two numbers, as many do at a ratio of 3 to 4."""
    image = image_of(140, 186, 4)
    found = []
    for count in (1, 2):
        with threads(count):
            found.append(area_average(image, *size))
    np.testing.assert_array_equal(found[0], found[1], strict=True)


def test_an_average_of_the_same_size_is_the_image() -> None:
    image = image_of(5, 7)
    np.testing.assert_array_equal(area_average(image, 5, 7), image, strict=True)


@pytest.mark.parametrize(
    ("cells", "start", "stop"),
    [(0, 0, 5), (2, -1, 2), (2, 0, 6), (2, 3, 3), (2, 3, 2), (1, Fraction(1, 2), Fraction(11, 2))],
)
def test_cells_beyond_the_image_are_refused(
    cells: int, start: Fraction | int, stop: Fraction | int
) -> None:
    with pytest.raises(ValueError, match="cannot average"):
        area_average(image_of(5, 5), 3, cells, columns=(start, stop))
