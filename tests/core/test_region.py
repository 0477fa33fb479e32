from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from neural_collage.core import pyramid
from neural_collage.core.affine import ScaledMap
from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.region import (
    PixelMap,
    offset_at_pixels,
    offset_in_window,
    pixel_map,
)
from neural_collage.core.scales import Region, Window
from tests.core.collages import TINY, Recipe, close


def windows_of(height: int, width: int) -> list[Region]:
    """Corners, single pixels, strips, parts of the interior and the whole."""
    h, w = max(1, height // 3), max(1, width // 4)
    return [
        (0, 0, w, h),
        (width - w, 0, w, h),
        (0, height - h, w, h),
        (width - 1, height - 1, 1, 1),
        (width // 2, height // 2, 1, 1),
        (width // 3, height // 5, max(1, width // 9), max(1, height // 2)),
        (0, height // 2, width, 1),
        (width // 2, 0, 1, height),
        (0, 0, width, height),
    ]


def assert_windows_are_crops(collage: Collage, scale: float) -> None:
    full = collage.decode(scale)
    decoder = PyramidDecoder(collage)
    for x, y, width, height in windows_of(*full.shape[1:]):
        window = decoder.decode(scale, (x, y, width, height))
        close(window, full[:, y : y + height, x : x + width])


@pytest.mark.parametrize("scale", [0.5, 1, 2, 2.7, 4])
@pytest.mark.parametrize("recipe", TINY, ids=str)
def test_a_window_is_a_crop_of_the_image(recipe: Recipe, scale: float) -> None:
    assert_windows_are_crops(recipe.make(), scale)


@pytest.mark.parametrize("recipe", [r for r in TINY if r.pooling < 16], ids=str)
def test_a_window_at_a_large_scale_is_a_crop_of_the_image(recipe: Recipe) -> None:
    assert_windows_are_crops(recipe.make(), 64)


def test_windows_are_crops_if_only_some_ranges_have_patches() -> None:
    collage = Recipe(13, 22, (8, 4), step=4, channels=3, patches=3, shared=False).make()
    assert collage.patch_weights is not None
    patch_weights = collage.patch_weights.clone()
    patch_weights[:, ::3] = 0
    patch_weights[0, 1::3] = 0
    assert_windows_are_crops(replace(collage, patch_weights=patch_weights), 16)


def test_windows_are_crops_if_most_weights_are_zero() -> None:
    collage = Recipe(13, 22, (8, 4), step=4, channels=3, sources=3, shared=False).make()
    weights = collage.weights.clone()
    weights[:, ::2] = 0
    weights[1:, 1::4, 1] = 0
    assert_windows_are_crops(replace(collage, weights=weights), 16)


@pytest.mark.parametrize("recipe", TINY, ids=str)
def test_the_map_at_pixels_is_the_map_on_the_canvas(recipe: Recipe) -> None:
    collage = recipe.make()
    scale = 6 / collage.lattice
    canvas = ScaledMap.of(collage, scale)
    source = torch.rand(
        collage.channels, canvas.source_height, canvas.source_width, dtype=torch.float64
    )
    expected = canvas.apply(source)
    rows, columns = torch.ones(expected.shape[1:]).nonzero().T
    mapped = pixel_map(collage, scale, rows, columns)
    value = offset_at_pixels(collage, scale, rows, columns)
    for k in range(recipe.sources):
        at = mapped.reads[k]
        read = source[:, mapped.rows[k, at], mapped.columns[k, at]]
        value[:, at] += mapped.weight[:, k, at] * read
    close(value.view(expected.shape), expected)


@pytest.mark.parametrize("recipe", [r for r in TINY if r.pooling < 16], ids=str)
def test_offsets_of_windows_are_those_of_the_canvas(recipe: Recipe) -> None:
    """Both in small windows, by pixels, and in large ones, by blocks."""
    collage = recipe.make()
    for scale in (6 / collage.lattice, 40 / collage.lattice):
        offset = ScaledMap.of(collage, scale).offset
        for x, y, width, height in windows_of(*offset.shape[1:]):
            got = offset_in_window(collage, scale, Window(y, x, height, width))
            close(got, offset[:, y : y + height, x : x + width])


@pytest.mark.parametrize("pixels", ["all", "a rectangle of each block", "scattered"])
def test_offsets_of_pixels_are_those_of_the_canvas(pixels: str) -> None:
    """Both from grids of rows and columns and, if scattered, one by one."""
    collage = Recipe(16, 24, (8,), step=4, channels=3, patches=5, shared=False).make()
    scale = Fraction(16)
    canvas = offset_in_window(collage, scale, Window(0, 0, 256, 384))
    rows, columns = torch.meshgrid(torch.arange(256), torch.arange(384), indexing="ij")
    chosen = {
        "all": torch.ones(256, 384, dtype=torch.bool),
        "a rectangle of each block": (rows % 128 < 40) & (columns % 128 > 70),
        "scattered": torch.rand(256, 384) < 0.1,
    }[pixels]
    found = offset_at_pixels(collage, scale, rows[chosen], columns[chosen])
    close(found, canvas[:, chosen])


@pytest.mark.parametrize(
    "recipe",
    [Recipe(20, 33, (8, 4), step=4, patches=2), Recipe(9, 13, (3,), pooling=3, step=9)],
    ids=str,
)
def test_windows_of_consecutive_octaves_agree_at_very_large_scales(recipe: Recipe) -> None:
    """Averaging a window gives that of the octave before, where no whole image would fit memory."""
    collage = recipe.make()
    k = recipe.pooling
    x, y = 3 * recipe.width // 4, recipe.height // 3
    for octave in (8, 20):
        left, top = x * k**octave + 12, y * k**octave + 7
        coarse = collage.decode(k**octave, (left, top, 6, 5))
        fine = collage.decode(k ** (octave + 1), (left * k, top * k, 6 * k, 5 * k))
        torch.testing.assert_close(pool(fine, k), coarse, atol=1e-9, rtol=0)


class Cost:
    """Records the numbers of pixels that a decode computes, single ones and those of canvases."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pixels: list[int] = []
        self.canvases: list[int] = []
        canvas = PyramidDecoder.canvas

        def count_pixels(
            collage: Collage, scale: Fraction, rows: Tensor, columns: Tensor
        ) -> PixelMap:
            self.pixels.append(len(rows))
            return pixel_map(collage, scale, rows, columns)

        def count_canvas(
            decoder: PyramidDecoder, scale: Fraction, offset: Tensor | None = None
        ) -> Tensor:
            result = canvas(decoder, scale, offset)
            self.canvases.append(result[0].numel())
            return result

        monkeypatch.setattr(pyramid, "pixel_map", count_pixels)
        monkeypatch.setattr(PyramidDecoder, "canvas", count_canvas)


@pytest.mark.parametrize("scale", [64, 67.3, 1 << 20])
@pytest.mark.parametrize("side", [64, 256])
def test_the_cost_is_that_of_the_window_not_of_the_image(
    scale: float, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    collage = Recipe(side, side, (8,), step=8).make()
    cost = Cost(monkeypatch)
    window = collage.decode(scale, (int(side * scale) // 3, 11, 20, 20))
    assert window.shape == (1, 20, 20)
    assert max(cost.pixels) <= 40 * 40  # resampled from less than twice the scale
    assert len(cost.pixels) <= int(scale).bit_length() + 3  # from there down to the lattice
    assert max(cost.canvases) <= max(8 * 40 * 40, side * side / 16)


def test_reads_of_several_sources_are_computed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once per octave, though the number of pixels doubles with every octave."""
    collage = Recipe(64, 64, (8,), step=8, sources=2).make()
    cost = Cost(monkeypatch)
    collage.decode(256, (1000, 2000, 16, 16))
    assert len(cost.pixels) <= 11
    assert cost.pixels == [256 << n for n in range(len(cost.pixels))]
    assert max(cost.canvases) <= 8 * 2 * cost.pixels[-1]


def test_ranges_of_zero_weight_read_no_coarser_octave(monkeypatch: pytest.MonkeyPatch) -> None:
    collage = Recipe(64, 64, (8,), step=8).make()
    cost = Cost(monkeypatch)
    flat = replace(collage, weights=torch.zeros_like(collage.weights))
    window = flat.decode(256, (1000, 2000, 16, 16))
    assert sum(cost.pixels) == 256
    assert window.unique().numel() == 1


@pytest.mark.parametrize(
    "region",
    [
        (0, 0, 17, 1),
        (0, 0, 1, 9),
        (16, 0, 1, 1),
        (0, 8, 1, 1),
        (-1, 0, 2, 2),
        (0, -1, 2, 2),
        (0, 0, 0, 1),
        (0, 0, 1, 0),
        (4, 4, -1, 1),
    ],
)
def test_a_window_outside_is_refused(region: Region) -> None:
    collage = Recipe(4, 8, (4,), step=4).make()  # 16 x 8 pixels at scale 2
    x, y, width, height = region
    with pytest.raises(ValueError, match=rf"region {x},{y},{width},{height} .*16x8 pixels"):
        collage.decode(2, region)
    assert collage.decode(2, (15, 7, 1, 1)).shape == (1, 1, 1)
