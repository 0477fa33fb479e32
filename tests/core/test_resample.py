from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neural_collage.core.blocks import pool
from neural_collage.core.cosines import cosine_cells, cosine_coefficients, cosine_series
from neural_collage.core.resample import area_resample, resize_patches
from neural_collage.core.scales import Interval

lengths = st.integers(1, 40)


def image_of(height: int, width: int, channels: int = 2) -> Tensor:
    return torch.rand(channels, height, width, dtype=torch.float64)


@pytest.mark.parametrize("factor", [1, 2, 3, 16])
def test_integer_ratios_agree_with_pooling(factor: int) -> None:
    image = image_of(3 * factor, 5 * factor)
    torch.testing.assert_close(area_resample(image, 3, 5), pool(image, factor))


def test_fractional_ratios_weight_pixels_by_overlap() -> None:
    image = torch.tensor([[[0.0, 1.0, 5.0]]], dtype=torch.float64)
    expected = torch.tensor([[[0.5 / 1.5, (0.5 + 5) / 1.5]]], dtype=torch.float64)
    torch.testing.assert_close(area_resample(image, 1, 2), expected)


@given(lengths, lengths, lengths, lengths)
def test_any_ratio_agrees_with_repeating_and_averaging(h: int, w: int, h2: int, w2: int) -> None:
    image = image_of(h, w, 1)
    repeated = image.repeat_interleave(h2, 1).repeat_interleave(w2, 2)
    expected = repeated.view(1, h2, h, w2, w).mean((2, 4))
    torch.testing.assert_close(area_resample(image, h2, w2), expected)


@given(lengths, lengths, lengths, lengths)
def test_the_mean_is_preserved(h: int, w: int, h2: int, w2: int) -> None:
    image = image_of(h, w)
    torch.testing.assert_close(area_resample(image, h2, w2).mean((1, 2)), image.mean((1, 2)))


def test_averaging_in_two_steps_equals_averaging_once() -> None:
    image = image_of(12, 20)
    once = area_resample(image, 3, 5)
    torch.testing.assert_close(area_resample(area_resample(image, 9, 15), 3, 5), once)


@given(lengths, st.integers(2, 200), st.data())
def test_a_window_of_cells_agrees_with_the_full_grid(
    length: int, cells: int, data: st.DataObject
) -> None:
    image = image_of(length, 3, 1)
    first = data.draw(st.integers(0, cells - 1))
    last = data.draw(st.integers(first + 1, cells))
    ratio = Fraction(length, cells)
    part = area_resample(image, last - first, 2, rows=(first * ratio, last * ratio))
    torch.testing.assert_close(part, area_resample(image, cells, 2)[:, first:last])
    turned = area_resample(image.mT, 2, last - first, columns=(first * ratio, last * ratio))
    torch.testing.assert_close(turned, part.mT)


def test_float32_has_the_precision_of_its_rounding() -> None:
    image = image_of(301, 200)
    low = area_resample(image.float(), 77, 333)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low.double(), area_resample(image, 77, 333), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "rows", [(-1, 2), (0, 9), (2, 2), (3, 2), (Fraction(1, 2), Fraction(17, 2))]
)
def test_a_window_that_reaches_outside_is_refused(rows: Interval) -> None:
    with pytest.raises(ValueError, match="of 8 pixels"):
        area_resample(image_of(8, 8), 4, 4, rows=rows)


def test_zero_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="over 0 cells"):
        area_resample(image_of(8, 8), 4, 0)


@pytest.mark.parametrize("p", [1, 2, 3, 8])
def test_cosine_coefficients_reproduce_the_cells(p: int) -> None:
    identity = cosine_cells(p, p) @ cosine_coefficients(p)
    torch.testing.assert_close(identity, torch.eye(p, dtype=torch.float64))


@pytest.mark.parametrize("p", [1, 3, 8])
def test_the_first_cosine_coefficient_is_the_mean(p: int) -> None:
    patches = image_of(p, p)
    torch.testing.assert_close(cosine_series(patches)[:, 0, 0], patches.mean((1, 2)))


@given(st.integers(1, 9), st.integers(1, 7))
def test_averaging_an_enlarged_patch_restores_it(p: int, factor: int) -> None:
    patches = image_of(p, p, 3)
    large = resize_patches(patches, p * factor)
    torch.testing.assert_close(pool(large, factor), patches)


@given(st.integers(1, 9), st.integers(1, 20), st.integers(1, 6))
def test_all_resolutions_of_a_patch_average_to_each_other(p: int, size: int, factor: int) -> None:
    patches = image_of(p, p)
    fine = resize_patches(patches, size * factor)
    torch.testing.assert_close(pool(fine, factor), resize_patches(patches, size))


def test_reducing_a_patch_is_averaging() -> None:
    patches = image_of(12, 12)
    for size in (1, 2, 3, 4, 6, 12):
        torch.testing.assert_close(
            resize_patches(patches, size), area_resample(patches, size, size)
        )


def test_patches_keep_their_leading_dimensions() -> None:
    patches = torch.rand(4, 3, 2, 2, dtype=torch.float64)
    large = resize_patches(patches, 5)
    assert large.shape == (4, 3, 5, 5)
    torch.testing.assert_close(large[2, 1], resize_patches(patches[2, 1], 5))
