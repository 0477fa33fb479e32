"""Iterates of the map of a picture, from any start to its fixed point."""

import numpy as np
import pytest
import torch

import neural_collage as nc
from neural_collage.art.convergence import crossfade_frames, iterates
from tests.pictures import photo_crop, texture


@pytest.mark.parametrize("codec", ["fractal", "neural"])
@pytest.mark.parametrize("start", ["black", "noise", "photo"])
def test_iterates_converge_from_every_start(codec: str, start: str) -> None:
    photo = photo_crop(70)
    collage = nc.encode(photo, codec=codec, quality=60)
    initial = {
        "black": torch.zeros_like(photo),
        "noise": torch.rand(photo.shape),
        "photo": texture(70, 70, 3),
    }[start]
    pictures = iterates(collage, initial, 25)
    assert len(pictures) == 26
    final = torch.from_numpy(collage.decode())
    torch.testing.assert_close(
        pictures[0], initial, atol=1e-2 if codec == "fractal" else 1e-5, rtol=0
    )
    errors = [float((picture - final).square().mean()) for picture in pictures]
    assert errors[-1] < 1e-5
    if codec == "fractal":
        assert errors[1] < errors[0]
        assert errors[4] < errors[1]


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_iterates_have_the_channels_of_the_picture(channels: int) -> None:
    collage = nc.encode(texture(20, 30, channels), codec="fractal", graphics=False)
    pictures = iterates(collage, torch.zeros(channels, 20, 30), 20)
    assert all(picture.shape == (channels, 20, 30) for picture in pictures)
    np.testing.assert_allclose(pictures[-1], collage.decode(), atol=5e-3, rtol=0)


def test_invalid_starts_and_steps_are_refused() -> None:
    collage = nc.encode(photo_crop(16), codec="fractal", graphics=False)
    with pytest.raises(nc.CollageError, match=r"shape \(3, 9, 9\), the image \(3, 16, 16\)"):
        iterates(collage, torch.zeros(3, 9, 9), 1)
    with pytest.raises(nc.CollageError, match="steps must be at least 1"):
        iterates(collage, torch.zeros(3, 16, 16), 0)


def test_a_film_alternates_cross_fades_and_still_pictures() -> None:
    pictures = [torch.full((1, 2, 2), level) for level in (0.0, 0.5, 1.0)]
    levels = [float(frame.mean()) for frame in crossfade_frames(pictures, 4)]
    assert levels == [0, 0, 0, 0, 0.25, 0.5, 0.5, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1]
    with pytest.raises(nc.CollageError, match="at least 2"):
        next(crossfade_frames(pictures[:1], 4))
