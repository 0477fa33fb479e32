"""Filled holes are close to the original, and known pixels stay."""

import pytest
import torch
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from neural_collage.art.inpainting import fill
from tests.pictures import photo_crop, texture


def error(picture: Tensor, photo: Tensor, unknown: Tensor) -> float:
    return float((picture - photo).square()[:, unknown].mean())


def holes(size: int, kind: str) -> Tensor:
    unknown = torch.zeros(size, size, dtype=torch.bool)
    if kind == "random":
        return torch.rand(size, size) < 0.3
    if kind == "square":
        unknown[30:54, 40:64] = True
    if kind == "scratches":
        for n in range(0, size, 16):
            unknown[(torch.arange(size) // 2 + n) % size, torch.arange(size)] = True
            unknown[n : n + 2] = True
    if kind == "corner":
        unknown[:20, :20] = True
    return unknown


@pytest.mark.parametrize("kind", ["random", "square", "scratches", "corner"])
def test_filling_beats_the_mean_of_known_pixels(kind: str) -> None:
    photo, unknown = photo_crop(96), holes(96, kind)
    filled = fill(photo, unknown)
    assert torch.equal(filled[:, ~unknown], photo[:, ~unknown])
    mean = photo[:, ~unknown].mean(1)[:, None, None].expand_as(photo)
    assert error(filled, photo, unknown) < 0.8 * error(mean, photo, unknown)


def test_stripes_continue_across_a_hole() -> None:
    """Biharmonic inpainting, which is smooth, cannot do that."""
    y, x = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    photo = (0.5 + 0.4 * torch.sin((x + 0.5 * y) * 0.8))[None].expand(3, -1, -1).contiguous()
    unknown = holes(96, "square")
    smooth = inpaint_biharmonic(photo[0].numpy(), unknown.numpy(), split_into_regions=True)
    smooth = torch.from_numpy(smooth).float()[None].expand(3, -1, -1)
    assert error(fill(photo, unknown), photo, unknown) < 0.8 * error(smooth, photo, unknown)


def test_unknown_pixels_do_not_affect_the_result() -> None:
    photo, unknown = photo_crop(64), holes(64, "random")
    other = torch.where(unknown, torch.rand(photo.shape), photo)
    assert torch.equal(fill(photo, unknown), fill(other, unknown))


def test_without_holes_nothing_changes() -> None:
    photo = photo_crop(32)
    assert torch.equal(fill(photo, torch.zeros(32, 32, dtype=torch.bool)), photo)


@pytest.mark.parametrize("size", [(2, 1), (1, 9), (9, 20), (17, 64)], ids=str)
@pytest.mark.parametrize("channels", [1, 4])
def test_all_sizes_and_channels_are_supported(size: tuple[int, int], channels: int) -> None:
    photo = texture(*size, channels)
    unknown = torch.ones(size, dtype=torch.bool)
    unknown[0, 0] = False
    filled = fill(photo, unknown)
    assert torch.equal(filled[:, 0, 0], photo[:, 0, 0])
    assert bool(((filled >= 0) & (filled <= 1)).all())


def test_progress_counts_every_step() -> None:
    calls: list[tuple[int, int]] = []
    fill(photo_crop(64), holes(64, "square"), lambda *call: calls.append(call))
    steps = calls[0][1]
    assert calls == [(n, steps) for n in range(1, steps + 1)]
