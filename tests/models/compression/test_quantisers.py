"""Quantisers: RDOQ, the rates that they charge, and their names."""

import inspect
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from neural_collage.models.compression import quantisers
from neural_collage.models.compression.entropy_model import EntropyModel
from neural_collage.models.compression.logistic import logistic_bits
from neural_collage.models.compression.quantisers import (
    DISTORTION_MULTIPLIERS,
    Noise,
    Rdoq,
    Round,
    distortion_multipliers,
    make_quantiser,
    rdoq,
)
from tests.models.compression.entropy import lively_entropy_model

GROUPS = (2, 3, 4)


def small(groups: Sequence[int] = GROUPS) -> EntropyModel:
    return lively_entropy_model(groups).eval()


def test_an_unknown_name_is_refused() -> None:
    unchecked = inspect.unwrap(make_quantiser)  # without the type checks that the tests install
    with pytest.raises(ValueError, match="quantisation must be one of noise, round, rdoq, "):
        unchecked("floor", torch.ones(1, 9))


def test_the_rate_with_noise_approximates_that_of_rounding_at_high_rates() -> None:
    model = small()
    values = 20 * torch.randn(6, 9, 8, 8)
    level = torch.full((6,), 0.5)
    with torch.no_grad():
        exact = model(values, level, Round()).bits.sum()
        noisy = model(values, level, Noise()).bits.sum()
    assert float(noisy) == pytest.approx(float(exact), rel=0.05)


def test_relaxed_rdoq_trains_scales_on_symbols_and_means_and_latents_on_noisy_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With noise of zero, so that gradients can be compared."""
    monkeypatch.setattr(quantisers, "with_noise", lambda values: values)
    monkeypatch.setattr(EntropyModel, "features", lambda *_: torch.zeros(1, 4, 3, 4))
    model = small((2,))
    side = torch.randn(1, 3, 2, 2).round()
    monkeypatch.setattr(model, "side_latents", lambda values: side)
    level, weights = torch.tensor([0.5]), torch.full((1, 2, 1, 1), 0.5)
    values = (3 * torch.randn(1, 2, 3, 4)).requires_grad_()
    outs = [p.get_parameter("out.bias") for p in model.predictions]  # two means, two scales

    def gradients(quantiser: quantisers.Quantiser) -> tuple[Tensor, Tensor, list[Tensor]]:
        bits = model(values, level, quantiser).bits
        of_values, *of_outs = torch.autograd.grad(bits.sum(), [values, *outs])
        return bits, of_values, of_outs

    relaxed, of_relaxed, outs_of_relaxed = gradients(Rdoq(weights, relaxed=True))
    _, of_noise, outs_of_noise = gradients(Noise())
    exact, _, outs_of_exact = gradients(Rdoq(weights, relaxed=False))

    torch.testing.assert_close(relaxed, exact)
    torch.testing.assert_close(of_relaxed, of_noise)
    for got, noise, of_symbols in zip(outs_of_relaxed, outs_of_noise, outs_of_exact, strict=True):
        expected = torch.cat([noise[:2], of_symbols[2:]])
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_quantisers_do_not_depend_on_the_mode_of_the_model() -> None:
    model, values, level = small(), 3 * torch.randn(2, 9, 4, 5), torch.tensor([0.2, 0.9])
    weights = torch.full((2, 9, 1, 1), 0.5)
    for name in ("noise", "round", "rdoq", "relaxed-rdoq"):
        rates = []
        for training in (False, True):
            torch.manual_seed(0)
            with torch.no_grad():
                rates.append(model.train(training)(values, level, make_quantiser(name, weights)))
        for evaluated, trained in zip(*rates, strict=True):
            assert torch.equal(evaluated, trained)


def test_rounding_and_rdoq_are_deterministic_and_noise_is_not() -> None:
    model, values, level = small(), 3 * torch.randn(2, 9, 4, 5), torch.tensor([0.2, 0.9])
    weights = torch.full((2, 9, 1, 1), 0.5)
    cases: list[tuple[quantisers.Quantisation, bool]] = [
        ("noise", False),
        ("round", True),
        ("rdoq", True),
        ("relaxed-rdoq", False),
    ]
    for name, same in cases:
        first, second = (model(values, level, make_quantiser(name, weights)) for _ in range(2))
        assert torch.equal(first.side_bits, second.side_bits) == same


def test_rdoq_never_costs_more_than_rounding_and_moves_towards_zero_only() -> None:
    deviation = torch.linspace(-6, 6, 301)
    log_scale, weight = torch.tensor(-1.0), torch.tensor(4.0)

    def cost(symbols: Tensor) -> Tensor:
        error = (deviation - symbols).square() * weight
        return error + logistic_bits(symbols, log_scale)

    symbols = rdoq(deviation, weight, lambda choice: logistic_bits(choice, log_scale))
    nearest = deviation.round()
    assert bool((cost(symbols) <= cost(nearest)).all())
    assert bool((symbols != nearest).any())
    assert bool((symbols.abs() <= nearest.abs()).all())
    assert bool(((symbols - nearest).abs() <= 1).all())


def test_early_groups_have_larger_distortion_multipliers() -> None:
    first, last = DISTORTION_MULTIPLIERS
    middle = (first + last) / 2
    assert distortion_multipliers((1, 2, 1)).tolist() == pytest.approx(
        [first, middle, middle, last]
    )
    assert distortion_multipliers((2,)).tolist() == pytest.approx([first, first])
    assert first > last >= 1


def test_rdoq_with_a_large_weight_is_rounding_and_with_a_small_one_saves_bits() -> None:
    model, values, level = small(), 3 * torch.randn(2, 9, 4, 5), torch.tensor([0.2, 0.9])
    with torch.no_grad():
        plain = model(values, level)
        exact = model(values, level, Rdoq(torch.full((2, 9, 1, 1), 1e9), relaxed=False))
        coarse = model(values, level, Rdoq(torch.full((2, 9, 1, 1), 0.5), relaxed=False))
    assert torch.allclose(exact.quantised, plain.quantised, atol=1e-4)
    assert torch.allclose(exact.bits, plain.bits)
    assert bool((coarse.bits < plain.bits).all())
