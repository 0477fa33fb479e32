"""The visual error: that of SSIMULACRA 2, with gradients."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from neural_collage.io.writing import to_pil
from neural_collage.models.compression.distortion.visual_error import (
    SMALLEST_SIDE,
    score_of,
    visual_error,
)
from tests.models.compression.distortion.jpeg import as_jpeg
from tests.pictures import photo_crop


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_scores_are_those_of_the_package(
    quality: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for what lies beyond the edges: zeros there, mirror images here."""
    package = pytest.importorskip("ssimulacra2.ssimulacra2")
    ndimage = pytest.importorskip("scipy.ndimage")

    def mirrored(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        blurred: npt.NDArray[np.float64] = ndimage.gaussian_filter(
            image, sigma=1.5, truncate=3.33, mode="reflect", axes=(0, 1)
        )
        return blurred

    monkeypatch.setattr(package, "blur_image", mirrored)
    picture = photo_crop(256, 50, 100)
    picture = (picture * 255).round() / 255
    test = as_jpeg(picture, quality)
    for name, image in (("a", picture), ("b", test)):
        to_pil(image).save(tmp_path / f"{name}.png")
    expected = package.compute_ssimulacra2(tmp_path / "a.png", tmp_path / "b.png")
    got = score_of(visual_error(test[None], picture[None]))
    assert float(got) == pytest.approx(expected, abs=0.03)


def test_equal_pictures_have_no_error_and_worse_ones_have_more() -> None:
    picture = photo_crop(128)[None]
    assert float(visual_error(picture, picture)) == pytest.approx(0, abs=1e-3)
    assert float(score_of(visual_error(picture, picture))) > 99.5
    errors = [float(visual_error(as_jpeg(picture[0], q)[None], picture)) for q in (90, 50, 10)]
    assert errors == sorted(errors)


def test_it_does_not_depend_on_orientation_or_neighbours_in_the_batch() -> None:
    picture, test = photo_crop(96), as_jpeg(photo_crop(96), 40)
    expected = visual_error(test[None], picture[None])
    for turned in ((test.mT, picture.mT), (test.flip(-1), picture.flip(-1))):
        got = visual_error(*(image[None] for image in turned))
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=0)
    both = visual_error(torch.stack([picture, test]), torch.stack([picture, picture]))
    torch.testing.assert_close(both[1:], expected, rtol=1e-3, atol=0)


def test_the_gradient_is_that_of_small_changes() -> None:
    picture = photo_crop(64)[None]
    torch.manual_seed(0)
    test = (picture + 0.05 * torch.randn_like(picture)).clamp(0.1, 0.9).requires_grad_()
    visual_error(test, picture).sum().backward()
    assert test.grad is not None
    change = 1e-3 * test.grad / test.grad.norm()
    with torch.no_grad():
        ahead, behind = (visual_error(test + sign * change, picture) for sign in (1, -1))
    measured = float(ahead - behind) / 2
    assert measured == pytest.approx(float((test.grad * change).sum()), rel=0.05)


def test_a_gradient_exists_where_pictures_are_equal() -> None:
    picture = photo_crop(32)[None].requires_grad_()
    visual_error(picture, picture.detach()).sum().backward()
    assert picture.grad is not None
    assert bool(picture.grad.isfinite().all())


def test_pictures_without_a_scale_are_refused() -> None:
    small = torch.rand(1, 3, SMALLEST_SIDE - 1, 40)
    with pytest.raises(ValueError, match="40 x 7 pixels are too few"):
        visual_error(small, small)
