"""Parameters between rungs of quality, in whole numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from neural_collage.models.compression.integer_layers import rung_values
from neural_collage.models.compression.ladder import Ladder, level_of


@pytest.mark.parametrize("rungs", [2, 3, 6, 12, 100])
def test_values_between_rungs_are_rounded_down_exactly(
    rungs: int, rng: np.random.Generator
) -> None:
    numbers = rng.integers(-(1 << 40), 1 << 40, (rungs, 5))
    for quality in range(1, 101):
        position = Fraction((quality - 1) * (rungs - 1), 99)
        lower = min(int(position), rungs - 2)
        part = position - lower
        expected = [
            math.floor(a + part * (b - a))
            for a, b in zip(numbers[lower].tolist(), numbers[lower + 1].tolist(), strict=True)
        ]
        assert rung_values(numbers, quality).tolist() == expected


def test_integer_interpolation_approximates_the_float_ladder() -> None:
    ladder = Ladder(6, torch.randn(6, 7), at_each=True)
    numbers = np.rint(ladder.rungs.detach().numpy().astype(np.float64) * 2**20).astype(np.int64)
    for quality in (1, 2, 37, 50, 99, 100):
        learned = ladder(torch.tensor([level_of(quality)]))[0].detach()
        np.testing.assert_allclose(
            rung_values(numbers, quality) * 2.0**-20, learned, atol=1e-5, rtol=0
        )
