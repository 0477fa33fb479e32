from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from neural_collage.data.images import Images
from neural_collage.data.sources import open_images
from neural_collage.errors import ImageError
from tests.data.pictures import marked, write_folder, write_parquet


def _save(
    folder: Path, array: npt.NDArray[np.uint8], suffix: str = "png", **options: object
) -> Images:
    Image.fromarray(array).save(folder / f"x.{suffix}", **options)  # type: ignore[arg-type]
    return open_images(str(folder))


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    images = _save(tmp_path, marked(3, (5, 9)))
    assert images.size(0) == (5, 9)
    np.testing.assert_array_equal(images[0], marked(3, (5, 9)).transpose(2, 0, 1))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_images_are_upright_and_the_header_says_so(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    images = _save(tmp_path, marked(0, (8, 16)), suffix, exif=exif)
    assert images.size(0) == ((8, 16) if orientation < 5 else (16, 8))
    assert images[0].shape[1:] == images.size(0)


def test_grey_becomes_rgb_and_back(tmp_path: Path, rng: np.random.Generator) -> None:
    grey = rng.integers(256, size=(4, 6), dtype=np.uint8)
    _save(tmp_path, grey)
    np.testing.assert_array_equal(open_images(str(tmp_path), channels=1)[0], grey[None])
    np.testing.assert_array_equal(open_images(str(tmp_path))[0], np.stack([grey] * 3))
    colour = np.stack([grey] * 3, -1)
    _save(tmp_path, colour)
    np.testing.assert_array_equal(open_images(str(tmp_path), channels=1)[0], grey[None])


def test_alpha_is_dropped_and_16_bit_grey_is_rounded(tmp_path: Path) -> None:
    _save(tmp_path, np.dstack([marked(7, (4, 4)), np.full((4, 4), 9, np.uint8)]))
    np.testing.assert_array_equal(
        open_images(str(tmp_path))[0], marked(7, (4, 4)).transpose(2, 0, 1)
    )
    Image.fromarray(np.array([[0, 257 * 10, 65535]], np.uint16)).save(tmp_path / "x.png")
    np.testing.assert_array_equal(open_images(str(tmp_path), channels=1)[0], [[[0, 10, 255]]])


@pytest.mark.parametrize(("size", "resized"), [((20, 10), (14, 7)), ((3, 8), (7, 19))])
def test_resizing_goes_by_the_shorter_side(
    tmp_path: Path, size: tuple[int, int], resized: tuple[int, int]
) -> None:
    _save(tmp_path, np.full((*size, 3), 77, np.uint8))
    images = open_images(str(tmp_path), resize=7)
    assert images.size(0) == resized
    np.testing.assert_array_equal(images[0], np.full((3, *resized), 77, np.uint8))


def test_the_first_images(tmp_path: Path) -> None:
    images = open_images(str(write_folder(tmp_path / "a", [(3, 3), (4, 5), (6, 7)])))
    np.testing.assert_array_equal(images.first(2).sizes(), [[3, 3], [6, 7]])
    assert len(images.first(9)) == 3


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    _save(tmp_path, np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8))
    whole = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(whole[: len(whole) // 2])
    images = open_images(str(tmp_path))
    assert images.size(0) == (32, 32)
    with pytest.raises(ImageError, match=r"x\.png: damaged or incomplete"):
        images[0]


@pytest.mark.parametrize("content", [b"", b"this is no picture"])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "y.jpg").write_bytes(content)
    images = open_images(str(tmp_path))
    with pytest.raises(ImageError, match=r"y\.jpg"):
        images.sizes()


def test_a_damaged_row_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("tests.data.pictures.png", lambda array: b"no picture")
    path = write_parquet(tmp_path / "x.parquet", [marked(0, (4, 4))], "image")
    with pytest.raises(ImageError, match=r"x\.parquet, row 0: not a picture"):
        open_images(str(path)).sizes()
