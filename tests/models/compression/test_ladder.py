import pytest
import torch

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
