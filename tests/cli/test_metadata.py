"""Metadata on the command line: kept, left out, listed, and handed back."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from neural_collage.io.exif import PREFIX
from tests.cli.conftest import Photo, Run
from tests.exif_data import exif_data, xmp_packet

EXIF, XMP = exif_data(6), xmp_packet(6)


@pytest.fixture
def camera(photo: Photo, tmp_path: Path) -> Path:
    """A JPEG file with all metadata, 12 wide and 8 high, to be turned."""
    with Image.open(photo("x.png")) as image:
        image.save(tmp_path / "x.jpg", exif=PREFIX + EXIF, xmp=XMP)
    return tmp_path / "x.jpg"


def compressed(collage: Run, *options: str) -> dict[str, Any]:
    """What `collage info` says of the file."""
    result = collage(*("compress", "x.jpg", "--effort", 0, "--overwrite", *options))
    assert (result.exit_code, result.stderr) == (0, "")
    facts: dict[str, Any] = json.loads(collage("info", "x.clg", "--json").stdout)
    return facts


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_metadata_are_kept_and_listed(collage: Run, camera: Path, tmp_path: Path) -> None:
    facts = compressed(collage)
    assert (facts["width"], facts["height"]) == (8, 12)
    assert (facts["exif_bytes"], facts["xmp_bytes"]) == (len(EXIF), len(XMP))
    text = collage("info", "x.clg").stdout
    assert f"exif bytes        {len(EXIF)}\nxmp bytes         {len(XMP)}\n" in text
    image = opened(tmp_path / "x.clg")
    assert image.info == {"exif": PREFIX + exif_data(1), "xmp": xmp_packet(1)}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_metadata_are_handed_back(collage: Run, camera: Path, suffix: str, tmp_path: Path) -> None:
    compressed(collage)
    result = collage("decompress", "x.clg", "-o", f"y{suffix}", "--scale", 2)
    assert (result.exit_code, result.stderr) == (0, "")
    image = opened(tmp_path / f"y{suffix}")
    assert image.size == (16, 24)
    assert image.info["xmp"] == xmp_packet(1)
    assert image.getexif()[ExifTags.Base.Make] == "A good make"
    assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    if suffix != ".tif":
        assert image.info["exif"].removeprefix(PREFIX) == exif_data(1)


def test_a_format_without_metadata_is_written_with_a_warning(
    collage: Run, camera: Path, tmp_path: Path
) -> None:
    compressed(collage)
    result = collage("decompress", "x.clg", "-o", "y.bmp")
    assert result.exit_code == 0
    assert result.stderr == (
        "collage: warning: the EXIF and XMP data are left out of the .bmp file: .bmp files hold "
        "none\n"
    )
    assert opened(tmp_path / "y.bmp").size == (8, 12)


@pytest.mark.parametrize("strip", [("--strip",), ("--strip", "all"), ("--strip=all",)])
def test_strip_leaves_out_all(
    collage: Run, camera: Path, strip: tuple[str, ...], tmp_path: Path
) -> None:
    facts = compressed(collage, *strip)
    assert (facts["width"], facts["exif_bytes"], facts["xmp_bytes"]) == (8, 0, 0)


def test_strip_may_stand_before_an_input(collage: Run, camera: Path, tmp_path: Path) -> None:
    assert collage("compress", "--strip", "x.jpg", "--effort", 0).exit_code == 0
    assert opened(tmp_path / "x.clg").info == {}
    result = collage("compress", "-o", "y.clg", "--effort", 0, "--", "x.jpg")
    assert result.exit_code == 0
    result = collage("compress", "--", "--strip")
    assert (result.exit_code, result.stderr) == (1, "collage: --strip: no such file\n")


def test_strip_gps_leaves_out_the_position(collage: Run, camera: Path, tmp_path: Path) -> None:
    facts = compressed(collage, "--strip", "gps")
    assert facts["exif_bytes"] == len(EXIF)
    image = opened(tmp_path / "x.clg")
    assert image.getexif().get_ifd(ExifTags.IFD.GPSInfo) == {}
    assert image.getexif().get_ifd(ExifTags.IFD.Exif)[0x9003] == "2026:11:27 12:00:00"
    assert b"GPS" not in image.info["xmp"]
    assert "Zürich" in image.info["xmp"].decode()


def test_another_value_is_wrong_usage(collage: Run, camera: Path) -> None:
    result = collage("compress", "x.jpg", "--strip=icc")
    assert result.exit_code == 2
    assert "'icc' is not one of 'all', 'gps'" in result.stderr


def test_damaged_metadata_are_a_line_and_the_picture_is_compressed(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    with Image.open(photo("x.png")) as image:
        image.save(tmp_path / "x.jpg", exif=b"Exif\0\0garbage", xmp=b"<no xml")
    result = collage("compress", "x.jpg", "--effort", 0)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "collage: warning: x.jpg: its EXIF data are left out: it is no TIFF structure",
        "collage: warning: x.jpg: its XMP data are left out: it is no XML: unclosed token: line 1, "
        "column 0",
    ]
    assert opened(tmp_path / "x.clg").info == {}


def test_a_position_that_may_be_hidden_is_a_line_that_names_the_file(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    place = EXIF.index(b"\x25\x88\x04\0\x01\0\0\0")
    damaged = EXIF[: place + 8] + b"\xff\xff\xff\0" + EXIF[place + 12 :]
    with Image.open(photo("x.png")) as image:
        image.save(tmp_path / "x.jpg", exif=PREFIX + damaged)
    result = collage("compress", "x.jpg", "--effort", 0, "--strip", "gps")
    assert result.exit_code == 0
    warning = "collage: warning: x.jpg: its EXIF data are left out: it breaks off\n"
    assert result.stderr == warning


def test_a_batch_keeps_metadata_unless_told_otherwise(
    collage: Run, camera: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    camera.rename(tmp_path / "in/x.jpg")
    arguments = ("batch", "in", "out", "--workers", 1, "--codec", "fractal", "--effort", 0)
    for options, kinds in (
        ((), {"exif", "xmp"}),
        (("--strip",), set()),
        (("--strip", "gps"), {"exif", "xmp"}),
    ):
        assert collage(*arguments, *options).exit_code == 0  # other settings, so it is made again
        assert set(opened(tmp_path / "out/x.clg").info) == kinds
    assert collage("batch", "out", "again", "--task", "reencode", "--workers", 1).exit_code == 0
    assert set(opened(tmp_path / "again/x.clg").info) == {"exif", "xmp"}
    for folder in ("out", "again"):
        assert opened(tmp_path / folder / "x.clg").getexif().get_ifd(ExifTags.IFD.GPSInfo) == {}
    assert collage("batch", "again", "png", "--task", "decompress", "--workers", 1).exit_code == 0
    assert opened(tmp_path / "png/x.png").getexif()[ExifTags.Base.Make] == "A good make"
