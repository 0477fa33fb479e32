"""EXIF data are changed in place: what has nothing to do with the change stays as it was."""

import random

import pytest
from PIL import ExifTags, Image

from neural_collage.io.exif import (
    check_exif,
    has_gps,
    orientation_of,
    upright_exif,
    without_gps,
)
from tests.exif_data import GPS_TEXT, Order, exif_data

ORDERS: tuple[Order, ...] = ("little", "big")


def pillow(exif: bytes) -> Image.Exif:
    read = Image.Exif()
    read.load(exif)
    return read


@pytest.mark.parametrize("order", ORDERS)
def test_the_data_are_those_that_pillow_reads(order: Order) -> None:
    """So that what follows is about data as cameras write them."""
    read = pillow(exif_data(6, order))
    assert (read[0x010F], read[0x0112]) == ("A good make", 6)
    assert read.get_ifd(ExifTags.IFD.Exif)[0x9003] == "2026:11:27 12:00:00"
    assert read.get_ifd(ExifTags.IFD.GPSInfo)[2] == (47, 22, 33)
    assert read.get_ifd(ExifTags.IFD.Interop)[1] == "R98"
    assert read.get_ifd(ExifTags.IFD.IFD1)[0x0112] == 8


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("orientation", [None, 0, 1, 6, 8, 9])
def test_the_orientation_is_found(order: Order, orientation: int | None) -> None:
    assert orientation_of(exif_data(orientation, order)) == orientation


@pytest.mark.parametrize("order", ORDERS)
def test_upright_data_differ_by_the_orientation_alone(order: Order) -> None:
    assert upright_exif(exif_data(6, order)) == exif_data(1, order)
    assert upright_exif(exif_data(None, order)) == exif_data(None, order)


def test_an_orientation_of_another_type_is_refused() -> None:
    exif = exif_data(6)
    place = exif.index(b"\x12\x01\x03\0\x01\0\0\0\x06")  # a short, a single one, 6
    for kind in (1, 4):
        field = b"\x12\x01" + bytes([kind, 0, 1, 0, 0, 0])
        other = exif[:place] + field + (6).to_bytes(4, "little") + exif[place + 12 :]
        assert orientation_of(other) == 6
        assert orientation_of(upright_exif(other)) == 1
        assert len(upright_exif(other)) == len(exif)
    for kind, number in ((2, 1), (3, 2), (99, 1)):
        field = b"\x12\x01" + bytes([kind, 0, number, 0, 0, 0])
        other = exif[:place] + field + exif[place + 8 :]
        assert orientation_of(other) is None
        with pytest.raises(ValueError, match="orientation is not a whole number"):
            upright_exif(other)


@pytest.mark.parametrize("order", ORDERS)
def test_without_gps_nothing_of_the_position_is_left_and_all_else_is(order: Order) -> None:
    exif = exif_data(1, order)
    stripped = without_gps(exif)
    assert has_gps(exif)
    assert not has_gps(stripped)
    assert len(stripped) == len(exif)
    assert GPS_TEXT in exif
    assert GPS_TEXT not in stripped
    before, after = pillow(exif), pillow(stripped)
    assert {tag: after[tag] for tag in after} == {
        tag: before[tag] for tag in before if tag != ExifTags.IFD.GPSInfo
    }
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.Interop, ExifTags.IFD.IFD1):
        assert after.get_ifd(directory) == before.get_ifd(directory)
    # what the fields after that of the position take moves by one field, nothing else does
    moved = [i for i in range(len(exif)) if exif[i] != stripped[i] and stripped[i]]
    assert max(moved) - min(moved) < 12 * 5 + 6


@pytest.mark.parametrize("order", ORDERS)
def test_data_without_a_position_stay_as_they_are(order: Order) -> None:
    exif = exif_data(1, order, gps=False)
    assert without_gps(exif) == exif
    assert not has_gps(exif)


@pytest.mark.parametrize(
    ("exif", "reason"),
    [
        (b"", "no TIFF structure"),
        (b"garbage and more", "no TIFF structure"),
        (b"II*\0", "breaks off"),
        (b"II*\0\x04\0\0\0\0\0\0\0", "in its header"),
        (b"II*\0\x08\0\0\0", "breaks off"),
        (b"II*\0\xff\xff\0\0\0\0", "breaks off"),
        (b"II*\0\x08\0\0\0\x01\0\0\0", "ends behind"),
    ],
)
def test_data_without_a_directory_are_refused(exif: bytes, reason: str) -> None:
    for function in (check_exif, orientation_of, upright_exif, has_gps, without_gps):
        with pytest.raises(ValueError, match=reason):
            function(exif)


def test_damage_below_the_first_directory_is_none_unless_a_position_is_to_be_removed() -> None:
    exif = exif_data(6)
    far = (len(exif) + 100).to_bytes(4, "little")
    for tag in (b"\x69\x87", b"\x25\x88"):
        place = exif.index(tag + b"\x04\0\x01\0\0\0")
        damaged = exif[: place + 8] + far + exif[place + 12 :]
        check_exif(damaged)
        assert orientation_of(upright_exif(damaged)) == 1
        with pytest.raises(ValueError, match="breaks off"):
            without_gps(damaged)


def test_directories_in_a_circle_come_to_an_end() -> None:
    field = b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0"
    exif = b"II*\0\x08\0\0\0" + b"\x01\0" + field + b"\x08\0\0\0"
    assert not has_gps(exif)
    assert without_gps(exif) == exif


def test_too_many_directories_are_refused() -> None:
    chain = b"".join(b"\0\0" + (14 + 6 * n).to_bytes(4, "little") for n in range(100))
    with pytest.raises(ValueError, match="too many directories"):
        has_gps(b"II*\0\x08\0\0\0" + chain + b"\0\0\0\0\0\0")


def test_a_position_that_is_the_picture_itself_is_refused() -> None:
    field = b"\x25\x88\x04\0\x01\0\0\0\x08\0\0\0"
    deep = b"\x01\0\x07\0\xff\xff\xff\xff\0\0\0\0"  # values that are all of the data
    exif = b"II*\0\x08\0\0\0" + b"\x02\0" + field + deep + bytes(4)
    with pytest.raises(ValueError, match="no TIFF structure"):
        without_gps(exif)


def test_whatever_the_damage_data_are_changed_or_refused() -> None:
    source = random.Random(0)
    whole = exif_data(6)
    changed = 0
    for _ in range(3000):
        exif = bytearray(whole[: source.choice((len(whole), source.randrange(len(whole))))])
        for _ in range(source.randint(1, 4)):
            if exif:
                exif[source.randrange(len(exif))] = source.randrange(256)
        for function in (upright_exif, without_gps):
            try:
                result = function(bytes(exif))
            except ValueError as error:
                assert str(error)  # noqa: PT017
            else:
                changed += 1
                assert len(result) == len(exif)
                assert function is upright_exif or not has_gps(result)
    assert 500 < changed < 6000


def test_pillow_reads_a_thumbnail_where_it_was() -> None:
    exif = without_gps(upright_exif(exif_data(6)))
    directory = pillow(exif).get_ifd(ExifTags.IFD.IFD1)
    start, length = directory[0x0201], directory[0x0202]
    assert exif[start : start + length] == b"\xff\xd8 a small picture \xff\xd9"
