"""Metadata come with pictures out of files of all kinds, and go into files of all kinds."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from neural_collage.errors import CollageError, PictureWarning
from neural_collage.io.exif import PREFIX, has_gps
from neural_collage.io.limits import MAX_METADATA_BYTES
from neural_collage.io.metadata import NO_METADATA, Metadata, check_strip
from neural_collage.io.picture import Picture, strip_picture
from neural_collage.io.reading import read_image, read_picture
from neural_collage.io.writing import image_bytes, to_pil
from tests.exif_data import GPS_TEXT, Order, exif_data, xmp_packet

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def photo(rng: np.random.Generator) -> Image.Image:
    """5 wide, 3 high, no two pixels alike."""
    return Image.fromarray(rng.integers(0, 256, (3, 5, 3), dtype=np.uint8))


def file(photo: Image.Image, kind: str, exif: bytes | None, xmp: bytes | None) -> bytes:
    """A picture with metadata as programs write them."""
    options: dict[str, Any] = {}
    if exif is not None:
        options["exif"] = PREFIX + exif
    if xmp is not None:
        options["xmp"] = xmp
        if kind == "PNG":
            options["pnginfo"] = text = PngInfo()
            text.add_itxt("XML:com.adobe.xmp", xmp)
    written = BytesIO()
    photo.save(written, kind, icc_profile=SRGB, **options)
    return written.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "MPO"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_they_are_kept_byte_for_byte(photo: Image.Image, kind: str, order: Order) -> None:
    for orientation in (None, 1):
        exif, xmp = exif_data(orientation, order), xmp_packet(orientation, padding=3000)
        picture = read_picture(file(photo, kind, exif, xmp))
        assert picture.metadata == Metadata(exif, xmp)
        assert picture.icc_profile == SRGB


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_of_turned_pictures_the_orientation_alone_changes(photo: Image.Image, kind: str) -> None:
    picture = read_picture(file(photo, kind, exif_data(6), xmp_packet(6)))
    assert (picture.width, picture.height) == (3, 5)
    assert picture.metadata == Metadata(exif_data(1), xmp_packet(1))
    picture = read_picture(file(photo, kind, None, xmp_packet(6)))  # as Pillow reads it
    assert (picture.width, picture.height) == (3, 5)
    assert picture.metadata == Metadata(None, xmp_packet(1))


def test_an_orientation_that_exif_overrules_stays(photo: Image.Image) -> None:
    picture = read_picture(file(photo, "JPEG", exif_data(1), xmp_packet(6)))
    assert picture.width == 5
    assert picture.metadata == Metadata(exif_data(1), xmp_packet(6))


def test_exif_data_of_many_segments_are_kept(photo: Image.Image) -> None:
    """As cameras with large maker notes write them; Pillow writes one segment."""
    large = exif_data(1) + bytes(range(256)) * 500
    plain = file(photo, "JPEG", None, None)
    segments = b"".join(
        b"\xff\xe1" + (len(part) + 8).to_bytes(2, "big") + PREFIX + part
        for part in (large[:60_000], large[60_000:120_000], large[120_000:])
    )
    assert read_picture(plain[:2] + segments + plain[2:]).metadata.exif == large


def test_exif_data_as_text_are_kept(photo: Image.Image) -> None:
    text = PngInfo()
    data = (PREFIX + exif_data(6)).hex()
    text.add_text("Raw profile type exif", f"\nexif\n{len(data) // 2:8}\n{data}\n", zip=True)
    written = BytesIO()
    photo.save(written, "PNG", pnginfo=text)
    picture = read_picture(written.getvalue())
    assert picture.metadata.exif == exif_data(1)
    assert picture.width == 3


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_the_fields_of_tiff_files_become_exif_data(
    photo: Image.Image, compression: str | None
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Maker", 6
    exif[33550] = (0.5, 0.5, 0.0)  # of GeoTIFF
    if compression is None:  # Pillow writes no directories into the others
        exif.load(exif_data(6))
        exif[33550] = (0.5, 0.5, 0.0)
        exif[700] = xmp_packet()
    written = BytesIO()
    photo.save(written, "TIFF", exif=exif.tobytes(), compression=compression)
    picture = read_picture(written.getvalue())
    assert (picture.width, picture.height) == (3, 5)
    assert picture.metadata.exif is not None
    read = Image.Exif()
    read.load(picture.metadata.exif)
    assert read[33550] == (0.5, 0.5, 0.0)
    described = {270, 271, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, 33550, 0x9C9B}
    assert set(read) <= described
    if compression is None:
        assert picture.metadata.xmp == xmp_packet()
        assert read.get_ifd(ExifTags.IFD.Exif)[0x9003] == "2026:11:27 12:00:00"
        assert read.get_ifd(ExifTags.IFD.GPSInfo)[2] == (47, 22, 33)


def test_tiff_files_that_say_nothing_have_no_exif_data(photo: Image.Image) -> None:
    written = BytesIO()
    photo.save(written, "TIFF", dpi=(300, 300))
    assert read_picture(written.getvalue()).metadata == NO_METADATA


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("exif", "xmp", "problem"),
    [
        (b"garbage", xmp_packet(), "its EXIF data are left out: it is no TIFF structure"),
        (exif_data(6)[:8] + b"\xff\xff", xmp_packet(), "its EXIF data are left out: it breaks off"),
        (exif_data(1), b"<x:xmpmeta", "its XMP data are left out: it is no XML"),
    ],
)
def test_damaged_ones_are_left_out_and_the_picture_is_not(
    photo: Image.Image, kind: str, exif: bytes, xmp: bytes, problem: str
) -> None:
    data = file(photo, kind, exif, xmp)
    with pytest.warns(PictureWarning, match=f"the picture: {problem}") as caught:
        picture = read_picture(data)
    assert [str(one.message).count("\n") for one in caught] == [0]
    assert picture.metadata in (Metadata(None, xmp), Metadata(exif, None))
    assert (picture.width, picture.height) == (5, 3)


def test_an_orientation_that_cannot_be_changed_costs_the_data(photo: Image.Image) -> None:
    """Pixels and orientation would not fit any more."""
    wide = xmp_packet(6).decode().encode("utf-16")
    with pytest.warns(PictureWarning, match="XMP data are left out: it is not in UTF-8"):
        picture = read_picture(file(photo, "JPEG", exif_data(6), wide))
    assert picture.metadata == Metadata(exif_data(1), None)


def test_large_ones_are_left_out_with_a_warning(photo: Image.Image) -> None:
    photo.info["exif"] = exif_data(1) + bytes(MAX_METADATA_BYTES)
    photo.info["xmp"] = "<x/>"
    with pytest.warns(PictureWarning, match=r"its EXIF data of 1677\d{4} bytes are left out"):
        assert read_picture(photo).metadata == Metadata(None, b"<x/>")
    photo.info = {"exif": 7}
    with pytest.warns(PictureWarning, match="EXIF data are left out: they are of type int"):
        assert read_picture(photo).metadata == NO_METADATA


def test_given_ones_replace_those_of_the_image(photo: Image.Image) -> None:
    photo.info |= {"exif": PREFIX + exif_data(6), "xmp": xmp_packet(6), "icc_profile": SRGB}

    def read(**given: bytes | None) -> Picture:
        return read_image(photo, given=given)

    assert read().metadata == Metadata(exif_data(1), xmp_packet(1))
    other = read(exif=exif_data(8, "big"), icc_profile=None)
    assert other.metadata == Metadata(exif_data(1, "big"), xmp_packet(1))
    assert (other.width, other.icc_profile) == (3, None)
    upright = read(exif=exif_data(1))
    assert (upright.width, upright.metadata.exif) == (5, exif_data(1))
    without = read(exif=None, xmp=None)  # which does not turn the picture back
    assert (without.width, without.metadata) == (3, NO_METADATA)
    silent = read(exif=exif_data(None))
    assert (silent.width, silent.metadata.exif) == (3, exif_data(None))


def picture_with(metadata: Metadata) -> Picture:
    return Picture(read_picture(np.zeros((2, 2))).samples, "L", SRGB, metadata)


def test_what_is_stripped_is_gone() -> None:
    picture = picture_with(Metadata(exif_data(1), xmp_packet(1)))
    assert strip_picture(picture, None, "x").metadata == picture.metadata
    stripped = strip_picture(picture, "all", "x")
    assert (stripped.metadata, stripped.icc_profile) == (NO_METADATA, SRGB)
    kept = strip_picture(picture, "gps", "x").metadata
    assert kept.exif is not None
    assert kept.xmp is not None
    assert not has_gps(kept.exif)
    assert GPS_TEXT not in kept.exif
    assert b"GPS" not in kept.xmp


def test_where_a_position_may_be_hidden_nothing_is_kept() -> None:
    exif = exif_data(1)
    place = exif.index(b"\x25\x88\x04\0\x01\0\0\0")
    damaged = exif[: place + 8] + b"\xff\xff\xff\0" + exif[place + 12 :]
    picture = picture_with(Metadata(damaged, xmp_packet(1).decode().encode("utf-16")))
    with pytest.warns(PictureWarning) as caught:
        assert strip_picture(picture, "gps", "x.jpg").metadata == NO_METADATA
    assert [str(one.message) for one in caught] == [
        "x.jpg: its EXIF data are left out: it breaks off",
        "x.jpg: its XMP data are left out: it is not in UTF-8",
    ]


def test_other_ways_to_strip_are_refused() -> None:
    check_strip(None)
    with pytest.raises(CollageError, match="strip must be all or gps, or None, not 'icc'"):
        check_strip("icc")


def test_lengths_are_checked() -> None:
    with pytest.raises(ValueError, match="0 bytes of EXIF, not 1 to 16777216; 16777217 bytes of X"):
        Metadata(b"", bytes(MAX_METADATA_BYTES + 1))


# Into files


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_they_are_written_where_pillow_can(suffix: str) -> None:
    written = to_pil(np.zeros((3, 4, 4)), SRGB, Metadata(exif_data(1), xmp_packet()))
    data = image_bytes(written, suffix)
    with Image.open(BytesIO(data)) as image:
        assert image.size == (4, 4)
        assert image.info["icc_profile"] == SRGB
        assert image.info["xmp"] == xmp_packet()
        read = image.getexif()
        assert read[ExifTags.Base.Make] == "A good make"
        assert read.get_ifd(ExifTags.IFD.Exif)[0x927C].startswith(b"Maker\0")
        assert read.get_ifd(ExifTags.IFD.GPSInfo)[2] == (47, 22, 33)
        if suffix in (".png", ".jpg", ".webp"):
            assert image.info["exif"].removeprefix(PREFIX) == exif_data(1)


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".gif", ".jp2"])
def test_formats_without_metadata_are_written_with_a_warning(suffix: str) -> None:
    image = to_pil(np.zeros((3, 4, 4)), metadata=Metadata(exif_data(1)))
    with pytest.warns(PictureWarning, match=rf"the EXIF data are left out of the \{suffix} file"):
        assert image_bytes(image, suffix)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert image_bytes(to_pil(np.zeros((3, 4, 4))), suffix)


def test_what_does_not_fit_a_format_is_left_out_and_the_rest_is_not() -> None:
    large = b"<x>" + bytes(70_000).replace(b"\0", b" ") + b"</x>"
    image = to_pil(np.zeros((3, 4, 4)), metadata=Metadata(exif_data(1), large))
    with pytest.warns(PictureWarning, match="XMP data are left out of the .jpg file: XMP data is"):
        data = image_bytes(image, ".jpg")
    with Image.open(BytesIO(data)) as read:
        assert read.info["exif"] == PREFIX + exif_data(1)
        assert "xmp" not in read.info
    image = to_pil(np.zeros((3, 4, 4)), metadata=Metadata(exif_data(1) + large, xmp_packet()))
    with pytest.warns(PictureWarning, match="EXIF data are left out of the .jpg file: EXIF data"):
        data = image_bytes(image, ".jpg")
    with Image.open(BytesIO(data)) as read:
        assert read.info["xmp"] == xmp_packet()


def test_exif_data_that_pillow_cannot_write_are_left_out() -> None:
    image = to_pil(np.zeros((3, 4, 4)))
    image.info |= {"exif": b"garbage", "xmp": xmp_packet()}
    with pytest.warns(PictureWarning, match=r"the EXIF data are left out of the \.tif file"):
        data = image_bytes(image, ".tif")
    with Image.open(BytesIO(data)) as read:
        assert read.info["xmp"] == xmp_packet()


def test_exif_fields_of_samples_do_not_get_into_tiff_files(tmp_path: Path) -> None:
    """Phones give the size of what was taken, which is not that of what is written."""
    exif = Image.Exif()
    exif[256], exif[257], exif[271] = 4000, 3000, "Maker"
    image = to_pil(np.zeros((3, 4, 6)))
    image.info["exif"] = exif.tobytes()
    (tmp_path / "x.tif").write_bytes(image_bytes(image, ".tif"))
    with Image.open(tmp_path / "x.tif") as read:
        assert read.size == (6, 4)
        assert read.getexif()[271] == "Maker"
