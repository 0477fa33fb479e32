import itertools
import math

import pytest
import torch
from torch import Tensor

from neural_collage.models.generation.likelihoods import (
    Bernoulli,
    Coverage,
    Likelihood,
    LikelihoodConfig,
    LogisticMixture,
    bits_per_dimension,
    make_likelihood,
)


def _levels(bits: int, channels: int) -> Tensor:
    """All values of a pixel, as images of one pixel (n, c, 1, 1)."""
    values = [level / (2**bits - 1) for level in range(2**bits)]
    return torch.tensor(list(itertools.product(values, repeat=channels)))[..., None, None]


@pytest.mark.parametrize(
    ("kind", "channels", "bits"),
    [
        ("bernoulli", 1, 1),
        ("bernoulli", 3, 1),
        ("coverage", 1, 1),
        ("logistic_mixture", 1, 8),
        ("logistic_mixture", 1, 1),
        ("logistic_mixture", 3, 3),
    ],
)
@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_probabilities_of_all_images_sum_to_one(
    kind: str, channels: int, bits: int, spread: float
) -> None:
    config = LikelihoodConfig(kind, channels, mixtures=3, bits=bits)  # type: ignore[arg-type]
    pixels = _levels(bits, channels)
    parameters = (spread * torch.randn(5, config.planes, 1, 1)).double()
    for own in parameters.split(1):
        logs = make_likelihood(config).log_prob(own.expand(len(pixels), -1, -1, -1), pixels)
        assert float(logs.exp().sum()) == pytest.approx(1, abs=2e-4)


def test_log_prob_of_a_mixture_equals_its_definition() -> None:
    """Differences of distribution functions in double precision, one component at a time."""
    config = LikelihoodConfig("logistic_mixture", 3, mixtures=2, bits=2)
    parameters = torch.randn(1, config.planes, 1, 1)
    mean, logits, deviations, log_scales, coefficients = (
        part.flatten().double() for part in parameters.split([3, 2, 6, 6, 6], 1)
    )
    deviations, scales = deviations.view(2, 3), log_scales.view(2, 3).exp()
    coefficients, weights = coefficients.view(2, 3).tanh(), logits.softmax(0)
    means = mean + deviations - weights @ deviations
    red, green, blue = 1 / 3, 2 / 3, 1.0  # levels 1, 2 and 3 of 3
    image = torch.tensor([red, green, blue])[None, :, None, None]
    total = torch.zeros((), dtype=torch.float64)
    for k, weight in enumerate(weights):
        r, g = 2 * red - 1 - means[k, 0], 2 * green - 1 - means[k, 1]
        centres = (
            means[k, 0],
            means[k, 1] + coefficients[k, 0] * r,
            means[k, 2] + coefficients[k, 1] * r + coefficients[k, 2] * g,
        )
        edges = ((-2 / 3, 0.0), (0.0, 2 / 3), (2 / 3, math.inf))  # in -1..1, cells of 2 / 3
        for centre, scale, (low, high) in zip(centres, scales[k], edges, strict=True):
            below, above = (torch.sigmoid((edge - centre) / scale) for edge in (low, high))
            weight = weight * (above - below)
        total = total + weight
    found = LogisticMixture(config).log_prob(parameters, image)
    assert float(found) == pytest.approx(float(total.log()), rel=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_frequencies_of_samples_equal_probabilities(channels: int) -> None:
    config = LikelihoodConfig("logistic_mixture", channels, mixtures=2, bits=1)
    likelihood, pixels = make_likelihood(config), _levels(1, channels)
    parameters = torch.randn(1, config.planes, 1, 1)
    count = 40_000
    samples = likelihood.sample(parameters.expand(count, -1, -1, -1))
    expected = likelihood.log_prob(parameters.expand(len(pixels), -1, -1, -1), pixels).exp()
    for pixel, probability in zip(pixels, expected, strict=True):
        share = float((samples == pixel).flatten(1).all(1).float().mean())
        assert share == pytest.approx(float(probability), abs=5 * 0.5 / count**0.5)


def test_mean_and_samples_of_a_narrow_mixture_are_its_mean() -> None:
    config = LikelihoodConfig("logistic_mixture", 3, mixtures=1)
    parameters = torch.randn(1, config.planes, 1, 1)  # a single deviation is centred away
    parameters[0, :3, 0, 0] = torch.tensor([0.5, -0.25, 0.0])
    parameters[0, 7:10] = -7.0
    likelihood = LogisticMixture(config)
    expected = torch.tensor([0.75, 0.375, 0.5])
    assert torch.allclose(likelihood.mean(parameters).flatten(), expected, atol=1e-6)
    assert torch.allclose(likelihood.sample(parameters).flatten(), expected, atol=0.02)


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_of_a_mixture_average_to_its_mean(channels: int) -> None:
    """Whatever the components: so the mean of an enlarged collage is the collage of the mean."""
    config = LikelihoodConfig("logistic_mixture", channels, mixtures=4)
    likelihood = LogisticMixture(config)
    parameters = torch.randn(1, config.planes, 1, 1)
    mean = parameters[:, :channels] = 0.1 * torch.randn(1, channels, 1, 1)
    parameters[:, channels + 4 : channels + 4 * (1 + channels)] *= 0.1  # deviations
    parameters[:, channels + 4 * (1 + channels) : channels + 4 * (1 + 2 * channels)] = -3.0
    count = 40_000
    samples = likelihood.sample(parameters.expand(count, -1, -1, -1))
    error = (samples.mean(0) - likelihood.mean(parameters)[0]).abs().flatten()
    assert bool((error < 5 * samples.std(0).flatten() / count**0.5 + 1e-4).all())
    assert torch.allclose(likelihood.mean(parameters), mean / 2 + 0.5)


@pytest.mark.parametrize("kind", ["bernoulli", "coverage", "logistic_mixture"])
def test_divergence_is_zero_of_equals_positive_otherwise_and_needs_the_mean_alone(
    kind: str,
) -> None:
    config = LikelihoodConfig(kind)  # type: ignore[arg-type]
    likelihood = make_likelihood(config)
    first, second = (torch.randn(3, config.planes, 4, 4) for _ in range(2))
    divergence = likelihood.divergence(first, second)
    assert bool((divergence > 0).all())
    assert torch.equal(likelihood.divergence(first[:, :1], second[:, :1]), divergence)
    assert torch.allclose(likelihood.divergence(first, first), torch.zeros(3), atol=1e-5)


def test_parameters_of_coverage_are_probabilities_that_average() -> None:
    coverage = Coverage()
    between = torch.linspace(1 / 16, 15 / 16, 50)[None, None, None]
    assert torch.allclose(coverage.mean(between), between, atol=1e-6)
    every = torch.linspace(-2, 3, 500)[None, None, None]
    shares = coverage.mean(every).flatten()
    assert bool((shares >= 0).all())
    assert bool((shares <= 1).all())
    assert bool((shares.diff() >= 0).all())
    assert torch.allclose(shares + coverage.mean(1 - every).flatten(), torch.ones(500), atol=1e-6)
    slope = shares.double().diff() / every.flatten().diff()
    assert float(slope.diff().abs().max()) < 0.2  # no kink where the tails begin


def test_coverage_of_a_share_is_the_mean_of_the_log_probabilities_of_its_points() -> None:
    coverage, parameters = Coverage(), torch.randn(1, 1, 5, 5)
    inside, outside = (
        coverage.log_prob(parameters, torch.full_like(parameters, share)) for share in (1.0, 0.0)
    )
    mixed = coverage.log_prob(parameters, torch.full_like(parameters, 0.25))
    assert torch.allclose(mixed, 0.25 * inside + 0.75 * outside, atol=1e-4)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Coverage()])
def test_steepened_edges_keep_their_place_and_scale_one_its_values(likelihood: Likelihood) -> None:
    parameters = torch.randn(1, 1, 8, 8)
    for scale in (0.5, 1):
        assert torch.allclose(likelihood.steepened(parameters, scale), parameters, atol=1e-6)
    plain, steep = likelihood.mean(parameters), likelihood.picture(parameters, 4)
    assert torch.equal(plain > 0.5, steep > 0.5)
    assert bool(((steep - 0.5).abs() >= (plain - 0.5).abs() - 1e-6).all())


def test_mean_and_samples_of_bernoulli_are_its_probability() -> None:
    parameters = torch.full((1, 1, 100, 100), 0.3).logit()
    assert torch.allclose(Bernoulli().mean(parameters), torch.tensor(0.3))
    sample = Bernoulli().sample(parameters)
    assert set(sample.unique().tolist()) == {0.0, 1.0}
    assert float(sample.mean()) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("kind", ["bernoulli", "coverage", "logistic_mixture"])
def test_gradients_are_finite_for_very_unlikely_images(kind: str) -> None:
    config = LikelihoodConfig(kind)  # type: ignore[arg-type]
    parameters = torch.full((2, config.planes, 2, 2), 40.0)
    parameters[1] = -40.0
    parameters.requires_grad_()
    loss = make_likelihood(config).log_prob(parameters, torch.zeros(2, 1, 2, 2)).sum()
    (gradient,) = torch.autograd.grad(loss, parameters)
    assert math.isfinite(float(loss.detach()))
    assert bool(gradient.isfinite().all())


def test_bits_per_dimension_of_a_uniform_byte_are_eight() -> None:
    assert float(bits_per_dimension(torch.tensor(10 * math.log(256)), 10)) == pytest.approx(8)


def test_a_config_reports_all_problems() -> None:
    with pytest.raises(ValueError, match=r"channels must be 1 or 3, not 2; mixtures.*0; bits.*9"):
        LikelihoodConfig(channels=2, mixtures=0, bits=9)
