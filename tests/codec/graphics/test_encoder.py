import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.codec.graphics import encoder
from neural_collage.codec.graphics.base_costs import bits_alone, least_bits_alone
from neural_collage.codec.graphics.colours import has_few_colours, is_one_colour, numbered
from neural_collage.codec.graphics.copying import BASE, FIRST_COPY, PAINTED
from neural_collage.codec.graphics.encoder import EXACT_QUALITY, find_layer
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import MAX_COLOURS, read_layer, write_layer
from neural_collage.models.compression.compressor import bits_per_squared_error
from tests.codec.graphics.drawings import (
    checkerboard,
    gradient_bars,
    one_colour,
    pixel_art,
    text,
)
from tests.pictures import photo_crop

DRAWINGS: dict[str, Callable[[], Tensor]] = {
    "text": text,
    "checkerboard": checkerboard,
    "bars": gradient_bars,
    "art": pixel_art,
    "many colours": lambda: pixel_art(n_colours=250),
    "cut": lambda: pixel_art(61, 59),
}


def layer_of(picture: Tensor, quality: int) -> GraphicsLayer | None:
    slope = bits_per_squared_error(quality) / 255**2
    return find_layer((picture * 255).round().byte().numpy(), quality, slope)


def errors(layer: GraphicsLayer, picture: Tensor) -> Tensor:
    """Of what the layer owns, if the base is as the picture."""
    samples = (picture * 255).round().byte().numpy()
    return torch.from_numpy(layer.compose(samples).astype(int) - samples.astype(int))


@pytest.mark.parametrize("name", DRAWINGS)
def test_at_quality_100_all_of_a_drawing_is_owned_and_exact(name: str) -> None:
    picture = DRAWINGS[name]()
    layer = layer_of(picture, 100)
    assert layer is not None
    assert layer.owned_share() == 1
    exact = layer.compose(np.zeros(picture.shape, np.uint8))
    np.testing.assert_array_equal(exact, (picture * 255).round().numpy())
    assert 8 * len(write_layer(layer, 0)) < 24 * picture[0].numel() / 4


@pytest.mark.parametrize("name", DRAWINGS)
def test_from_a_quality_on_what_is_owned_is_exact(name: str) -> None:
    """Copies of the base aside, which are as exact as it is."""
    picture = DRAWINGS[name]()
    layer = layer_of(picture, EXACT_QUALITY)
    assert layer is not None
    assert not errors(layer, picture).any()


@pytest.mark.parametrize("name", DRAWINGS)
def test_lower_qualities_take_fewer_bytes(name: str) -> None:
    picture = DRAWINGS[name]()
    best = layer_of(picture, 100)
    assert best is not None
    for quality in (75, 25):
        layer = layer_of(picture, quality)
        if layer is not None and layer.owned_share() == 1:
            assert len(write_layer(layer, 0)) <= len(write_layer(best, 0)) + 2


@pytest.mark.parametrize("quality", [30, 60, 89])
def test_merged_colours_cost_less_than_they_save(quality: int, rng: np.random.Generator) -> None:
    """A drawing of two colours with a few specks becomes one of fewer colours."""
    specks = rng.integers(-1, 2, (3, 64, 96)) * (rng.random((64, 96)) < 0.05)
    picture = checkerboard(side=6) + torch.from_numpy(specks) / 255
    layer = layer_of(picture.clamp(0, 1), quality)
    assert layer is not None
    assert len(layer.palette) < 20  # of 54
    error = errors(layer, picture).square().sum()
    assert error > 0
    slope = bits_per_squared_error(quality) / 255**2
    exact = layer_of(picture.clamp(0, 1), 95)
    bits = np.inf if exact is None or exact.owned_share() < 1 else 8 * len(write_layer(exact, 0))
    assert 8 * len(write_layer(layer, 0)) + slope * float(error) < bits


@pytest.mark.parametrize("quality", [10, 50, 90, 100])
def test_a_photograph_has_no_layer(quality: int) -> None:
    for top, left in ((100, 180), (0, 300), (300, 20)):
        assert layer_of(photo_crop(96, top, left), quality) is None


def test_text_on_a_photograph_is_owned_where_it_lies() -> None:
    photo = photo_crop(192, 0, 200)
    photo[:, 96:168, 16:176] = text()
    layer = layer_of(photo, 60)
    assert layer is not None
    owned = layer.pixel_modes != BASE
    assert owned[96:168, 16:176].mean() > 0.9
    owned[96:168, 16:176] = False
    assert owned.mean() < 0.2
    assert not errors(layer, photo)[:, 96:168, 16:176].any()


def test_what_is_repeated_is_copied() -> None:
    art = pixel_art(32, 32, 200, seed=1)
    layer = layer_of(art.repeat(1, 3, 3), 100)
    assert layer is not None
    assert (layer.modes >= FIRST_COPY).mean() > 0.8
    alone = layer_of(art, 100)
    assert alone is not None
    assert len(write_layer(layer, 0)) < len(write_layer(alone, 0)) + 40


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 9), (64, 64), (130, 77)], ids=str)
@pytest.mark.parametrize("quality", [20, 100])
def test_one_colour_is_a_range_and_its_copies(size: tuple[int, int], quality: int) -> None:
    layer = layer_of(one_colour(*size, (10, 200, 90)), quality)
    assert layer is not None
    assert layer.palette.tolist() == [[10, 200, 90]]
    assert len(write_layer(layer, 0)) < 40
    assert (layer.modes == PAINTED).sum() <= 1 or size == (1, 1)


def test_more_colours_than_a_palette_holds_are_no_error() -> None:
    """Each block of pixels has a colour of its own, which painting would suit."""
    numbers = torch.arange(MAX_COLOURS + 4096)
    colours = torch.stack([numbers * 31 % 256, numbers // 256 % 256, numbers * 57 // 256 % 256])
    picture = colours.view(3, 272, 256).float().repeat_interleave(2, 2) / 255
    layer = layer_of(picture, 95)
    if layer is not None:
        assert len(layer.palette) <= MAX_COLOURS
        write_layer(layer, 95 if (layer.modes == BASE).any() else 0)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 300), (300, 1), (8, 8), (9, 8), (64, 64), (64, 65), (77, 130)], ids=str
)
def test_one_colour_needs_no_search(
    size: tuple[int, int],
    channels: int,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.empty((channels, *size), np.uint8)
    pixels[:] = rng.integers(0, 256, (channels, 1, 1))
    for quality in (1, 95, 100):
        slope = bits_per_squared_error(quality) / 255**2
        direct = find_layer(pixels, quality, slope)
        with monkeypatch.context() as patch:
            patch.setattr(encoder, "is_one_colour", lambda _: False)
            searched = find_layer(pixels, quality, slope)
        assert direct is not None
        assert searched is not None
        for name in ("block", "modes", "copies", "palette", "indices"):
            np.testing.assert_array_equal(getattr(direct, name), getattr(searched, name))
        assert write_layer(direct, 0) == write_layer(searched, 0)


def test_one_colour_takes_few_bytes_a_pixel() -> None:
    """To be found, written, read and painted: no map of all pixels but that of the indices."""
    pixels = np.full((3, 1500, 2000), 9, np.uint8)
    count = pixels[0].size
    tracemalloc.start()
    try:
        layer = find_layer(pixels, 50, 1.0)
        assert layer is not None
        read, _ = read_layer(write_layer(layer, 0), 1500, 2000, 3)
        read.paint(pixels)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (pixels == 9).all()
    # the tables of the map of modes take the same for any size
    assert peak < 6 * count + (16 << 20)


def test_colours_are_counted_up_to_a_limit(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 4, (3, 200, 30)).astype(np.uint8)
    numbers = numbered(pixels)
    count = len(np.unique(pixels.reshape(3, -1), axis=1).T)
    assert has_few_colours(numbers, count)
    assert not has_few_colours(numbers, count - 1)
    assert not is_one_colour(pixels)
    pixels[:] = pixels[:, :1, :1]
    assert is_one_colour(pixels)
    pixels[2, -1, -1] += 1
    assert not is_one_colour(pixels)


@pytest.mark.parametrize("size", [(1, 1), (17, 40), (8, 64)], ids=str)
def test_a_base_costs_at_least_what_its_size_says(
    size: tuple[int, int], rng: np.random.Generator
) -> None:
    for pixels in (
        np.full((3, *size), 77, np.uint8),
        rng.integers(0, 256, (3, *size), dtype=np.uint8),
    ):
        assert bits_alone(pixels, 0.1) >= least_bits_alone(3, *size) * (1 - 1e-12)
