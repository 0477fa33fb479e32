"""Collages that a network is trained to predict for one picture."""

import pytest
import torch

import neural_collage as nc
from neural_collage.art.learned import FitProgress, learn_fractal, learn_style, prune
from neural_collage.core.blocks import pool
from tests.pictures import photo_crop, texture


def test_a_network_learns_a_picture_from_copies_of_it() -> None:
    progress: list[FitProgress] = []
    photo = photo_crop(64)
    scene = learn_fractal(photo, tiles=8, contrast=0.3, steps=60, progress=progress.append)
    assert [fit.step for fit in progress] == list(range(1, 61))
    assert {fit.steps for fit in progress} == {60}
    assert progress[-1].psnr > progress[0].psnr - 1  # copies, absent at first, add errors
    plain = learn_fractal(photo, tiles=8, contrast=0, steps=60)
    assert float(plain.collage.weights.abs().mean()) < 0.1
    decoded = scene.decode()
    assert decoded.shape == photo.shape
    error = (pool(decoded, 8) - pool(photo, 8)).square().mean()
    assert float(error) < 0.1 * float(pool(photo, 8).var())
    assert float(scene.collage.weights.mean()) == pytest.approx(0.3, abs=0.06)
    again = learn_fractal(photo, tiles=8, contrast=0.3, steps=60)
    assert torch.equal(again.decode(), decoded)


def test_a_network_learns_a_picture_from_patches_of_a_style() -> None:
    progress: list[FitProgress] = []
    scene = learn_style(
        photo_crop(64), texture(64, 64, 3), ranges=8, patches=16, steps=40, progress=progress.append
    )
    assert progress[-1].psnr > progress[0].psnr + 3
    assert scene.collage.patches is not None
    assert scene.collage.domains_per_range <= 4
    window = scene.decode(8, (10, 20, 30, 40))
    torch.testing.assert_close(window, scene.decode(8)[:, 20:60, 10:40], atol=1e-5, rtol=0)


def test_copies_of_a_learned_picture_may_be_turned() -> None:
    photo = photo_crop(64)
    upright, turned = (
        learn_fractal(photo, tiles=8, contrast=0.3, steps=60, isometries=isometries)
        for isometries in (False, True)
    )
    assert upright.collage.isometries.unique().tolist() == [0]
    assert len(turned.collage.isometries.unique()) == 8
    assert turned.collage.domains_per_range == 1
    assert float(turned.collage.weights.mean()) == pytest.approx(0.3, abs=0.06)
    errors = [(scene.decode() - photo).square().mean() for scene in (turned, upright)]
    assert errors[0] < errors[1]
    averages = [pool(scene.collage.decode(), 8) for scene in (turned, upright)]
    torch.testing.assert_close(*averages, atol=0.05, rtol=0)


def test_patches_of_a_learned_style_may_be_turned() -> None:
    photo = photo_crop(64)
    stripes = torch.linspace(0, 20, 32).sin().abs().expand(3, 32, 32)  # upright
    scenes = [
        learn_style(photo, stripes, ranges=8, patches=2, steps=40, isometries=turned)
        for turned in (False, True)
    ]
    plain, turned = (scene.collage.patches for scene in scenes)
    assert plain is not None
    assert turned is not None
    assert (len(plain), len(turned)) == (2, 16)
    assert any(torch.equal(each, plain[0].mT) for each in turned)
    errors = [float((scene.decode() - photo).square().mean()) for scene in scenes]
    assert errors[1] < errors[0]


def test_pruning_keeps_the_strongest_domains_and_the_averages() -> None:
    scene = learn_style(photo_crop(32), texture(32, 32, 3), ranges=4, patches=4, steps=10)
    two = prune(scene.collage, 2)
    assert two.domains_per_range == 2
    assert prune(two, 2) is two
    averages = [pool(collage.decode(), 8) for collage in (scene.collage, two)]
    torch.testing.assert_close(*averages, atol=1e-3, rtol=0)


def test_arguments_out_of_range_are_refused() -> None:
    photo = photo_crop(16)
    for tiles, contrast in ((1, 0.3), (65, 0.3), (8, 0.9)):
        with pytest.raises(nc.CollageError, match="tiles must be 2 to 64 and contrast 0 to"):
            learn_fractal(photo, tiles, contrast)
    with pytest.raises(nc.CollageError, match="patches 1 to 1024, not 8 and 0"):
        learn_style(photo, photo, 8, 0)
    with pytest.raises(nc.CollageError, match="steps must be 1 to"):
        learn_fractal(photo, steps=0)
