"""Scales as fractions, and sizes of images at a scale."""

from fractions import Fraction

import pytest

from neural_collage.core.scales import exact_fraction, output_length


@pytest.mark.parametrize(
    ("length", "scale", "expected"),
    [
        (1, 0.01, 1),
        (5, 0.5, 3),
        (5, 0.3, 2),
        (7, 0.1, 1),
        (10, 0.1, 1),
        (333, 1 / 3, 111),
        (3, 2.7, 8),
    ],
)
def test_sizes_are_rounded_to_nearest_and_at_least_one_pixel(
    length: int, scale: float, expected: int
) -> None:
    assert output_length(length, scale) == expected


@pytest.mark.parametrize("scale", [0.1, 0.3, 1 / 3, 2.7, 1e-4])
def test_a_decimal_scale_is_the_simple_fraction(scale: float) -> None:
    assert exact_fraction(scale) == Fraction(round(scale * 30000), 30000)
