"""The structural error: one minus MS-SSIM, with gradients."""

import pytest
import torch

from neural_collage.models.compression.distortion.structural_error import structural_error
from tests.models.compression.distortion.jpeg import as_jpeg
from tests.pictures import photo_crop


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_it_is_that_of_torchmetrics_but_for_edges(quality: int) -> None:
    """Which torchmetrics leaves out: so pictures whose edges are flat agree."""
    functional = pytest.importorskip("torchmetrics.functional.image")
    picture = photo_crop(384, 20, 20)[None]
    test = as_jpeg(picture[0], quality)[None]
    expected = 1 - functional.multiscale_structural_similarity_index_measure(
        test, picture, data_range=1.0
    )
    assert float(structural_error(test, picture)) == pytest.approx(float(expected), rel=0.08)


def test_equal_pictures_have_no_error_and_worse_ones_have_more() -> None:
    picture = photo_crop(128)[None]
    assert float(structural_error(picture, picture)) == pytest.approx(0, abs=1e-5)
    errors = [float(structural_error(as_jpeg(picture[0], q)[None], picture)) for q in (90, 50, 10)]
    assert 0 < errors[0] < errors[1] < errors[2] < 1


def test_gradients_are_those_of_differences() -> None:
    picture = photo_crop(64)[None]
    torch.manual_seed(0)
    test = (picture + 0.05 * torch.randn_like(picture)).requires_grad_()
    change = torch.randn_like(picture) * 1e-3
    structural_error(test, picture).sum().backward()
    assert test.grad is not None
    with torch.no_grad():
        ahead, behind = (structural_error(test + sign * change, picture) for sign in (1, -1))
    slope = float((test.grad * change).sum())
    assert slope == pytest.approx(float(ahead - behind) / 2, rel=0.02)


def test_a_reversed_picture_has_a_bounded_error_and_gradients() -> None:
    """Similarities below zero count as the least, whose power has a slope."""
    picture = photo_crop(64)[None]
    test = (1 - picture).requires_grad_()
    error = structural_error(test, picture)
    error.sum().backward()
    assert 0.5 < float(error.detach()) < 1
    assert test.grad is not None
    assert bool(test.grad.isfinite().all())


def test_pictures_of_less_than_five_scales_are_refused() -> None:
    small = torch.rand(1, 3, 15, 40)
    with pytest.raises(ValueError, match="40 x 15 pixels are too few"):
        structural_error(small, small)
