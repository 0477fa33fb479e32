"""Sizes of photographs are told before they are encoded."""

import math

import pytest
import torch

import neural_collage as nc
from neural_collage.codec.encoding.expected_sizes import expected_sizes
from neural_collage.io.picture import Picture
from neural_collage.io.reading import read_picture
from tests.pictures import photo_crop


def test_files_of_a_photo_have_about_the_sizes_that_are_expected() -> None:
    photo = photo_crop(256)
    sizes, spreads = expected_sizes(read_picture(photo))
    assert list(sizes.values()) == sorted(sizes.values())
    for quality in (10, 55, 91):
        size = len(nc.compress(photo, quality=quality, codec="neural", graphics=False))
        assert abs(math.log(size / sizes[quality])) < 3 * spreads[quality]


@pytest.mark.parametrize("size", [(1, 1), (1, 70_000), (70_000, 1), (40, 9000)])
@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_pictures_of_any_size_and_mode_have_expected_sizes(
    size: tuple[int, int], mode: str
) -> None:
    picture = Picture(torch.zeros(len(mode), *size, dtype=torch.uint8), mode)  # type: ignore[arg-type]
    assert min(expected_sizes(picture)[0].values()) > 0


def test_graphics_are_not_told_from_jpeg_files() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = []
    for rows in (64, 16):
        colours = torch.randint(0, 256, (3, rows, 8), generator=generator, dtype=torch.uint8)
        drawing = colours.repeat_interleave(64 // rows, 1).repeat_interleave(8, 2)
        sizes.append(expected_sizes(Picture(drawing, "RGB"))[0])
    assert sizes[0] == sizes[1]


def test_strips_of_a_large_picture_tell_what_all_of_it_does() -> None:
    part = (photo_crop(256) * 255).round().byte()
    once = expected_sizes(Picture(part, "RGB"))[0]
    tall = expected_sizes(Picture(part.repeat(1, 300, 1), "RGB"))[0]
    assert tall[55] == pytest.approx(300 * once[55], rel=0.1)
