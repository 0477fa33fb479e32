import numpy as np
import pytest
import torch

from neural_collage.data.pixels import binarise, to_float


@pytest.mark.parametrize("bits", range(1, 9))
def test_values_are_spread_over_the_whole_range(bits: int) -> None:
    values = to_float(torch.arange(256, dtype=torch.uint8), bits)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values.unique(), torch.linspace(0, 1, 2**bits))
    assert bool((values.diff() >= 0).all())


def test_five_bits_are_the_most_significant_ones() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    torch.testing.assert_close(to_float(levels, 5) * 31, (levels // 8).float())


def test_binarising_has_the_mean_of_the_levels_and_keeps_black_and_white() -> None:
    levels = np.tile(np.array([0, 51, 204, 255], np.uint8), (200, 1, 100, 1))
    sample = binarise(levels, np.arange(200))
    assert set(np.unique(sample)) == {0, 255}
    np.testing.assert_allclose(sample.mean((0, 1, 2)) / 255, [0, 0.2, 0.8, 1], atol=0.01)
    assert sample[..., 0].max() == 0
    assert sample[..., 3].min() == 255


def test_binarising_depends_on_the_seeds_only() -> None:
    levels = np.full((3, 1, 8, 8), 128, np.uint8)
    sample = binarise(levels, np.array([5, 6, 5]))
    np.testing.assert_array_equal(sample[0], sample[2])
    assert (sample[0] != sample[1]).any()
    np.testing.assert_array_equal(binarise(levels[:1], np.array([6]))[0], sample[1])
