"""Fractals of tiles that show the whole picture: averages, copies, scales, windows and limits."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import neural_collage as nc
from neural_collage.art.colours import luma, resized
from neural_collage.art.fractal import Fractal
from neural_collage.art.fractalize import BOUND, Tiling, fractalize
from neural_collage.core.blocks import pool
from neural_collage.core.pyramid import PyramidDecoder
from tests.pictures import photo_crop, texture


def mid_tones(height: int = 60, width: int = 90) -> Tensor:
    """A photo whose fractal stays within [0, 1], so that nothing is clipped."""
    return 0.3 + 0.4 * texture(height, width, 3)


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([luma(a).flatten(), luma(b).flatten()]))[0, 1])


@pytest.mark.parametrize(
    "tiling",
    [
        Tiling(16),
        Tiling(16, contrast=0.0),
        Tiling(16, isometries=True),
        Tiling(16, domains=9),
        Tiling(16, domains=49, isometries=True),
        Tiling(16, adaptive=True),
        Tiling(16, domains=9, adaptive=True, isometries=True),
    ],
    ids=str,
)
def test_tiles_have_the_averages_of_the_photo(tiling: Tiling) -> None:
    photo = mid_tones()
    fractal = fractalize(photo, tiling)
    canvas = PyramidDecoder(fractal.collage).canvas(Fraction(1))
    size = int(fractal.collage.partition.blocks[0, 2])
    expected = resized(photo, *canvas.shape[1:])
    assert float((pool(canvas, size) - pool(expected, size)).abs().max()) < 2 / 255
    assert float(fractal.collage.weights.max()) <= BOUND
    assert float(fractal.collage.weights.min()) >= 0
    assert len(fractal.collage.partition) == 16 * 16
    assert bool(fractal.collage.isometries.any()) == tiling.isometries
    assert fractal.decode().shape == photo.shape


def test_every_tile_shows_the_whole_picture() -> None:
    fractal = fractalize(mid_tones(80, 120), Tiling(8, contrast=0.6))
    whole = fractal.decode()
    enlarged = fractal.decode(8)
    copies = [
        correlation(whole, enlarged[:, y : y + 80, x : x + 120])
        for y in range(0, 640, 80)
        for x in range(0, 960, 120)
    ]
    assert min(copies) > 0.9


def test_a_larger_contrast_gives_larger_weights_and_a_larger_error() -> None:
    photo = photo_crop(96)
    faint, strong = (fractalize(photo, Tiling(16, contrast=c)) for c in (0.0, 0.8))
    assert float(strong.collage.weights.mean()) > 2 * float(faint.collage.weights.mean())
    errors = [float((f.decode() - photo).square().mean()) for f in (faint, strong)]
    assert errors[0] < errors[1]


def test_adaptive_tiles_are_smaller_in_detailed_areas() -> None:
    photo = torch.full((3, 128, 128), 0.5)
    photo[:, :64, :64] = texture(64, 64, 3)
    blocks = fractalize(photo, Tiling(16, adaptive=True)).collage.partition.blocks
    detailed = (blocks[:, :2] < blocks[:, :2].max() / 2).all(1)
    assert float(blocks[detailed, 2].float().mean()) < float(blocks[~detailed, 2].float().mean())


def test_strength_blends_the_photo_with_the_fractal() -> None:
    photo = mid_tones()
    pure = fractalize(photo, Tiling(8))
    assert torch.equal(replace(pure, strength=0.0).decode(), photo)
    half = replace(pure, strength=0.5).decode(2)
    expected = torch.lerp(replace(pure, strength=0.0).decode(2), pure.decode(2), 0.5)
    torch.testing.assert_close(half, expected)


@given(st.fractions(Fraction(1, 3), 6, max_denominator=7), st.tuples(*[st.floats(0, 1)] * 4))
def test_a_window_equals_the_crop_of_the_whole(scale: Fraction, parts: tuple[float, ...]) -> None:
    fractal = SMALL
    whole = fractal.decode(float(scale))
    height, width = whole.shape[1:]
    left, top = int(parts[0] * (width - 1)), int(parts[1] * (height - 1))
    region = (
        left,
        top,
        1 + int(parts[2] * (width - left - 1)),
        1 + int(parts[3] * (height - top - 1)),
    )
    part = fractal.decode(float(scale), region)
    expected = whole[:, top : top + region[3], left : left + region[2]]
    torch.testing.assert_close(part, expected, atol=1e-5, rtol=0)


SMALL = fractalize(mid_tones(20, 30), Tiling(4))


def test_each_octave_averages_down_to_the_one_below() -> None:
    even = fractalize(mid_tones(64, 32), Tiling(16))
    for fractal, tolerance in ((even, 1e-5), (SMALL, 1 / 128)):
        for scale in (1, 2, 4):
            torch.testing.assert_close(
                pool(fractal.decode(2 * scale), 2), fractal.decode(scale), atol=tolerance, rtol=0
            )


def test_the_picture_repeats_about_the_zoom_centre() -> None:
    fractal = fractalize(mid_tones(64, 64), Tiling(8, contrast=0.7))
    x, y = fractal.zoom_centre()
    whole = fractal.decode()
    for scale in (8, 64):
        left, top = (round(64 * scale * part - 64 * part) for part in (x, y))
        window = fractal.decode(scale, (left, top, 64, 64))
        assert correlation(whole, window) > 0.9
    turned = replace(fractal.collage, isometries=torch.ones_like(fractal.collage.isometries))
    assert Fractal(turned, fractal.photo).zoom_centre() == (0.5, 0.5)


def test_progress_counts_rounds_until_the_fit_converges() -> None:
    calls: list[tuple[int, int]] = []
    fractalize(mid_tones(), Tiling(8), lambda *call: calls.append(call))
    assert [number for number, _ in calls] == list(range(1, len(calls) + 1))
    assert 2 <= len(calls) <= calls[0][1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"tiles": 1}, "tiles across must be a whole number, 2 to 512, not 1"),
        ({"domains": 4}, "domains must be one of 1, 9, 49"),
        ({"tiles": 9, "domains": 9}, "tiles across must be a multiple of 2"),
        ({"contrast": 1.0}, "contrast must be 0 to 0.9, not 1"),
        ({"strength": math.nan}, "strength must be 0 to 1, not nan"),
        ({"tiles": 0, "strength": 2}, "tiles.*; strength"),
    ],
    ids=str,
)
def test_invalid_tilings_are_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(nc.CollageError, match=problem):
        Tiling(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [0, -1, math.inf])
def test_invalid_scales_and_regions_are_refused(scale: float) -> None:
    with pytest.raises(nc.CollageError):
        SMALL.decode(scale)
    with pytest.raises(nc.CollageError, match="region"):
        SMALL.decode(1, (25, 0, 9, 9))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 400)], ids=str)
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_constant_pictures_stay_constant(size: tuple[int, int], grey: float) -> None:
    photo = torch.full((3, *size), grey)
    shown = fractalize(photo, Tiling(4)).decode()
    assert float((shown - photo).abs().max()) < 1e-3
