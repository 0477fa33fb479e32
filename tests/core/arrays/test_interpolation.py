"""Average interpolation of arrays: its formula, windows of it, and that of tensors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.core import interpolation as tensors
from neural_collage.core.arrays.averages import FloatArray, PixelArray, pool
from neural_collage.core.arrays.interpolation import REACH, enlarge, enlarged_window, source_span
from neural_collage.core.scales import Window


def image_of(height: int, width: int, seed: int = 0) -> PixelArray:
    return np.random.default_rng(seed).random((3, height, width), np.float32)


def averages_of_power(degree: int, cells: int, start: float, width: float) -> FloatArray:
    """Averages of x ** degree over consecutive cells."""
    edges = start + width * np.arange(cells + 1)
    return np.diff(edges ** (degree + 1)) / ((degree + 1) * width)


@pytest.mark.parametrize("degree", range(6))
def test_polynomials_up_to_degree_four_are_reproduced(degree: int) -> None:
    """From their averages over pixels; those of degree five are not."""
    start, cells = -0.6, 12
    rows = averages_of_power(degree, cells, start, 0.1)
    fine = averages_of_power(degree, 2 * (cells - 4), start + 2 * 0.1, 0.05)
    image = np.ones((1, cells, cells), np.float32) * rows[:, None].astype(np.float32)
    for found in (enlarge(image), enlarge(image.swapaxes(1, 2)).swapaxes(1, 2)):
        difference = float(np.abs(found[0] - fine[:, None]).max())
        assert difference < 2e-7 if degree < 5 else difference > 1e-6


def test_averaging_an_enlarged_image_restores_it() -> None:
    image = image_of(9, 12)
    larger = enlarge(image)
    assert larger.shape == (3, 10, 16)
    assert larger.dtype == np.float32
    np.testing.assert_allclose(pool(larger, 2), image[:, 2:-2, 2:-2], atol=2e-7, rtol=0)


def test_the_result_is_that_of_tensors() -> None:
    image = image_of(11, 8)
    expected = tensors.enlarge(torch.from_numpy(image))
    np.testing.assert_array_equal(enlarge(image), expected)


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_window_is_a_crop_of_the_whole_and_reads_only_what_it_needs(
    height: int, width: int, data: st.DataObject
) -> None:
    image = image_of(height, width)
    whole = enlarge(np.pad(image, ((0, 0), (REACH, REACH), (REACH, REACH)), mode="edge"))
    assert whole.shape[1:] == (2 * height, 2 * width)
    top, left = data.draw(st.integers(0, 2 * height - 1)), data.draw(st.integers(0, 2 * width - 1))
    window = Window(
        top,
        left,
        data.draw(st.integers(1, 2 * height - top)),
        data.draw(st.integers(1, 2 * width - left)),
    )
    bottom, right = top + window.height, left + window.width
    asked: list[Window] = []

    def read(part: Window) -> PixelArray:
        asked.append(part)
        y, x, h, w = part
        assert y >= 0
        assert x >= 0
        assert y + h <= height
        assert x + w <= width
        return image[:, y : y + h, x : x + w]

    found = enlarged_window(read, (height, width), window)
    np.testing.assert_array_equal(found, whole[:, top:bottom, left:right], strict=True)
    (part,) = asked
    assert part.height <= window.height // 2 + 1 + 2 * REACH
    assert part.width <= window.width // 2 + 1 + 2 * REACH

    def read_tensors(part: Window) -> torch.Tensor:
        return torch.from_numpy(read(part).copy())

    expected = tensors.enlarged_window(read_tensors, (height, width), window)
    np.testing.assert_array_equal(found, expected)


@given(st.integers(1, 50), st.integers(0, 5), st.data())
def test_a_span_and_its_margins_hold_all_that_fine_pixels_depend_on(
    limit: int, reach: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, 2 * limit - 1))
    length = data.draw(st.integers(1, 2 * limit - start))
    span = source_span(start, length, limit, reach)
    needed = {fine // 2 + step for fine in range(start, start + length) for step in (-reach, reach)}
    assert span.start - span.before == min(needed)
    assert span.start + span.length + span.after - 1 == max(needed)
    assert 0 <= span.start <= span.start + span.length <= limit
    assert span.before == max(0, -min(needed))
    assert span.after == max(0, max(needed) - limit + 1)
