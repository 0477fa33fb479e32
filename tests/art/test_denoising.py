"""Denoised images are closer to the clean ones than the noisy ones, or any blur of them."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import neural_collage as nc
from neural_collage.art.denoising import clean, estimate_noise, threshold_cosines
from tests.pictures import photo_crop, texture


def noisy(photo: Tensor, sigma: float) -> Tensor:
    return photo + sigma * torch.randn(photo.shape)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


def best_blur(photo: Tensor, picture: Tensor) -> float:
    """PSNR of the best Gaussian blur, in dB."""
    results = []
    for sigma in (0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2):
        x = torch.arange(-8, 9).float()
        kernel = torch.exp(-x.square() / (2 * sigma**2))
        kernel = kernel / kernel.sum()
        blurred = functional.pad(picture[:, None], (8, 8, 8, 8), mode="reflect")
        blurred = functional.conv2d(blurred, kernel.view(1, 1, 1, -1))
        blurred = functional.conv2d(blurred, kernel.view(1, 1, -1, 1))[:, 0]
        results.append(psnr(blurred, photo))
    return max(results)


@pytest.mark.parametrize("levels", [10, 25, 50])
def test_denoising_beats_the_best_blur_by_1_db(levels: int) -> None:
    photo = photo_crop(160)
    picture = noisy(photo, levels / 255)
    cleaned = clean(picture, levels / 255)
    assert psnr(cleaned, photo) > best_blur(photo, picture) + 1


def test_domains_improve_on_thresholding_alone() -> None:
    photo = photo_crop(160)
    picture = noisy(photo, 0.1)
    assert psnr(clean(picture, 0.1), photo) > psnr(threshold_cosines(picture, 0.1), photo)


@pytest.mark.parametrize("levels", [5, 15, 50])
def test_the_noise_estimate_is_accurate(levels: int) -> None:
    flat = noisy(torch.full((3, 128, 128), 0.5), levels / 255)
    assert estimate_noise(flat) == pytest.approx(levels / 255, rel=0.03)
    photo = photo_crop(160)
    estimate = estimate_noise(noisy(photo, levels / 255))
    assert levels / 255 * 0.95 < estimate < levels / 255 * 1.3 + 0.01
    assert estimate_noise(torch.zeros(3, 9, 9)) == 0


def test_without_noise_the_image_stays() -> None:
    picture = texture(50, 70, 3)
    assert torch.equal(clean(picture, 0), picture)
    assert float((clean(picture, 0.5 / 255) - picture).abs().mean()) < 0.5 / 255
    flat = torch.full((3, 40, 40), 0.3)
    torch.testing.assert_close(clean(flat, 0.2), flat)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (7, 30)], ids=str)
def test_all_sizes_and_channels_are_supported(channels: int, size: tuple[int, int]) -> None:
    cleaned = clean(torch.rand(channels, *size), 0.1)
    assert cleaned.shape == (channels, *size)
    assert bool(((cleaned >= 0) & (cleaned <= 1)).all())


def test_a_noise_out_of_range_is_refused() -> None:
    for noise in (-0.1, 1.5, float("nan")):
        with pytest.raises(nc.CollageError, match="standard deviation from 0 to 1"):
            clean(torch.rand(1, 9, 9), noise)


def test_progress_counts_every_grid() -> None:
    calls: list[tuple[int, int]] = []
    clean(torch.rand(1, 9, 9), 0.1, lambda *call: calls.append(call))
    assert calls == [(n, 16) for n in range(1, 17)]
