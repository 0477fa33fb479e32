"""Neural files in segments: parts of them are enough for windows and for small pictures."""

from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch

import neural_collage as nc
from neural_collage.codec.image import Detail
from neural_collage.codec.streams import tiles
from neural_collage.codec.streams.neural import LINKED, SEGMENTED
from neural_collage.codec.streams.neural_streams import SEGMENTED_BYTES
from neural_collage.codec.streams.tiles import COARSE_GROUPS, Tile
from neural_collage.core.arrays.averages import area_average
from neural_collage.core.scales import Region
from tests.codec.streams.neural import encode, with_links
from tests.codec.streams.segmented import (
    TILE,
    Parts,
    again,
    grid_of,
    in_one_stream,
    n_groups_of,
    read_while,
)
from tests.pictures import photo_crop, psnr, texture
from tests.threads import threads

pytestmark = pytest.mark.usefixtures("small_tiles")
OCTAVES = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4]
HEIGHT, WIDTH = 144, 112
"""Of pictures of 9 x 7 ranges, and so of 3 x 3 tiles."""


@cache
def file() -> bytes:
    """Of nine tiles, which it has within the tests alone."""
    return encode(photo_crop(HEIGHT)[:, :, :WIDTH], 60).to_bytes()


@pytest.fixture
def image(small_tiles: None) -> nc.CollageImage:
    image = nc.CollageImage.from_bytes(file())
    assert image.payload[0] == SEGMENTED
    return image


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_symbols_are_those_of_one_stream(channels: int) -> None:
    """And so are the pixels, wherever they do not come from the first groups alone."""
    image = encode(0.2 + 0.6 * texture(HEIGHT, WIDTH, channels), 60)
    single = in_one_stream(image)
    assert single.payload[0] == 0
    for scale in (1, 0.5, 1.5, 2):
        np.testing.assert_array_equal(again(image).decode(scale), single.decode(scale), strict=True)


@pytest.mark.parametrize("scale", [Fraction(1, 8), Fraction(1, 16)], ids=str)
def test_small_pictures_are_close_to_those_of_one_stream(
    scale: Fraction, image: nc.CollageImage
) -> None:
    """To about half a level of 8 bits."""
    coarse, exact = image.decode(float(scale)), in_one_stream(image).decode(float(scale))
    assert not np.array_equal(coarse, exact)
    assert psnr(coarse, exact) > 48


def check_windows(
    image: nc.CollageImage, scale: float, tolerance: float, detail: Detail = "full"
) -> None:
    """Windows of files of which nothing has been read yet are crops of the whole."""
    whole = again(image).decode(scale, detail=detail)
    _, height, width = whole.shape
    regions: list[Region] = [
        (0, 0, width, height),
        (width - 1, height - 1, 1, 1),
        (0, 0, 1, 1),
        (width // 2, height // 3, max(1, width // 5), max(1, height // 4)),
        (width // 3, 0, 1, height),
        (0, height // 2, width, 1),
    ]
    for x, y, w, h in regions:
        part = again(image).decode(scale, (x, y, w, h), detail=detail)
        expected = whole[:, y : y + h, x : x + w]
        np.testing.assert_allclose(part, expected, atol=tolerance, rtol=0, strict=True)


@pytest.mark.parametrize("scale", OCTAVES)
def test_windows_are_exact_crops_at_octaves(scale: float, image: nc.CollageImage) -> None:
    check_windows(image, scale, tolerance=0, detail="none")


@pytest.mark.parametrize("scale", [*OCTAVES, 0.1, 0.7, 1.5, 3])
def test_windows_of_any_size_and_scale_are_crops(scale: float) -> None:
    """Sums of averages and of predicted detail are rounded in another order."""
    check_windows(encode(texture(131, 101, 2), 60), scale, tolerance=1e-5)


@pytest.mark.parametrize("scale", [1 / 16, 1 / 8, 1 / 4, 1, 2])
def test_what_was_read_before_changes_nothing(scale: float, image: nc.CollageImage) -> None:
    alone, after = again(image), again(image)
    for other in (2, 1 / 8, 1, 1 / 16):
        after.decode(other)
    after.decode(1, (10, 20, 3, 3))
    np.testing.assert_array_equal(after.decode(scale), alone.decode(scale), strict=True)


def test_a_file_is_decoded_alike_by_more_threads(image: nc.CollageImage) -> None:
    for scale in (1, 0.125, 2):
        expected = again(image).decode(scale)
        with threads(2):
            np.testing.assert_array_equal(again(image).decode(scale), expected, strict=True)


# What is read


@pytest.mark.parametrize(
    ("scale", "n_groups"),
    [(1 / 32, 2), (1 / 16, 2), (0.1, 3), (1 / 8, 3), (0.2, None), (1, None)],
)
def test_small_pictures_are_read_from_the_first_groups_alone(
    scale: float, n_groups: int | None, image: nc.CollageImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts.of(image)
    read = read_while(monkeypatch)
    image.decode(scale)
    expected = [segment for of_group in parts.segments[:n_groups] for segment in of_group]
    assert sorted(read) == sorted([*expected, parts.links])
    read.clear()
    image.decode(scale)
    assert not read  # again


@pytest.mark.parametrize("size", [(131, 101), (141, 96), (HEIGHT, WIDTH)], ids=str)
def test_small_pictures_of_any_size_read_the_first_groups_alone(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And are close to averages of the whole, also where the picture ends within a pixel.

    They are averages of pixels at 1/8, which are larger than a part of them.
    """
    image = again(encode(photo_crop(HEIGHT)[:, : size[0], : size[1]], 60))
    parts, groups = Parts.of(image), COARSE_GROUPS[Fraction(1, 8)]
    read = read_while(monkeypatch)
    small = image.decode(0.1)
    first = [segment for of_group in parts.segments[:groups] for segment in of_group]
    assert sorted(read) == sorted([*first, parts.links])
    assert psnr(small, area_average(image.decode(), *small.shape[1:])) > 30


@pytest.mark.parametrize("scale", [Fraction(1, 8), Fraction(1), Fraction(4)], ids=str)
@pytest.mark.parametrize("corner", [(0, 0), (50, 70), (100, 129)], ids=str)
def test_a_window_reads_the_tiles_that_it_may_show(
    corner: tuple[int, int],
    scale: Fraction,
    image: nc.CollageImage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the ranges within one range of the window's."""
    parts, grid = Parts.of(image), grid_of(image)
    x, y = (int(side * scale) for side in corner)
    column, row = (int(side / (16 * scale)) for side in (x, y))
    near = Tile(row - 1, column - 1, 3, 3)
    shown = [number for number, tile in enumerate(grid.tiles) if tile.meets(near)]
    assert 1 <= len(shown) < 9
    read = read_while(monkeypatch)
    image.decode(float(scale), (x, y, 1, 1), detail="none")
    groups = COARSE_GROUPS.get(scale, n_groups_of(image))
    expected = [of_group[number] for of_group in parts.segments[:groups] for number in shown]
    assert sorted(read) == sorted([*expected, parts.links])


def test_the_parameters_of_a_file_are_those_of_all_segments(image: nc.CollageImage) -> None:
    (layer,) = image.layers
    found = layer.collage.decode()
    np.testing.assert_allclose(found.clamp(0, 1), again(image).decode(), atol=1e-6, rtol=0)


# Damage


@pytest.mark.parametrize("group", [0, 3, 4])
@pytest.mark.parametrize("number", [0, 4, 7])
def test_damage_matters_to_windows_that_need_it_alone(
    number: int, group: int, image: nc.CollageImage
) -> None:
    parts, grid = Parts.of(image), grid_of(image)
    segment = parts.segments[group][number] + bytes(range(1, 30))  # which is surely refused
    damaged = parts.with_segment(group, number, segment)
    whole = image.decode()
    with pytest.raises(nc.CollageFormatError, match="the entropy-coded data is damaged"):
        damaged.decode()
    for other, tile in enumerate(grid.tiles):
        if tile.columns < TILE:
            continue
        x, y, w, h = region = 16 * tile.left + 17, 16 * tile.top + 17, 14, 14  # inside its middle
        if other == number:
            with pytest.raises(nc.CollageFormatError, match="the entropy-coded data is damaged"):
                damaged.decode(1, region)
        else:
            found = damaged.decode(1, region)
            np.testing.assert_array_equal(found, whole[:, y : y + h, x : x + w], strict=True)
    for scale, groups in COARSE_GROUPS.items():
        if group < groups:
            with pytest.raises(nc.CollageFormatError):
                damaged.decode(float(scale))
        else:
            small = damaged.decode(float(scale))
            np.testing.assert_array_equal(small, image.decode(float(scale)), strict=True)


def test_noise_in_place_of_segments_is_refused_or_decodes(
    image: nc.CollageImage, rng: np.random.Generator
) -> None:
    parts, outcomes = Parts.of(image), set()
    for group, number in product(range(len(parts.segments)), range(0, 9, 2)):
        noise = rng.bytes(int(rng.integers(0, 60)))
        damaged = parts.with_segment(group, number, noise)
        try:
            decoded = damaged.decode()
        except nc.CollageFormatError:
            outcomes.add("refused")
        else:
            outcomes.add("decoded")
            assert decoded.shape == (3, HEIGHT, WIDTH)
            assert bool(((decoded >= 0) & (decoded <= 1)).all())
    assert "refused" in outcomes


@pytest.mark.parametrize("extra", [b"x", bytes(9)])
def test_bytes_after_the_last_segment_are_refused(extra: bytes, image: nc.CollageImage) -> None:
    longer = nc.CollageImage(image.header, image.payload + extra)
    with pytest.raises(nc.CollageFormatError, match="it is too long"):
        longer.decode()


def test_a_table_of_another_number_of_tiles_is_refused(
    image: nc.CollageImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here of twice as many; a file of one tile holds too few lengths for many."""
    monkeypatch.setattr(tiles, "TILE", 1)
    with pytest.raises(nc.CollageFormatError):
        nc.CollageImage(image.header, image.payload).decode()


# What is written


def test_pictures_of_several_tiles_or_many_bytes_are_in_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert encode(photo_crop(16 * TILE + 1), 5).payload[0] == SEGMENTED
    assert encode(photo_crop(16 * TILE), 5).payload[0] == 0
    monkeypatch.setattr(tiles, "TILE", 64)
    sizes: dict[bool, list[int]] = {False: [], True: []}
    for quality in (30, 60, 80, 90, 95, 100):
        payload = encode(photo_crop(224), quality).payload
        sizes[bool(payload[0] & SEGMENTED)].append(len(payload))
    assert max(sizes[False]) < SEGMENTED_BYTES <= min(sizes[True])


def test_a_table_costs_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 64)
    noisy = 0.7 * texture(224, 200, 3) + 0.3 * torch.rand(3, 224, 200)
    image = encode(noisy, 90)
    assert image.payload[0] == SEGMENTED
    assert len(image.payload) - len(in_one_stream(image).payload) < 0.002 * len(image.payload)


def test_tiles_are_written_in_their_order_by_more_threads() -> None:
    with threads(2):
        assert encode(photo_crop(HEIGHT)[:, :, :WIDTH], 60).to_bytes() == file()


def test_links_are_in_the_last_segment(rng: np.random.Generator) -> None:
    image = with_links(texture(HEIGHT, WIDTH, 4), rng)
    assert image.payload[0] == LINKED | SEGMENTED
    assert len(image.layers) == 2
    assert all(bool(layer.collage.weights.any()) for layer in image.layers)
    parts = Parts.of(image)
    assert len(parts.links) > 20
    flags = bytes([SEGMENTED])
    without = nc.CollageImage(image.header, flags + image.payload[1:])
    with pytest.raises(nc.CollageFormatError, match="it is too long"):
        without.decode()


@pytest.mark.parametrize("scale", [1 / 16, 1 / 8])
def test_small_pictures_of_the_encoder_are_those_of_its_file(scale: float) -> None:
    image = encode(photo_crop(HEIGHT), 60)
    np.testing.assert_array_equal(image.decode(scale), again(image).decode(scale), strict=True)
