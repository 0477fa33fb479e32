"""Files of at most so many bytes, and the smallest ones that are so alike."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

import neural_collage as nc
from neural_collage.codec.encoding.layered import Settings, encode_picture
from neural_collage.codec.encoding.targets import (
    encode_to,
    psnr_of_file,
    search,
    size_measure,
    size_target,
)
from neural_collage.evaluation import metrics
from neural_collage.evaluation.metrics import rgb_samples
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop, texture

SETTINGS = Settings("neural", 50, 0)
PHOTO = photo_crop(128)
SIZE = size_measure({1: 1000, 100: 40_000}, {1: 0.1, 100: 0.1})


def size_at(quality: int) -> int:
    return len(nc.compress(PHOTO, quality=quality))


@pytest.mark.parametrize("size", [900, 2000, 6000, 8500])
def test_a_file_has_at_most_the_bytes_and_little_less(size: int) -> None:
    assert 0.98 * size <= len(nc.encode(PHOTO, size=size).to_bytes()) <= size


def test_a_target_gives_the_same_file_each_time() -> None:
    assert nc.encode(PHOTO, size=2000).to_bytes() == nc.compress(PHOTO, size=2000)
    collage = nc.encode(PHOTO, psnr=34)
    assert collage.to_bytes() == nc.compress(PHOTO, quality=collage.quality)


@pytest.mark.parametrize("codec", ["neural", "fractal"])
@pytest.mark.parametrize("quality", [20, 60, 96])
def test_fractions_lie_between_qualities(codec: str, quality: int) -> None:
    picture = read_picture(PHOTO)

    def file(quality: int, fraction: float = 0.0, kept: Any = None) -> bytes:
        settings = Settings(codec, quality, 0, fraction=fraction)
        return encode_picture(picture, settings, kept).to_bytes()

    low, high = file(quality), file(quality + 1)
    kept: dict[Any, Any] = {}
    sizes = [len(file(quality, fraction, kept)) for fraction in (0.0, 0.25, 0.5, 0.75)]
    assert file(quality, 0.0, kept) == low
    assert file(quality, 0.5, kept) == file(quality, 0.5)
    assert sizes == sorted(sizes)
    assert len(low) < sizes[2] < 1.02 * len(high)


def smooth_text() -> Image.Image:
    """Letters with grey edges in three colours, which a layer of few or many colours owns."""
    image = Image.new("RGB", (192, 96), (250, 250, 250))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    lines = {"Fractal images": (20, 30, 90), "range and domain": (120, 20, 10), "123": (0, 80, 40)}
    for number, (words, colour) in enumerate(lines.items()):
        draw.text((6, 6 + 28 * number), words, font=font, fill=colour)
    return image


def test_graphics_become_exact_step_by_step() -> None:
    picture = read_picture(smooth_text())
    files = [
        encode_picture(picture, Settings("auto", 89, 5, fraction=fraction), {})
        for fraction in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    sizes, psnrs = (
        [len(file.to_bytes()) for file in files],
        [psnr_of_file(picture, f) for f in files],
    )
    assert sizes == sorted(sizes)
    assert psnrs == sorted(psnrs)
    assert psnrs[-1] == 100
    assert max(b / a for a, b in pairwise(sizes)) < 1.5 < sizes[-1] / sizes[0]


def test_a_size_between_those_of_merged_and_exact_graphics_is_reached() -> None:
    picture = read_picture(smooth_text())
    merged, exact = (
        len(encode_picture(picture, Settings("auto", q, 5)).to_bytes()) for q in (89, 90)
    )
    size = (merged + exact) // 2
    reached = encode_to(picture, Settings("auto", 50, 5), size_target(picture, size))
    assert 0.97 * size <= reached.value <= size
    largest = encode_to(picture, Settings("auto", 50, 5), size_target(picture, exact))
    assert psnr_of_file(picture, largest.image) == 100
    assert max(reached.attempts, largest.attempts) <= 10


def test_steps_of_precision_layers_lie_between_those_of_qualities() -> None:
    picture = read_picture(PHOTO)
    sizes = [
        len(encode_picture(picture, Settings("neural", 90, 0, fraction=fraction)).to_bytes())
        for fraction in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert sizes == sorted(sizes)
    assert sizes[-1] == size_at(91)


def test_more_bytes_than_the_best_file_has_give_the_best_file() -> None:
    collage = nc.encode(PHOTO, size=10**6)
    assert collage.quality == 100


@pytest.mark.parametrize("psnr", [30, 36.5, 40])
def test_a_file_reaches_a_psnr_and_the_quality_below_does_not(psnr: float) -> None:
    picture = read_picture(PHOTO)
    collage = nc.encode(PHOTO, psnr=psnr)
    reached = psnr_of_file(picture, collage)
    assert reached >= psnr
    if reached > psnr + 0.1:
        below = nc.encode(PHOTO, quality=collage.quality - 1)
        assert psnr_of_file(picture, below) < psnr


def test_what_no_quality_meets_is_refused_with_what_comes_nearest() -> None:
    with pytest.raises(nc.TargetError, match=f"the smallest file has {size_at(1)} bytes: 50 bytes"):
        nc.encode(PHOTO, size=50)
    best = psnr_of_file(read_picture(PHOTO), nc.encode(PHOTO, quality=100))
    with pytest.raises(nc.TargetError, match=f"the best file reaches {best:.2f} dB: 95.00 dB"):
        nc.encode(PHOTO, psnr=95)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"size": 0}, "size must be a whole number of bytes, at least 1, not 0"),
        ({"size": True}, "size must be a whole number"),
        ({"psnr": 0.0}, "psnr must be a number of dB above 0"),
        ({"psnr": math.nan}, "psnr must be a number of dB above 0"),
        ({"psnr": math.inf}, "psnr must be a number of dB above 0"),
        ({"psnr": 30, "size": 1000}, "exclude each other"),
        ({"psnr": 30, "quality": 50}, "exclude each other"),
        ({"size": 1000, "codec": "poli2022"}, "has a single rate"),
    ],
)
def test_targets_out_of_range_are_refused(arguments: dict[str, Any], reason: str) -> None:
    untyped: Any = nc.encode
    with pytest.raises(nc.CollageError, match=reason):
        untyped(PHOTO, **arguments)


def test_psnr_is_that_of_the_8_bit_decode() -> None:
    picture = read_picture(to_pil(PHOTO))
    collage = nc.encode(picture, quality=60)
    expected = metrics.psnr(rgb_samples(to_pil(PHOTO)), rgb_samples(collage.to_pil()))
    assert psnr_of_file(picture, collage) == pytest.approx(expected, abs=1e-9)


def test_colours_of_invisible_pixels_do_not_count_and_exact_files_have_100_db() -> None:
    colours = texture(16, 16, 3)
    alpha = torch.ones(1, 16, 16)
    alpha[:, :, 8:] = 0
    black = colours.clone()
    black[:, :, 8:] = 0
    collage = nc.encode(torch.cat([colours, alpha]), quality=80)
    pair = [read_picture(to_pil(torch.cat([c, alpha]))) for c in (colours, black)]
    assert psnr_of_file(pair[0], collage) == psnr_of_file(pair[1], collage)
    flat = torch.full((3, 16, 16), 0.2)  # a whole level, 51
    assert psnr_of_file(read_picture(flat), nc.encode(flat, quality=100)) == 100


@pytest.mark.parametrize("wanted", range(1000, 40000, 3900))
@pytest.mark.parametrize("power", [0.5, 1, 3])
def test_the_best_quality_is_found_on_any_rising_curve(wanted: int, power: float) -> None:
    def size_of(quality: float) -> float:
        return 900.0 + 400 * quality * math.pow(quality / 100, power)

    found, attempts = search(SIZE, wanted, lambda quality: (quality, size_of(quality)))
    assert found.made == found.quality
    assert found.value == size_of(found.quality) <= wanted
    if found.value < 0.98 * wanted and found.quality < 100:
        assert size_of(found.quality + 1) > wanted
    assert attempts <= 12


@pytest.mark.parametrize("wanted", range(3000, 60_000, 6500))
def test_a_jump_where_graphics_become_exact_is_crossed_in_few_files(wanted: int) -> None:
    def size_of(quality: float) -> float:
        between = min(max(quality - 89, 0), 1)
        return 1000 + 40 * min(quality, 89) + 60_000 * (1 - (1 - between) ** 2)

    found, attempts = search(SIZE, wanted, lambda q: (q, size_of(q)), lambda _: True)
    assert 0.96 * wanted <= found.value <= wanted
    assert attempts <= 9


def test_sizes_that_do_not_rise_evenly_are_never_above_the_target() -> None:
    rng = np.random.default_rng(0)

    def made(quality: float) -> tuple[None, float]:
        return None, float(drawn[round(quality * SIZE.parts)])

    for _ in range(50):
        drawn = rng.uniform(100, 1000, 100 * SIZE.parts + 1)
        drawn[SIZE.parts] = 100
        found, _ = search(SIZE, 400, made)
        assert found.value == made(found.quality)[1] <= 400


def test_few_files_are_made_of_a_photo() -> None:
    picture = read_picture(PHOTO)
    counts = [
        encode_to(picture, SETTINGS, size_target(picture, size)).attempts
        for size in (1000, 1500, 2500, 4000)
    ]
    assert max(counts) <= 4
    assert sum(counts) <= 11


def test_a_target_holds_for_every_codec(tmp_path: Path) -> None:
    for codec in ("auto", "fractal"):
        settings = replace(SETTINGS, codec=codec)
        picture = read_picture(PHOTO)
        reached = encode_to(picture, settings, size_target(picture, 3000))
        assert reached.value == len(reached.image.to_bytes()) <= 3000
