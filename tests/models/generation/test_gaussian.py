import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from neural_collage.models.generation.gaussian import Gaussian, gaussian_of


def _gaussian() -> Gaussian:
    return Gaussian(torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4))


def _normal(of: Gaussian) -> Normal:
    return Normal(of.mean, of.log_scale.exp())


def test_densities_and_divergences_are_those_of_torch() -> None:
    first, second, value = _gaussian(), _gaussian(), torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(first.log_prob(value), _normal(first).log_prob(value))
    divergence = first.divergence(second)
    expected = kl_divergence(_normal(first), _normal(second))
    torch.testing.assert_close(divergence, expected, rtol=1e-4, atol=1e-4)
    assert bool((divergence >= 0).all())
    assert torch.equal(first.divergence(first), torch.zeros_like(first.mean))


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_temperature_scales_deviations_from_the_mean(temperature: float) -> None:
    of = Gaussian(torch.full((100_000,), 2.0), torch.full((100_000,), math.log(3)))
    sample = of.sample(temperature)
    assert float(sample.mean()) == pytest.approx(2, abs=0.05)
    assert float(sample.std()) == pytest.approx(3 * temperature, rel=0.02)


def test_log_scales_are_bounded_and_zeros_give_the_reference() -> None:
    prior = _gaussian()
    zero = torch.zeros(2, 6, 4, 4)
    for mine, theirs in zip(gaussian_of(zero, prior), prior, strict=True):
        assert torch.equal(mine, theirs)
    extreme = gaussian_of(torch.full((2, 6, 4, 4), 1e4).bfloat16())
    assert float(extreme.log_scale.max()) <= 5
    assert extreme.mean.dtype == torch.float32
