from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import neural_collage as nc
from neural_collage.errors import PictureWarning
from neural_collage.io.modes import Mode
from tests.pictures import texture


@pytest.fixture
def image() -> Image.Image:
    return Image.new("RGB", (12, 8), (200, 100, 50))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_save_and_open(image: Image.Image, mode: Mode, tmp_path: Path) -> None:
    image = image.convert(mode)
    image.save(tmp_path / "x.clg", quality=90, effort=0)
    with Image.open(tmp_path / "x.clg") as opened:
        assert (opened.format, opened.size, opened.mode) == ("CLG", (12, 8), mode)
        assert opened.get_format_mimetype() == "image/x-collage"
        assert np.abs(np.asarray(opened, int) - np.asarray(image, int)).max() <= 12
        assert (
            np.asarray(opened).tolist() == np.asarray(nc.load(tmp_path / "x.clg").to_pil()).tolist()
        )


def test_pixels_outlive_the_file(image: Image.Image, tmp_path: Path) -> None:
    image.save(tmp_path / "x.clg", effort=0)
    opened = Image.open(tmp_path / "x.clg")
    opened.load()
    opened.putpixel((0, 0), (1, 2, 3))
    (tmp_path / "x.clg").unlink()
    assert opened.getpixel((0, 0)) == (1, 2, 3)
    assert opened.resize((3, 2)).size == (3, 2)


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((12, 9), (16, 16)),  # at least that size, in octaves
        ((1, 1), (13, 8)),  # down to a sixteenth
        ((100, 1), (100, 61)),
        ((101, 1), (200, 122)),
        ((200, 122), (200, 122)),
        ((1000, 1000), (200, 122)),
    ],
)
def test_a_draft_is_decoded_at_a_smaller_scale(
    size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    file = BytesIO(nc.compress(texture(122, 200, 3), codec="neural", graphics=False))
    scale = drawn[0] / 200 if drawn != (16, 16) else 1 / 8
    with Image.open(file) as opened:
        mode, box = opened.draft("RGB", size) or ("", ())
        expected = nc.CollageImage.from_bytes(file.getvalue()).to_pil(scale)
        assert (mode, box) == ("RGB", (0, 0, *expected.size))
        assert opened.size == expected.size
        np.testing.assert_array_equal(np.asarray(opened), np.asarray(expected), strict=True)
        assert opened.draft("RGB", (1, 1)) is None  # it has been decoded


def test_thumbnails_are_close_to_those_of_the_whole_picture() -> None:
    file = BytesIO(nc.compress(texture(320, 256, 3), codec="neural", graphics=False, quality=80))
    with Image.open(file) as opened:
        whole = opened.copy()
    with Image.open(file) as opened:
        opened.thumbnail((60, 60))
        assert opened.size == (48, 60)
        whole.thumbnail((60, 60))
        difference = np.asarray(opened, float) - np.asarray(whole, float)
    assert np.abs(difference).mean() < 2


def test_options_are_those_of_compress(image: Image.Image) -> None:
    file = BytesIO()
    image.save(file, "CLG", quality=20, effort=0, codec="fractal", graphics=False)
    assert file.getvalue() == nc.compress(
        image, codec="fractal", graphics=False, quality=20, effort=0
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"qualty": 50, "lossless": True}, "cannot save CLG with lossless, qualty: the options"),
        ({"append_images": [Image.new("L", (1, 1))]}, "cannot save CLG with append_images"),
        ({"icc_profile": "sRGB"}, "icc_profile must be at most 1048576 bytes, or None, not str"),
        ({"icc_profile": bytes(1048577)}, "icc_profile .* not 1048577 of them"),
        ({"exif": "Exif"}, "exif must be at most 16777216 bytes, or None, not str"),
        ({"xmp": bytes(16777217)}, "xmp .* not 16777217 of them"),
        ({"strip": "icc"}, "strip must be all or gps, or None, not 'icc'"),
    ],
)
def test_an_unusable_option_is_refused_and_leaves_no_file(
    image: Image.Image, tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(nc.CollageError, match=reason):
        image.save(tmp_path / "x.clg", **options)
    assert not list(tmp_path.iterdir())


def saved(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, "CLG", **options)
    return file.getvalue()


def test_options_of_other_formats_are_ignored(image: Image.Image) -> None:
    data = saved(image, optimize=True, progressive=True, dpi=(72, 72), subsampling=0)
    assert data == saved(image) == nc.compress(image)


def test_a_whole_float_is_a_quality(image: Image.Image) -> None:
    assert saved(image, quality=75.0) == nc.compress(image, quality=75)


def test_the_profile_is_that_of_the_image_unless_another_is_given(image: Image.Image) -> None:
    image.info["icc_profile"] = b"own"
    for options, expected in (
        ({}, b"own"),
        ({"icc_profile": b"other"}, b"other"),
        ({"icc_profile": None}, None),
        ({"icc_profile": b""}, None),
    ):
        with Image.open(BytesIO(saved(image, **options))) as opened:
            assert opened.info.get("icc_profile") == expected
    assert image.info["icc_profile"] == b"own"


def test_of_an_animation_the_first_frame_is_saved_with_a_warning(image: Image.Image) -> None:
    animation = BytesIO()
    image.save(
        animation, "GIF", save_all=True, append_images=[image.rotate(180), image.convert("L")]
    )
    assert saved(image, save_all=True) == nc.compress(image)
    with Image.open(animation) as opened, pytest.warns(PictureWarning, match="only the first"):
        assert saved(opened, save_all=True) == saved(image)


def test_a_damaged_file_says_what_is_wrong(image: Image.Image) -> None:
    data = nc.compress(image, effort=0)
    with pytest.raises(nc.CollageFormatError, match="truncated"):
        Image.open(BytesIO(data[:-5]))
    with pytest.raises(nc.CollageFormatError, match="checksum"):
        Image.open(BytesIO(data[:-1] + bytes((data[-1] ^ 1,))))


def test_a_damaged_file_raises_an_os_error_as_those_of_other_formats_do(
    image: Image.Image,
) -> None:
    data = nc.compress(image, effort=0)
    with pytest.raises(OSError, match="truncated"):
        Image.open(BytesIO(data[:-5]))


def test_a_collage_can_be_compressed_again(image: Image.Image, tmp_path: Path) -> None:
    image.save(tmp_path / "x.clg", effort=0)
    assert nc.encode(tmp_path / "x.clg", effort=0).width == 12
