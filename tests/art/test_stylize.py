"""Photos painted with the patches of other pictures."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

import neural_collage as nc
from neural_collage.art.stylize import recoloured
from tests.pictures import photo_crop, texture


def stripes(height: int = 64, width: int = 96) -> Tensor:
    """Red and yellow diagonals."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    wave = ((x + y) % 8 < 4).float()
    return torch.stack([torch.full_like(wave, 0.9), 0.2 + 0.6 * wave, 0.1 + 0.1 * wave])


def detail(picture: Tensor) -> float:
    """How much a picture changes from pixel to pixel, across the stripes."""
    return float((picture[:, 1:, 1:] - picture[:, :-1, :-1]).square().mean())


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_the_photo_is_still_there(size: int) -> None:
    photo = photo_crop(96)
    painted = nc.stylize(photo, stripes(), nc.Style(size, strength=0.1)).decode()
    assert painted.shape == photo.shape
    assert float(torch.corrcoef(torch.stack([photo.flatten(), painted.flatten()]))[0, 1]) > 0.5


def test_strength_brings_the_strokes_of_the_style() -> None:
    photo = torch.full((3, 64, 64), 0.5)
    none, half, all_of_it = (
        detail(nc.stylize(photo, stripes(), nc.Style(strength=strength)).decode())
        for strength in (0.0, 0.5, 1.0)
    )
    assert none < 1e-4
    assert half > 0.001
    assert all_of_it > 2 * half


def test_without_strength_patches_serve_the_photo() -> None:
    photo = photo_crop(96)
    errors = [
        float((nc.stylize(photo, photo_crop(96, 200, 60), how).decode() - photo).square().mean())
        for how in (nc.Style(strength=0), nc.Style(strength=0, sources=6), nc.Style(strength=1))
    ]
    assert errors[1] < errors[0] < errors[2]


def test_colours_come_from_where_they_shall() -> None:
    photo, style = photo_crop(64), stripes()
    content, style_colours = (
        nc.stylize(photo, style, nc.Style(strength=0.2, colours=whose)).decode().mean((1, 2))
        for whose in ("content", "style")
    )
    torch.testing.assert_close(content, photo.mean((1, 2)), atol=0.03, rtol=0)
    torch.testing.assert_close(style_colours, style.mean((1, 2)), atol=0.08, rtol=0)


def test_colours_are_moved_as_little_as_can_be() -> None:
    photo, style = 0.3 + 0.3 * texture(40, 50, 3), 0.4 + 0.2 * texture(30, 30, 3, seed=4)
    moved = recoloured(photo, style)
    torch.testing.assert_close(moved.mean((1, 2)), style.mean((1, 2)), atol=1e-4, rtol=0)
    covariances = [torch.cov(x.flatten(1)) for x in (moved, style)]
    torch.testing.assert_close(*covariances, atol=1e-4, rtol=0)
    torch.testing.assert_close(recoloured(photo, photo), photo, atol=1e-4, rtol=0)


def test_own_domains_go_on_below_the_pixels() -> None:
    photo = photo_crop(64)
    how = nc.Style(own=0.7)
    with_own, without = (nc.stylize(photo, stripes(), h) for h in (how, replace(how, own=0.0)))
    assert float(with_own.collage.weights.abs().max()) > 0
    assert float(without.collage.weights.abs().max()) == 0

    def finest(scene: object) -> float:
        fine: Tensor = scene.decode(4)  # type: ignore[attr-defined]
        return float((fine[:, :, 1:] - fine[:, :, :-1]).abs().mean())

    assert finest(with_own) > finest(without)


def test_it_can_be_looked_into_window_by_window() -> None:
    scene = nc.stylize(photo_crop(64), stripes(), nc.Style(own=0.5))
    whole = scene.decode(4)
    part = scene.decode(4, (100, 60, 50, 40))
    torch.testing.assert_close(part, whole[:, 60:100, 100:150], atol=1e-5, rtol=0)


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    nc.stylize(photo_crop(64), stripes(), nc.Style(sources=3), lambda *now: told.append(now))
    assert told == [(n, 5) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": 7}, "size must be 4, 8, 16 or 32 pixels, not 7"),
        ({"sources": 0}, "sources must be 1 to 8"),
        ({"strength": -1}, "strength must be 0 to 1"),
        ({"own": 1}, "own must be 0 to 0.9"),
        ({"own": 2, "sources": 9}, "sources.*; own"),
    ],
    ids=str,
)
def test_what_no_style_can_be_is_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(nc.CollageError, match=problem):
        nc.Style(**options)  # type: ignore[arg-type]


def test_a_style_that_is_too_small_is_refused() -> None:
    with pytest.raises(nc.CollageError, match="holds no patch of 16"):
        nc.stylize(photo_crop(32), texture(15, 40, 3))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 7)], ids=str)
def test_small_pictures_can_be_painted(size: tuple[int, int]) -> None:
    shown = nc.stylize(texture(*size, 3), stripes(), nc.Style(own=0.5)).decode()
    assert shown.shape == (3, *size)
    assert bool(shown.isfinite().all())
