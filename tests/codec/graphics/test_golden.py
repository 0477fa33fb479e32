"""The bytes of a layer never change."""

import numpy as np
import pytest

from neural_collage.codec.graphics.copying import BASE, FIRST_COPY, PAINTED
from neural_collage.codec.graphics.syntax import read_layer
from tests.codec import make_golden


def test_a_layer_is_written_as_it_always_was() -> None:
    assert make_golden.graphics() == make_golden.GRAPHICS.read_bytes()


def test_the_golden_layer_is_read_as_it_was_written() -> None:
    expected = make_golden.graphics_layer()
    data = make_golden.GRAPHICS.read_bytes()
    layer, quality = read_layer(data, expected.height, expected.width, 4)
    assert quality == make_golden.BASE_QUALITY
    assert layer.block == expected.block
    for name in ("modes", "copies", "palette", "indices"):
        np.testing.assert_array_equal(getattr(layer, name), getattr(expected, name))


@pytest.mark.parametrize("mode", [BASE, PAINTED, *range(FIRST_COPY, FIRST_COPY + 4)])
def test_the_golden_layer_has_ranges_of_all_modes(mode: int) -> None:
    assert (make_golden.graphics_layer().modes == mode).sum() > 3
