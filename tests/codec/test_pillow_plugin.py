from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neural_collage as nc
from neural_collage.io.modes import Mode


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


def test_options_are_those_of_compress(image: Image.Image) -> None:
    file = BytesIO()
    image.save(file, "CLG", quality=20, effort=0, codec="fractal")
    assert file.getvalue() == nc.compress(image, codec="fractal", quality=20, effort=0)


def test_an_unknown_option_is_refused_and_leaves_no_file(
    image: Image.Image, tmp_path: Path
) -> None:
    with pytest.raises(nc.CollageError, match="cannot save CLG with optimize, progressive"):
        image.save(tmp_path / "x.clg", progressive=True, optimize=True)
    assert not list(tmp_path.iterdir())


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
