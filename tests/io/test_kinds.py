"""Files that need a plugin, and files that are to be converted before they are pictures."""

import sys
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from neural_collage.errors import ImageError, PictureWarning
from neural_collage.io.reading import parse_picture, read_picture


def tiff(**tags: int) -> bytes:
    """A TIFF of one colour with tags by number, as in `_254=1`."""
    file, extra = BytesIO(), TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        extra[int(name[1:])] = value
    Image.new("RGB", (8, 8), (9, 80, 200)).save(file, "TIFF", tiffinfo=extra)
    return file.getvalue()


@pytest.mark.parametrize(
    "start",
    [
        b"FUJIFILMCCD-RAW 0201",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x08\0\0\0",
        b"II\x1a\0\0\0HEAPCCDR",
    ],
)
def test_raw_files_are_known_by_their_content(start: bytes) -> None:
    with pytest.raises(ImageError, match=r"x: a camera's raw file.*darktable-cli or dcraw"):
        parse_picture(start.ljust(2000, b"\0"), "x")


@pytest.mark.parametrize("ending", ["NEF", "dng", "ARW", "pef"])
def test_raw_files_are_known_by_their_names(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    path.write_bytes(tiff())
    with pytest.raises(ImageError, match="a camera's raw file"):
        read_picture(path)


def test_the_thumbnail_of_a_raw_file_is_no_picture() -> None:
    for data in (tiff(_254=1, _330=8), tiff(_50706=1)):
        with pytest.raises(ImageError, match="a camera's raw file"):
            parse_picture(data, "x.tif")


def test_pictures_with_the_name_or_a_tag_of_a_raw_file_are_read(tmp_path: Path) -> None:
    assert parse_picture(tiff(_254=1), "x.tif").width == 8
    assert parse_picture(tiff(), "x.tif").width == 8
    path = tmp_path / "x.nef"
    Image.new("RGB", (8, 8)).save(path, "PNG")
    assert read_picture(path).width == 8


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7\n%", "a PDF has pages, not pixels: convert it with pdftoppm"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG has lines.*rsvg-convert"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a -->\n<svg/>", "an SVG has lines"),
        (b"<?xml version='1.0'?><html/>", "not a picture in a format that Pillow reads"),
    ],
)
def test_what_has_no_pixels_is_refused_with_a_converter(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=f"x: {reason}"):
        parse_picture(data, "x")


@pytest.mark.parametrize(
    ("format_name", "module", "package"),
    [("HEIF", "pillow_heif.HeifImagePlugin", "pillow-heif"), ("JXL", "pillow_jxl", "pillow-jxl")],
)
def test_plugins_are_used_or_named(
    format_name: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(module)
    file = BytesIO()
    Image.new("RGB", (16, 24), (9, 80, 200)).save(file, format_name)
    picture = parse_picture(file.getvalue(), "x")
    assert (picture.width, picture.height) == (16, 24)
    assert np.abs(picture.levels[:, 0, 0].astype(int) - (9, 80, 200)).max() < 12
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImageError, match=f"x: Pillow reads .* plugin: pip install {package}"):
        parse_picture(file.getvalue(), "x")


def png_of_16_bits() -> bytes:
    """A PNG of 2 x 2 pixels with 16 bits a channel, which Pillow does not write."""
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = (b"\0" + bytes(range(12))) * 2
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_it_is_said_that_16_bits_are_reduced() -> None:
    with pytest.warns(PictureWarning, match="x: its 16 bits a channel are reduced to 8"):
        assert parse_picture(png_of_16_bits(), "x").mode == "RGB"
    file = BytesIO()
    Image.fromarray(np.full((4, 4), 700, np.uint16)).save(file, "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse_picture(file.getvalue(), "x").pixels[0, 0, 0] == pytest.approx(700 / 65535)
