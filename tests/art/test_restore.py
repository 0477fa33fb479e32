"""Inpainting, denoising and enlarging of files, arrays and tensors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import neural_collage as nc
from neural_collage.core.blocks import pool
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop


def mask(size: int = 64) -> Tensor:
    covered = torch.zeros(1, size, size)
    covered[:, 20:30, 10:50] = 1
    return covered


def test_files_arrays_and_tensors_give_the_same_result(tmp_path: Path) -> None:
    photo = (photo_crop(64) * 255).round() / 255
    to_pil(photo).save(tmp_path / "a.png")
    to_pil(mask()).save(tmp_path / "mask.png")
    filled = nc.inpaint(tmp_path / "a.png", tmp_path / "mask.png")
    torch.testing.assert_close(filled, nc.inpaint(photo, mask()), atol=1e-5, rtol=0)
    assert torch.equal(filled[:, mask()[0] == 0], photo[:, mask()[0] == 0])
    assert torch.equal(nc.denoise(tmp_path / "a.png", 0), photo)
    array = (photo.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    assert torch.equal(nc.denoise(array, 0.1), nc.denoise(tmp_path / "a.png", 0.1))


def test_alpha_is_kept() -> None:
    photo = torch.cat([photo_crop(64), photo_crop(64)[:1]])
    assert nc.inpaint(photo, mask()).shape == photo.shape
    assert nc.denoise(photo, 0.05).shape == photo.shape


def test_an_enlarged_picture_averages_down_to_its_collage() -> None:
    photo = photo_crop(48)
    exact = nc.encode(photo, codec="neural", quality=95).decode()
    np.testing.assert_allclose(pool(nc.enlarge(photo, 2), 2), exact, atol=2e-2, rtol=0)
    assert nc.enlarge(photo, 1.5, codec="fractal", quality=60).shape == (3, 72, 72)
    assert nc.enlarge(photo, 0.5).shape == (3, 24, 24)


def test_invalid_arguments_are_refused() -> None:
    photo = photo_crop(48)
    with pytest.raises(nc.CollageError, match="the mask is 64x64 and the picture 48x48"):
        nc.inpaint(photo, mask())
    with pytest.raises(nc.CollageError, match="covers the whole picture"):
        nc.inpaint(photo, torch.ones(1, 48, 48))
    with pytest.raises(nc.CollageError, match="from 0 to 1, not 2"):
        nc.denoise(photo, 2)
    with pytest.raises(nc.CollageError, match="above the limit of"):
        nc.enlarge(photo, 1000)
    with pytest.raises(nc.CollageError, match="scale"):
        nc.enlarge(photo, 0)
