import math
import sys

import numpy as np
import pytest

from neural_collage.errors import MissingExtraError
from neural_collage.evaluation.metrics import MS_SSIM_MIN_SIDE, Rgb, ms_ssim, psnr


def _grey(level: int, height: int = 8, width: int = 6) -> Rgb:
    return np.full((height, width, 3), level, dtype=np.uint8)


def _noisy(picture: Rgb, amplitude: int, rng: np.random.Generator) -> Rgb:
    noise = rng.integers(-amplitude, amplitude + 1, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("difference", [1, 5, 255])
def test_psnr_of_a_constant_difference(difference: int) -> None:
    found = psnr(_grey(0), _grey(difference))
    assert found == pytest.approx(20 * math.log10(255 / difference))


def test_psnr_counts_every_channel_of_every_pixel() -> None:
    altered = _grey(100)
    altered[3, 2, 1] = 110
    assert psnr(_grey(100), altered) == pytest.approx(10 * math.log10(255**2 * 8 * 6 * 3 / 10**2))


def test_psnr_is_symmetric_and_does_not_wrap_around() -> None:
    assert psnr(_grey(250), _grey(3)) == psnr(_grey(3), _grey(250))


def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert psnr(_grey(7), _grey(7)) == math.inf


def test_ms_ssim_falls_with_the_noise(rng: np.random.Generator) -> None:
    side = MS_SSIM_MIN_SIDE
    picture = rng.integers(0, 256, (side, side + 5, 3), dtype=np.uint8)
    equal, close, far = (ms_ssim(picture, _noisy(picture, n, rng)) for n in (0, 10, 60))
    assert far is not None
    assert close is not None
    assert equal == pytest.approx(1)
    assert far < close < 1


def test_ms_ssim_of_a_picture_too_small_for_five_scales_is_none() -> None:
    small = _grey(9, MS_SSIM_MIN_SIDE - 1, 300)
    assert ms_ssim(small, small) is None


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", None)
    large = _grey(0, MS_SSIM_MIN_SIDE, MS_SSIM_MIN_SIDE)
    with pytest.raises(MissingExtraError, match=r'pip install "neural-collage\[bench\]"'):
        ms_ssim(large, large)
