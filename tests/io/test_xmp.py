"""XMP packets: checked, turned upright, and without a position."""

from xml.etree import ElementTree

import pytest

from neural_collage.io.xmp import check_xmp, upright_xmp, xmp_without_gps
from tests.exif_data import xmp_packet


def test_packets_are_accepted_with_zeros_behind_them() -> None:
    check_xmp(xmp_packet())
    check_xmp(xmp_packet() + bytes(3))
    check_xmp(xmp_packet().decode().encode("utf-16"))


@pytest.mark.parametrize(
    ("xmp", "reason"),
    [
        (b"no packet", "no XML"),
        (xmp_packet()[:-40], "no XML"),
        (xmp_packet() + b"<more/>", "no XML"),
        (b"<x>\xff</x>", "no XML"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', "document type"),
    ],
)
def test_what_is_no_packet_is_refused(xmp: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_xmp(xmp)


def test_upright_packets_differ_by_the_orientation_alone() -> None:
    assert upright_xmp(xmp_packet(6)) == xmp_packet(1)
    assert upright_xmp(xmp_packet()) == xmp_packet()
    element = b"<x><tiff:Orientation>8</tiff:Orientation></x>"
    assert upright_xmp(element) == element.replace(b"8", b"1")


def test_without_gps_all_else_is_left() -> None:
    stripped = xmp_without_gps(xmp_packet(1, padding=2000))
    assert b"GPS" not in stripped
    assert b"here" not in stripped
    assert "Zürich" in stripped.decode()
    assert b"a > b" in stripped
    assert b" " * 2000 in stripped
    root = ElementTree.fromstring(stripped.decode().partition("?>")[2].rpartition("<?")[0])
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert names == ["xmpmeta", "RDF", "Description", "title"]


@pytest.mark.parametrize(
    ("xmp", "left"),
    [
        (b'<x drone:GpsLatitude="1" GPano:Pose="2"/>', b'<x GPano:Pose="2"/>'),
        (b"<x><e:GPSa><e:GPSa>1</e:GPSa></e:GPSa>2</x>", b"<x>2</x>"),
        (b"<x><e:GPSa b='/>'>1</e:GPSa>2</x>", b"<x>2</x>"),
        (b"<x><![CDATA[<e:GPSa>]]></x>", b"<x><![CDATA[<e:GPSa>]]></x>"),
        (b"<x><!-- <e:GPSa> --></x>", b"<x><!-- <e:GPSa> --></x>"),
        (b"<x>GPS</x>", b"<x>GPS</x>"),
    ],
)
def test_properties_are_found_by_their_names(xmp: bytes, left: bytes) -> None:
    assert xmp_without_gps(xmp) == left


def test_packets_of_other_encodings_are_not_changed() -> None:
    wide = xmp_packet(6).decode().encode("utf-16")
    bare = b"".join(bytes([byte, 0]) for byte in b"<x/>")  # without a mark
    for xmp in (wide, bare):
        for function in (upright_xmp, xmp_without_gps):
            with pytest.raises(ValueError, match="not in UTF-8"):
                function(xmp)


def test_markup_that_does_not_end_where_it_seems_to_is_passed_once() -> None:
    """This would take hours if each were looked for anew."""
    inside = b"<x><![CDATA[" + b"<e:GPSa>" * 200_000 + b"]]>"
    hostile = inside + b"<a>" + b"<!---->" * 100_000 + b"</a></x>"
    assert xmp_without_gps(hostile) == hostile
