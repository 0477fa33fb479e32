"""The float entropy model: normalised rates, and predictions from coded symbols alone."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from neural_collage.models.compression.entropy_model import EntropyModel
from neural_collage.models.compression.integer_entropy import PASSES, SMALLEST_SCALE
from neural_collage.models.compression.logistic import LARGEST_SCALE, logistic_bits
from neural_collage.models.compression.quantisers import Noise
from tests.models.compression.entropy import black_ranges, lively_entropy_model

GROUPS = (2, 3, 4)


def small(groups: Sequence[int] = GROUPS) -> EntropyModel:
    return lively_entropy_model(groups).eval()


def predictions_of(model: EntropyModel, values: Tensor, level: Tensor) -> list[tuple[Tensor, ...]]:
    """Means and scales of every pass, as if each pass were over all ranges."""
    seen: list[tuple[Tensor, ...]] = []
    hooks = [
        p.register_forward_hook(lambda _, __, output: seen.append(output))
        for p in model.predictions
    ]
    with torch.no_grad():
        model(values, level)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("scale", [SMALLEST_SCALE, 0.3, 1, 7, LARGEST_SCALE])
@pytest.mark.parametrize("mean", [0, 0.25, -3.5])
def test_the_probabilities_of_whole_numbers_sum_to_1(scale: float, mean: float) -> None:
    numbers = torch.arange(-2000, 2001, dtype=torch.float64)
    log_scale = torch.tensor(math.log(scale), dtype=torch.float64)
    probabilities = 2 ** -logistic_bits(numbers - mean, log_scale)
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-5)
    assert float((numbers * probabilities).sum()) == pytest.approx(mean, abs=0.3)


def test_the_rate_is_even_and_increasing_in_the_deviation() -> None:
    deviation = torch.linspace(0, 5, 30)
    bits = logistic_bits(deviation, torch.tensor(0.0))
    assert bool((bits.diff() > 0).all())
    assert torch.equal(logistic_bits(-deviation, torch.tensor(0.0)), bits)
    assert bool(logistic_bits(torch.tensor([1e6, -1e6]), torch.tensor(-9.0)).isfinite().all())


@pytest.mark.parametrize("log_scale", [-9.0, -1.0, 2.0, 9.0])
def test_scales_beyond_the_limits_are_the_limits(log_scale: float) -> None:
    limited = min(max(log_scale, math.log(SMALLEST_SCALE)), math.log(LARGEST_SCALE))
    torch.testing.assert_close(
        logistic_bits(torch.tensor(1.3), torch.tensor(log_scale)),
        logistic_bits(torch.tensor(1.3), torch.tensor(limited)),
    )


@pytest.mark.parametrize(
    ("log_scale", "deviation", "pulls"),
    [(-9.0, 5.0, -1), (-9.0, 0.0, 0), (9.0, 0.0, 1), (9.0, 1e4, 0), (0.0, 5.0, -1), (0.0, 0.0, 1)],
)
def test_gradients_of_clamped_scales_point_inside_the_bounds(
    log_scale: float, deviation: float, pulls: int
) -> None:
    given = torch.tensor(log_scale, requires_grad=True)
    (gradient,) = torch.autograd.grad(logistic_bits(torch.tensor(deviation), given), given)
    assert float(gradient.sign()) == pulls


def test_a_checkerboard_has_no_neighbours_of_one_colour() -> None:
    black = black_ranges(5, 4)
    assert bool(black[0, 0])
    assert not (black[1:] & black[:-1]).any()
    assert not (~black[:, 1:] & ~black[:, :-1]).any()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (5, 3), (4, 6)])
def test_any_number_of_ranges(rows: int, columns: int) -> None:
    values = 3 * torch.randn(2, 9, rows, columns)
    rate = small()(values, torch.tensor([0.2, 0.9]))
    assert rate.quantised.shape == values.shape
    assert rate.bits.shape == rate.side_bits.shape == (2,)
    assert bool((rate.bits > 0).all())
    assert bool((rate.side_bits > 0).all())


def test_items_of_a_batch_are_independent() -> None:
    model, values, level = small(), 3 * torch.randn(3, 9, 4, 5), torch.tensor([0.0, 0.4, 1.0])
    together = model(values, level)
    for n in range(3):
        alone = model(values[n : n + 1], level[n : n + 1])
        for one, all_of_them in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], all_of_them[n], atol=1e-4, rtol=1e-4)


def test_coefficients_are_rounded_to_whole_steps_from_their_means() -> None:
    model, values, level = small(), 3 * torch.randn(1, 9, 5, 4), torch.tensor([0.3])
    quantised = model(values, level).quantised
    assert float((quantised - values).detach().abs().max()) <= 0.5 + 1e-5
    seen, black = predictions_of(model, values, level), black_ranges(5, 4)
    means = torch.cat(
        [torch.where(black, seen[n][0], seen[n + 1][0]) for n in range(0, len(seen), PASSES)], 1
    )
    symbols = (quantised - means).detach()
    torch.testing.assert_close(symbols, symbols.round(), atol=1e-4, rtol=0)
    assert int(symbols.round().abs().max()) > 1


def test_bits_are_those_of_the_deviations_from_the_means() -> None:
    model, values, level = small(), 3 * torch.randn(1, 9, 5, 4), torch.tensor([0.7])
    rate, seen = model(values, level), predictions_of(model, values, level)
    base = model.log_scale(level)[..., None, None].split(GROUPS, 1)
    total = 0.0
    for number, (mean, log_scale) in enumerate(seen):
        group, last = divmod(number, PASSES)
        sites = black_ranges(5, 4) != bool(last)
        deviation = rate.quantised.split(GROUPS, 1)[group] - mean
        total += float(logistic_bits(deviation, log_scale + base[group])[..., sites].detach().sum())
    assert float(rate.bits.detach()) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("group", range(len(GROUPS)))
@pytest.mark.parametrize("last", [False, True])
def test_a_pass_does_not_depend_on_what_is_coded_later(
    group: int, last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes its own latents and all later ones, with the side information held fixed."""
    model, level = small(), torch.tensor([0.6])
    side = torch.randn(1, 3, 3, 3)
    monkeypatch.setattr(model, "side_latents", lambda values: side)
    values, others = 3 * torch.randn(2, 1, 9, 5, 6)
    start, stop = sum(GROUPS[:group]), sum(GROUPS[: group + 1])
    later = torch.zeros(9, 5, 6, dtype=torch.bool)
    later[stop:] = True
    later[start:stop] = ~black_ranges(5, 6) | (not last)
    changed = torch.where(later, others, values)
    number = PASSES * group + last
    before = predictions_of(model, values, level)
    after = predictions_of(model, changed, level)
    for pass_before, pass_after in zip(before[:number], after[:number], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(pass_before, pass_after, strict=True))
    sites = black_ranges(5, 6) != last
    for a, b in zip(before[number], after[number], strict=True):
        assert torch.equal(a[..., sites], b[..., sites])
    if number + 1 < len(before):  # the next pass does depend on them
        assert not torch.equal(before[number + 1][0], after[number + 1][0])


def test_the_side_information_of_all_latents_enters_the_first_pass() -> None:
    """A change of the last latents alone changes the first predictions, through it."""
    model, level = small(), torch.tensor([0.6])
    values = 3 * torch.randn(1, 9, 4, 4)
    changed = values.clone()
    changed[:, -1] *= -20
    before, after = (predictions_of(model, v, level)[0][0] for v in (values, changed))
    assert not torch.equal(before, after)


def test_the_gradient_reaches_all_parameters() -> None:
    model = small()
    values = (3 * torch.randn(4, 9, 5, 5)).requires_grad_()
    rate = model(values, torch.linspace(0, 1, 4), Noise())
    (rate.bits.sum() + rate.side_bits.sum() + rate.quantised.square().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name
        assert bool(parameter.grad.isfinite().all()), name
    assert values.grad is not None
    assert float(values.grad.abs().min()) > 0


def test_the_gradient_of_the_quantised_is_that_of_the_unrounded() -> None:
    model = small()
    values = (3 * torch.randn(1, 9, 3, 4)).requires_grad_()
    wanted = torch.randn(1, 9, 3, 4)
    quantised = model(values, torch.tensor([0.5])).quantised
    gradient, *others = torch.autograd.grad(
        (quantised * wanted).sum(), [values, *model.predictions.parameters()], allow_unused=True
    )
    torch.testing.assert_close(gradient, wanted, atol=1e-4, rtol=0)
    assert all(g is None or float(g.abs().max()) < 1e-4 for g in others)
