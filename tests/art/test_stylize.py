"""Style transfer with patches of another picture."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

import neural_collage as nc
from neural_collage.art.stylize import transfer_colours
from tests.pictures import photo_crop, texture


def stripes(height: int = 64, width: int = 96) -> Tensor:
    """Red and yellow diagonals."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    wave = ((x + y) % 8 < 4).float()
    return torch.stack([torch.full_like(wave, 0.9), 0.2 + 0.6 * wave, 0.1 + 0.1 * wave])


def detail(picture: Tensor) -> float:
    """Mean squared difference of diagonal neighbours, which cross the stripes."""
    return float((picture[:, 1:, 1:] - picture[:, :-1, :-1]).square().mean())


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_the_result_correlates_with_the_photo(size: int) -> None:
    photo = photo_crop(96)
    painted = nc.stylize(photo, stripes(), nc.Style(size, strength=0.1)).decode()
    assert painted.shape == photo.shape
    assert float(torch.corrcoef(torch.stack([photo.flatten(), painted.flatten()]))[0, 1]) > 0.5


def test_strength_adds_the_detail_of_the_style() -> None:
    photo = torch.full((3, 64, 64), 0.5)
    none, half, full = (
        detail(nc.stylize(photo, stripes(), nc.Style(strength=strength)).decode())
        for strength in (0.0, 0.5, 1.0)
    )
    assert none < 1e-4
    assert half > 0.001
    assert full > 2 * half


def test_a_strength_of_0_minimises_the_error() -> None:
    photo = photo_crop(96)
    errors = [
        float((nc.stylize(photo, photo_crop(96, 200, 60), how).decode() - photo).square().mean())
        for how in (nc.Style(strength=0), nc.Style(strength=0, sources=6), nc.Style(strength=1))
    ]
    assert errors[1] < errors[0] < errors[2]


def test_colours_are_those_of_the_content_or_of_the_style() -> None:
    photo, style = photo_crop(64), stripes()
    content, style_colours = (
        nc.stylize(photo, style, nc.Style(strength=0.2, colours=source)).decode().mean((1, 2))
        for source in ("content", "style")
    )
    torch.testing.assert_close(content, photo.mean((1, 2)), atol=0.03, rtol=0)
    torch.testing.assert_close(style_colours, style.mean((1, 2)), atol=0.08, rtol=0)


def test_colour_transfer_matches_the_mean_and_the_covariance() -> None:
    photo, style = 0.3 + 0.3 * texture(40, 50, 3), 0.4 + 0.2 * texture(30, 30, 3, seed=4)
    moved = transfer_colours(photo, style)
    torch.testing.assert_close(moved.mean((1, 2)), style.mean((1, 2)), atol=1e-4, rtol=0)
    covariances = [torch.cov(x.flatten(1)) for x in (moved, style)]
    torch.testing.assert_close(*covariances, atol=1e-4, rtol=0)
    torch.testing.assert_close(transfer_colours(photo, photo), photo, atol=1e-4, rtol=0)


def test_own_domains_add_detail_at_larger_scales() -> None:
    photo = photo_crop(64)
    how = nc.Style(own=0.7)
    with_own, without = (nc.stylize(photo, stripes(), h) for h in (how, replace(how, own=0.0)))
    assert float(with_own.collage.weights.abs().max()) > 0
    assert float(without.collage.weights.abs().max()) == 0

    def gradient(scene: object) -> float:
        fine: Tensor = scene.decode(4)  # type: ignore[attr-defined]
        return float((fine[:, :, 1:] - fine[:, :, :-1]).abs().mean())

    assert gradient(with_own) > gradient(without)


def test_a_window_equals_the_crop_of_the_whole() -> None:
    scene = nc.stylize(photo_crop(64), stripes(), nc.Style(own=0.5))
    whole = scene.decode(4)
    part = scene.decode(4, (100, 60, 50, 40))
    torch.testing.assert_close(part, whole[:, 60:100, 100:150], atol=1e-5, rtol=0)


def test_progress_counts_every_step() -> None:
    calls: list[tuple[int, int]] = []
    nc.stylize(photo_crop(64), stripes(), nc.Style(sources=3), lambda *call: calls.append(call))
    assert calls == [(n, 5) for n in range(1, 6)]


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
def test_invalid_styles_are_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(nc.CollageError, match=problem):
        nc.Style(**options)  # type: ignore[arg-type]


def test_a_style_that_is_too_small_is_refused() -> None:
    with pytest.raises(nc.CollageError, match="40x15 pixels is below the 16x16 of a patch"):
        nc.stylize(photo_crop(32), texture(15, 40, 3))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 7)], ids=str)
def test_small_pictures_are_supported(size: tuple[int, int]) -> None:
    pixels = nc.stylize(texture(*size, 3), stripes(), nc.Style(own=0.5)).decode()
    assert pixels.shape == (3, *size)
    assert bool(pixels.isfinite().all())
