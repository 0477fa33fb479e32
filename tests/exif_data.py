"""EXIF data made by hand, with what Pillow does not write: maker notes with offsets, thumbnails."""

from typing import Literal

Order = Literal["little", "big"]
Field = tuple[int, int, int, bytes]
"""Tag, type, number of values, and these or where they are, as bytes of the structure."""

GPS_TEXT = b"WGS-84 is here\0"
"""One of the values of the position."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8}


def exif_data(orientation: int | None = None, order: Order = "little", gps: bool = True) -> bytes:
    """EXIF data with all five directories, a maker note with an absolute offset and a thumbnail."""

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)

    data = bytearray({"little": b"II*\0", "big": b"MM\0*"}[order] + bytes(4))

    def directory(fields: list[Field], following: int = 0) -> int:
        """Append a directory after its long values; its position."""
        entries = b""
        for tag, kind, count, values in fields:
            assert len(values) == _SIZES[kind] * count
            if len(values) > 4:
                data.extend(b"\xee" * (len(data) % 2))
                place, values = number(len(data), 4), values
                data.extend(values)
            else:
                place = values.ljust(4, b"\0")
            entries += number(tag, 2) + number(kind, 2) + number(count, 4) + place
        start = len(data)
        data.extend(number(len(fields), 2) + entries + number(following, 4))
        return start

    thumbnail = b"\xff\xd8 a small picture \xff\xd9"
    thumbnail_at = len(data)
    data.extend(thumbnail)
    second = directory(
        [
            (0x0103, 3, 1, number(6, 2)),
            (0x0112, 3, 1, number(8, 2)),
            (0x0201, 4, 1, number(thumbnail_at, 4)),
            (0x0202, 4, 1, number(len(thumbnail), 4)),
        ]
    )
    interop = directory([(1, 2, 4, b"R98\0"), (2, 7, 4, b"0100")])
    maker_note = b"Maker\0" + number(len(data) + 24, 4) + b" points into itself " + bytes(range(64))
    below = directory(
        [
            (0x829A, 5, 1, number(1, 4) + number(250, 4)),
            (0x9003, 2, 20, b"2026:11:27 12:00:00\0"),
            (0x9204, 10, 1, number(2**32 - 1, 4) + number(3, 4)),
            (0x927C, 7, len(maker_note), maker_note),
            (0xA005, 4, 1, number(interop, 4)),
        ]
    )
    position = directory(
        [
            (1, 2, 2, b"N\0"),
            (2, 5, 3, b"".join(number(n, 4) + number(1, 4) for n in (47, 22, 33))),
            (18, 2, len(GPS_TEXT), GPS_TEXT),
        ]
    )
    fields: list[Field] = [(0x010F, 2, 12, b"A good make\0")]
    if orientation is not None:
        fields.append((0x0112, 3, 1, number(orientation, 2)))
    fields.append((0x8769, 4, 1, number(below, 4)))
    if gps:
        fields.append((0x8825, 4, 1, number(position, 4)))
    fields.append((0x9C9B, 1, 6, b"t\0i\0\0\0"))
    data[4:8] = number(directory(fields, second), 4)
    return bytes(data)


def xmp_packet(orientation: int | None = None, padding: int = 0) -> bytes:
    """An XMP packet with a position, as attributes and as elements."""
    turned = f' tiff:Orientation="{orientation}"' if orientation else ""
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" exif:GPSLatitude="47,22.5N" dc:source='a > b'{turned}>
<exif:GPSLongitude>8,32.3E</exif:GPSLongitude><exif:GPSAreaInformation><rdf:Alt><rdf:li>here</rdf:li></rdf:Alt>
</exif:GPSAreaInformation><exif:GPSStatus/><dc:title>Zürich</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>
{" " * padding}<?xpacket end="w"?>""".encode()
