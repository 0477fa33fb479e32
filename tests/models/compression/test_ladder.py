"""Parameters between rungs of quality, learned and in whole numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from neural_collage.models.compression.integer_layers import rung_values
from neural_collage.models.compression.ladder import Ladder, level_of


def random_ladder(rungs: int, *shape: int) -> Ladder:
    return Ladder(rungs, torch.randn(rungs, *shape), at_each=True)


def test_qualities_are_spread_evenly_over_levels() -> None:
    levels = torch.tensor([level_of(quality) for quality in range(1, 101)], dtype=torch.float64)
    assert (float(levels[0]), float(levels[-1])) == (0, 1)
    torch.testing.assert_close(levels.diff(), torch.full((99,), 1 / 99, dtype=torch.float64))


@pytest.mark.parametrize("rungs", [2, 3, 6])
def test_on_a_rung_the_value_is_the_rungs(rungs: int) -> None:
    ladder = random_ladder(rungs, 3, 2)
    values = ladder(torch.linspace(0, 1, rungs))
    torch.testing.assert_close(values, ladder.rungs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rungs", [2, 3, 6])
def test_between_rungs_it_is_linear(rungs: int) -> None:
    ladder = random_ladder(rungs, 4)
    for lower in range(rungs - 1):
        for part in (0.1, 0.5, 0.8):
            value = ladder(torch.tensor([(lower + part) / (rungs - 1)]))[0]
            expected = torch.lerp(ladder.rungs[lower], ladder.rungs[lower + 1], part)
            torch.testing.assert_close(value, expected, atol=1e-5, rtol=0)


def test_it_starts_with_one_value_everywhere_or_one_at_each_rung() -> None:
    start = torch.randn(3)
    ladder = Ladder(4, start)
    torch.testing.assert_close(ladder(torch.rand(5)), start.expand(5, -1))
    start.zero_()
    assert float(ladder.rungs.detach().abs().min()) > 0  # its own memory
    each = torch.randn(4, 3)
    assert torch.equal(Ladder(4, each, at_each=True).rungs, each)


def test_its_gradient_agrees_with_finite_differences() -> None:
    ladder = random_ladder(4, 3).double()
    level = torch.tensor([0.0, 0.2, 0.34, 0.7, 1.0], dtype=torch.float64)

    def values(rungs: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = torch.func.functional_call(ladder, {"rungs": rungs}, (level,))
        return value

    assert torch.autograd.gradcheck(values, (ladder.rungs,))


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
