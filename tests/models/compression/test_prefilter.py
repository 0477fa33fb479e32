"""Time-domain lapped transforms."""

import math

import pytest
import torch

from neural_collage.core.cosines import orthonormal_cosines
from neural_collage.core.lapped import synthesise
from neural_collage.models.compression import prefilter
from neural_collage.models.compression.initial_patches import cosine_blocks
from neural_collage.models.compression.prefilter import lapped_windows, prefiltered


def cosines(size: int, count: int) -> torch.Tensor:
    """Orthonormal blocks (count, 3, size, size) in double precision."""
    pictures = torch.rand(2, 3, 4 * size, 4 * size)
    return cosine_blocks(pictures, size, count, 0.5)[0].double()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 1), (3, 4)])
@pytest.mark.parametrize("size", [4, 16])
def test_windows_undo_the_filter_up_to_the_edges(rows: int, columns: int, size: int) -> None:
    blocks = cosines(size, 3 * size**2)
    image = torch.randn(2, 3, rows * size, columns * size, dtype=torch.float64)
    coefficients = torch.nn.functional.conv2d(prefiltered(image, size), blocks, stride=size)
    found = synthesise(coefficients, lapped_windows(blocks))
    assert torch.allclose(found, image, atol=2e-5)  # cosines are single precision


def test_constant_images_stay_as_they_are() -> None:
    image = torch.full((1, 3, 48, 32), 0.3, dtype=torch.float64)
    assert torch.allclose(prefiltered(image, 16), image, atol=1e-12)


def test_the_average_fades_into_its_neighbours() -> None:
    """The patch of an average has no edge at the border of its range, nor at its own."""
    average = torch.ones(1, 1, 16, 16, dtype=torch.float64) / 16
    profile = lapped_windows(average)[0, 0].sum(0)
    assert profile.argmax() in (15, 16)
    assert float(profile.diff().abs().max() / profile.max()) < 0.12
    assert float(profile[0] / profile.max()) < 0.05


def test_patches_are_orthonormal_without_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefilter, "STRETCH", 1.0)
    prefilter._filters.cache_clear()
    windows = lapped_windows(cosines(8, 192)).flatten(1)
    prefilter._filters.cache_clear()
    assert torch.allclose(windows @ windows.T, torch.eye(192).double(), atol=1e-5)


def test_the_coding_gain_is_the_documented_one() -> None:
    """Decibels of an AR(0.95) source above its samples, for blocks of 16."""
    distance = (torch.arange(48)[:, None] - torch.arange(48)).abs()
    covariance = 0.95 ** distance.double()
    waves = orthonormal_cosines(16)
    filtered = prefilter._along_rows(torch.eye(48).double(), 16)  # a column for each pixel
    analysis = waves @ filtered.T[16:32]
    forward = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    energies = []
    for wave in waves:  # of a wave along rows, constant down columns
        forward[:] = wave / 4
        energies.append(lapped_windows(forward).sum(2).square().sum() / 16)
    variances = (analysis @ covariance @ analysis.T).diag()
    gain = -10 * torch.log10(variances * torch.stack(energies)).mean()
    assert math.isclose(float(gain), 9.92, abs_tol=0.01)
