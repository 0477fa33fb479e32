from dataclasses import replace

import numpy as np
import pytest
import torch

from neural_collage.core.blocks import cut
from neural_collage.fractal.coefficients import quantise, spectrum
from neural_collage.fractal.effort import EFFORTS
from neural_collage.fractal.encoder import encode_plane
from neural_collage.fractal.geometry import SIZES, PlaneGeometry, last_diagonal
from neural_collage.fractal.rates import LARGEST, Rates, band, own_class
from neural_collage.fractal.statistics import KINDS, Counter, flat_counts, prior_counts
from neural_collage.fractal.syntax import code_plane
from tests.fractal.codes import blank_code
from tests.pictures import photo_crop

SOURCES = [*KINDS, "flat"]


def rates_of(source: str) -> Rates:
    return Rates.of(flat_counts() if source == "flat" else prior_counts(source))


@pytest.mark.parametrize("source", SOURCES)
def test_rates_are_finite_and_positive(source: str) -> None:
    rates = rates_of(source)
    tables = [*rates.coefficient.values(), *rates.last.values(), *rates.n_domains.values()]
    for table in [*tables, *rates.split.values()]:
        assert bool(torch.isfinite(table).all())
        assert float(table.min()) > 0
    for table in rates.contrast.values():
        assert bool(torch.isfinite(table).all())
        contrasts = torch.arange(len(table)) - len(table) // 2
        assert bool((table[contrasts != 0] > 0).all())
    assert rates.isometry == 3


@pytest.mark.parametrize("source", SOURCES)
def test_rates_are_lengths_of_a_prefix_code(source: str) -> None:
    """They satisfy Kraft's inequality, almost with equality."""
    rates = rates_of(source)
    for size in SIZES:
        for table in (rates.last[size], rates.n_domains[size]):
            assert 0.85 < float((2.0**-table).sum()) <= 1 + 1e-4
        assert len(rates.last[size]) == last_diagonal(size) + 1
        magnitudes = rates.coefficient[size]
        assert magnitudes.shape[-1] == LARGEST + 1
        signed = torch.cat([magnitudes[..., :1], magnitudes[..., 1:] - 1], -1)
        assert float((2.0**-signed).sum(-1).max()) <= 1 + 1e-4


def test_rates_of_large_magnitudes_increase() -> None:
    for size in SIZES:
        tail = rates_of("luma").coefficient[size][..., 15:]
        assert bool((tail.diff(dim=-1) >= 0).all())
        assert bool((tail[..., -1] > tail[..., 0]).all())


def test_the_own_class_depends_only_on_earlier_diagonals() -> None:
    magnitude = torch.randint(0, 5, (30, 8, 8)).float()
    classes = own_class(magnitude)
    assert (int(classes.min()), int(classes.max())) == (0, 6)
    diagonal = torch.arange(8)[:, None] + torch.arange(8)
    for d in (1, 4, 9):
        later = torch.where(diagonal >= d, 9.0, magnitude)
        now = diagonal == d
        assert torch.equal(own_class(later)[:, now], classes[:, now])
    assert band(8).flatten()[[1, 2, 3, 18, 63]].tolist() == [0, 0, 1, 1, 3]


@pytest.mark.parametrize("quality_step", [12.0, 40.0])
@pytest.mark.parametrize("size", [16, 8, 4])
def test_estimated_rates_of_coefficients_approximate_the_coders(
    quality_step: float, size: int
) -> None:
    """Within 25 %, as estimates average over those parts of contexts that neighbours determine."""
    image = photo_crop(256, 60, 120)[1] * 255
    rates, error_per_bit = rates_of("luma"), 0.13 * quality_step**2
    analysed = spectrum(cut(image, size))
    chosen = quantise(analysed, size, quality_step, error_per_bit, rates)
    q = chosen.values.shape[-1]
    coefficients = np.zeros((len(chosen.last), 8, 8), np.int64)
    coefficients[:, :q, :q] = chosen.values.numpy()
    error = (analysed.coefficients - chosen.values * quality_step).square().sum((1, 2))
    estimated = float(((chosen.cost - error - analysed.remainder) / error_per_bit).sum())
    code = blank_code(PlaneGeometry(256, 256, 8), size)
    code = replace(code, last=chosen.last.numpy(), coefficients=coefficients)
    counter = Counter(prior_counts("luma"))
    code_plane(counter, code.geometry, 1, code)
    names = ("last", "magnitude", "escape")
    actual = sum(bits for name, bits in counter.bits.items() if name.startswith(names))
    actual += int(np.count_nonzero(coefficients))  # the signs, plain bits
    assert estimated == pytest.approx(actual, rel=0.25)


def test_the_statistics_of_a_code_reduce_its_rate() -> None:
    """Counts adapted to a code give it a lower rate than the prior."""
    image = photo_crop(128)[0] * 255
    prior = prior_counts("luma")
    code = encode_plane(image, 30.0, 0.13 * 900, prior, EFFORTS[4])
    first = Counter(prior_counts("luma"))
    code_plane(first, code.geometry, 1, code)
    second = Counter({name: counts.copy() for name, counts in first.counts.items()})
    code_plane(second, code.geometry, 1, code)
    assert sum(second.bits.values()) < sum(first.bits.values())
