"""Frames of animations and pages: all of them, as a viewer shows them."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from neural_collage.errors import ImageError, PictureWarning
from neural_collage.io.frames import FrameReader, count_frames
from neural_collage.io.reading import read_picture

COLOURS = ("red", "lime", "blue")


@pytest.fixture
def reader() -> Iterator[FrameReader]:
    reader = FrameReader()
    yield reader
    reader.close()


def squares() -> list[Image.Image]:
    """Frames with a square each, at another place, on nothing."""
    frames = []
    for number, colour in enumerate(COLOURS):
        frame = Image.new("RGBA", (24, 16))
        draw = ImageDraw.Draw(frame)
        draw.rectangle((8 * number, 4, 8 * number + 5, 9), colour)
        draw.point([(0, 0), (23, 15)], "white")  # so that writers cut nothing off
        frames.append(frame)
    return frames


def save(path: Path, frames: list[Image.Image], **options: Any) -> Path:
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.gif", {"disposal": 2, "duration": 90}),
        ("x.png", {"disposal": 1, "duration": 90}),
        ("x.webp", {"lossless": True, "exact": True, "duration": 90}),
        ("x.tif", {}),
    ],
)
@pytest.mark.filterwarnings("ignore::neural_collage.errors.PictureWarning")
def test_each_frame_is_what_a_viewer_shows(
    tmp_path: Path, reader: FrameReader, name: str, options: dict[str, object]
) -> None:
    path = save(tmp_path / name, squares(), **options)
    assert count_frames(path) == 3
    for number, frame in enumerate(squares(), start=1):
        picture = reader.read(path, number)
        assert picture.mode == "RGBA"
        levels = picture.levels.transpose(1, 2, 0)
        expected = np.asarray(frame)
        seen = expected[..., 3] > 0
        np.testing.assert_array_equal(levels[..., 3] > 0, seen)
        np.testing.assert_array_equal(levels[seen], expected[seen])


@pytest.mark.filterwarnings("ignore::neural_collage.errors.PictureWarning")
def test_frames_that_are_kept_lie_below_those_that_follow(
    tmp_path: Path, reader: FrameReader
) -> None:
    grounds = [Image.new("RGB", (8, 8), "white")]
    grounds.append(grounds[0].copy())
    grounds[1].paste("black", (2, 2, 4, 4))
    path = save(tmp_path / "x.gif", grounds, disposal=1, optimize=True)
    second = reader.read(path, 2).levels[:3].transpose(1, 2, 0)
    np.testing.assert_array_equal(second, np.asarray(grounds[1]))


def test_pages_have_sizes_of_their_own(tmp_path: Path, reader: FrameReader) -> None:
    pages = [Image.new("L", size, 90) for size in ((9, 4), (3, 7))]
    path = save(tmp_path / "x.tiff", pages)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [reader.read(path, number) for number in (1, 2)]
    assert [(picture.width, picture.height) for picture in found] == [(9, 4), (3, 7)]


def test_durations_are_said_to_be_lost_once(tmp_path: Path, reader: FrameReader) -> None:
    path = save(tmp_path / "x.gif", squares(), duration=50)
    with pytest.warns(PictureWarning, match="the durations of its frames are not kept") as caught:
        [reader.read(path, number) for number in (1, 2, 3)]
    assert len(caught) == 1


def test_a_picture_for_readers_without_frames_is_no_frame(
    tmp_path: Path, reader: FrameReader
) -> None:
    still, *moving = (Image.new("RGB", (4, 4), colour) for colour in COLOURS)
    path = save(tmp_path / "x.png", [still, *moving], default_image=True)
    assert count_frames(path) == 2
    assert reader.read(path, 1).levels[:, 0, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "missing.gif", "bad.gif"])
def test_other_files_count_as_one_frame(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "x.jpg")
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    (tmp_path / "bad.gif").write_bytes(b"GIF89a")
    assert count_frames(tmp_path / name) == 1


@pytest.mark.filterwarnings("ignore::neural_collage.errors.PictureWarning")
def test_a_file_that_breaks_off_gives_the_frames_before(
    tmp_path: Path, reader: FrameReader, rng: np.random.Generator
) -> None:
    noise = [Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)) for _ in range(3)]
    for name in ("x.gif", "x.tiff"):
        path = save(tmp_path / name, noise)
        whole = path.read_bytes()
        first = read_picture(path).levels
        path.write_bytes(whole[: len(whole) // 2])
        assert count_frames(path) >= 2
        np.testing.assert_array_equal(reader.read(path, 1).levels, first)
        with pytest.raises(ImageError, match="frame 2: damaged or incomplete"):
            reader.read(path, 2)
        reader.close()
