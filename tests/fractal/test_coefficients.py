import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.core.blocks import cut
from neural_collage.fractal.coefficients import (
    Quantised,
    Spectrum,
    least_cost,
    quantise,
    spectrum,
)
from neural_collage.fractal.geometry import DIAGONAL, SIZES, last_diagonal
from neural_collage.fractal.patches import cosine_transform
from neural_collage.fractal.rates import LARGEST, Rates, band, own_class
from neural_collage.fractal.statistics import prior_counts
from tests.pictures import photo_crop

STEPS = [4.0, 25.0, 90.0]


@pytest.fixture(scope="module")
def rates() -> Rates:
    return Rates.of(prior_counts("luma"))


def blocks_of(size: int) -> Tensor:
    return cut(photo_crop(128)[1] * 255, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_spectrum_has_the_energy_of_the_block_without_its_mean(size: int) -> None:
    blocks = blocks_of(size)
    found = spectrum(blocks)
    energy = (blocks - blocks.mean((1, 2), keepdim=True)).square().sum((1, 2))
    kept = found.coefficients.square().sum((1, 2)) + found.remainder
    torch.testing.assert_close(kept, energy, rtol=1e-3, atol=0.1 * size)
    assert not found.coefficients[:, 0, 0].any()
    if size <= 8:
        assert float((found.remainder / energy.clamp_min(10)).max()) < 0.01


@pytest.mark.parametrize("size", SIZES)
def test_a_sum_of_cosines_has_their_coefficients(size: int) -> None:
    q = min(8, size)
    expected = torch.randn(5, q, q)
    expected[:, 0, 0] = 0
    t = cosine_transform(size)
    found = spectrum(t.T @ expected @ t + 40)
    torch.testing.assert_close(found.coefficients, expected, atol=1e-3, rtol=0)
    assert float(found.remainder.max()) < 0.1 * size  # rounding of the mean's energy


class Cost:
    """The cost that `quantise` minimises, for any choice of values."""

    def __init__(
        self, spectrum: Spectrum, size: int, step: float, error_per_bit: float, rates: Rates
    ) -> None:
        self.spectrum, self.size, self.step, self.error_per_bit = (
            spectrum,
            size,
            step,
            error_per_bit,
        )
        self.rates = rates
        scaled = (spectrum.coefficients / step).abs()
        q = scaled.shape[-1]
        self.own = own_class(torch.floor(scaled + 0.35))
        self.band = band(q).expand_as(self.own)
        self.diagonal = torch.from_numpy(DIAGONAL[:q, :q])

    def of(self, values: Tensor, last: Tensor) -> Tensor:
        lengths = self.rates.coefficient[self.size]
        bits = lengths[self.own, self.band, values.abs().clamp_max(LARGEST)]
        coded = (self.diagonal > 0) & (self.diagonal <= last[:, None, None])
        error = (self.spectrum.coefficients - values * self.step).square().sum((1, 2))
        total_bits = (bits * coded).sum((1, 2)) + self.rates.last[self.size][last]
        return error + self.spectrum.remainder + self.error_per_bit * total_bits

    def last_used(self, values: Tensor) -> Tensor:
        last: Tensor = (values.ne(0) * self.diagonal).amax((1, 2))
        return last


@pytest.fixture(params=[(size, step) for size in SIZES for step in STEPS], ids=str)
def case(request: pytest.FixtureRequest, rates: Rates) -> tuple[Cost, Quantised]:
    size, step = request.param
    analysed, error_per_bit = spectrum(blocks_of(size)), 0.13 * step**2
    costs = Cost(analysed, size, step, error_per_bit, rates)
    return costs, quantise(analysed, size, step, error_per_bit, rates)


def test_the_choice_is_no_worse_than_rounding_truncating_or_nothing(
    case: tuple[Cost, Quantised],
) -> None:
    costs, chosen = case
    coefficients = costs.spectrum.coefficients
    own_cost = costs.of(chosen.values, chosen.last)
    for bias in (0.5, 0.35, 0.2, 0.0, -1e9):
        magnitude = torch.floor(coefficients.abs() / costs.step + bias).clamp_min(0)
        values = (magnitude * coefficients.sign()).long()
        for last in range(0, last_diagonal(costs.size) + 1, 2):
            truncated = values * (costs.diagonal <= last)
            other = costs.of(truncated, costs.last_used(truncated))
            assert bool((own_cost <= other * (1 + 1e-4) + 1).all())


def test_the_last_diagonal_is_in_use_and_the_cost_is_that_of_the_values(
    case: tuple[Cost, Quantised],
) -> None:
    costs, chosen = case
    assert torch.equal(chosen.last, costs.last_used(chosen.values))
    assert not chosen.values[:, 0, 0].any()
    own_cost = costs.of(chosen.values, chosen.last)
    torch.testing.assert_close(chosen.cost, own_cost, rtol=1e-3, atol=1.0)
    parts = costs.spectrum, costs.size, costs.step, costs.error_per_bit, costs.rates
    assert torch.equal(least_cost(*parts), chosen.cost)


def test_values_stay_within_a_step_of_the_coefficients_or_are_zero(
    case: tuple[Cost, Quantised],
) -> None:
    costs, chosen = case
    scaled = costs.spectrum.coefficients / costs.step
    excess = scaled - chosen.values
    kept = chosen.values != 0
    assert float(excess[kept].abs().amax() if kept.any() else 0) <= 1.5 + 1e-3
    assert bool((chosen.values.abs() <= torch.floor(scaled.abs() + 0.5)).all())
    assert bool((chosen.values * scaled >= 0).all())


def test_at_zero_error_per_bit_coefficients_are_rounded(rates: Rates) -> None:
    analysed = spectrum(blocks_of(8))
    chosen = quantise(analysed, 8, 10.0, 0.0, rates)
    rounded = torch.round(analysed.coefficients / 10)
    close = (analysed.coefficients / 10 - rounded).abs() < 0.499
    assert torch.equal(chosen.values[close], rounded[close].long())


def test_noise_below_the_step_is_not_coded(rates: Rates, rng: np.random.Generator) -> None:
    blocks = torch.from_numpy(rng.normal(100, 2, (20, 16, 16))).float()
    chosen = quantise(spectrum(blocks), 16, 30.0, 0.13 * 900, rates)
    assert not chosen.values.any()
    assert not chosen.last.any()
