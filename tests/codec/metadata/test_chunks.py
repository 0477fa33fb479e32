"""Chunks of metadata in a file: what they hold, what is skipped, and what is refused."""

import random
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.codec.chunks import pack_chunks, read_chunks
from neural_collage.codec.container import Header, pack_file, unpack_file, unpack_start
from neural_collage.codec.varints import varint
from neural_collage.errors import CollageFormatError
from neural_collage.io.limits import MAX_METADATA_BYTES
from neural_collage.io.metadata import NO_METADATA, Metadata
from tests.exif_data import exif_data, xmp_packet

PLAIN = Header(codec=1, width=768, height=512, mode="RGB", quality=50)
SOME = replace(PLAIN, metadata=Metadata(exif_data(1), xmp_packet(padding=4000)))
SHORT = b"\x01\x04exif" + b"\x02\x03xmp"


def file(chunks: bytes, payload: bytes = b"payload") -> bytes:
    """A file with these chunks, whatever they are, and a checksum that fits."""
    body = bytes.fromhex("89434c47 01 01 22 00 32 8006 8004 07") + varint(len(chunks)) + chunks
    body += payload
    return body + zlib.crc32(body).to_bytes(4, "little")


@given(
    st.builds(
        Metadata,
        exif=st.none() | st.binary(min_size=1, max_size=300),
        xmp=st.none() | st.binary(min_size=1, max_size=300),
    )
)
def test_what_is_packed_is_read(metadata: Metadata) -> None:
    packed = pack_chunks(metadata)
    assert read_chunks(packed) == metadata
    assert len(packed) <= sum(len(d) + 3 for d in (metadata.exif, metadata.xmp) if d)


def test_the_bytes_never_change() -> None:
    metadata = Metadata(b"exif", b"xmp")
    assert pack_file(replace(PLAIN, metadata=metadata), b"payload") == file(SHORT)
    assert (
        file(SHORT).hex()
        == (
            "89434c4701012200328006800407" + "0b" + "010465786966" + "0203786d70" + "7061796c6f6164"
        )
        + file(SHORT)[-4:].hex()
    )
    assert unpack_file(file(SHORT)) == (replace(PLAIN, metadata=metadata), b"payload")


def test_a_file_without_metadata_has_no_chunks() -> None:
    assert pack_chunks(NO_METADATA) == b""
    assert pack_file(PLAIN, b"payload")[6] == 2
    assert unpack_file(file(b"")) == (PLAIN, b"payload")


def test_text_is_deflated() -> None:
    packed = pack_chunks(Metadata(xmp=xmp_packet(padding=4000)))
    assert packed[0] == 0x82
    assert len(packed) < 700
    assert pack_chunks(Metadata(xmp=random.Random(0).randbytes(1000)))[0] == 2


def test_chunks_of_other_kinds_are_skipped() -> None:
    """So that later versions can add some."""
    other = b"\x03\x05later" + b"\xff\x03bad"
    assert unpack_file(file(SHORT + other)) == unpack_file(file(SHORT))
    assert read_chunks(other) == NO_METADATA


def deflated(kind: int, stream: bytes) -> bytes:
    return bytes([kind | 128]) + varint(len(stream)) + stream


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        (b"\x01\x05exif", "a chunk of 5 bytes of metadata, of which 4 are there"),
        (b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7fexif", "a chunk of 9223372036854775807 bytes"),
        (b"\x01", "truncated: a number expected"),
        (b"\x01\x84\0exif", "malformed number"),
        (b"\x07\x09later", "a chunk of 9 bytes of metadata, of which 5 are there"),
        (b"\x01\x04exif\x01\x04exif", "a chunk of kind 1 follows one of kind 1"),
        (b"\x01\x04exif\x81\x04exif", "a chunk of kind 1 follows one of kind 1"),
        (b"\x02\x03xmp\x01\x04exif", "a chunk of kind 1 follows one of kind 2"),
        (b"\x05\x01a\x05\x01b", "a chunk of kind 5 follows one of kind 5"),
        (b"\0\x01a", "a chunk of kind 0 follows one of kind 0"),
        (b"\x01\0", "the EXIF chunk has 0 bytes, not 1 to 16777216"),
        (deflated(2, zlib.compress(b"")), "the XMP chunk has 0 bytes"),
        (deflated(1, b"exif"), "the EXIF chunk: .* incorrect header check"),
        (deflated(1, zlib.compress(b"exif")[:-1]), "EXIF chunk is not one complete zlib stream"),
        (deflated(1, zlib.compress(b"exif") + b"x"), "EXIF chunk is not one complete zlib stream"),
        (b"\x01" + varint(MAX_METADATA_BYTES + 1) + bytes(MAX_METADATA_BYTES + 1), "has 16777217"),
        (deflated(2, zlib.compress(bytes(50 << 20))), "the XMP chunk has more than 16777216 bytes"),
    ],
    ids=lambda value: value[:12].hex() if isinstance(value, bytes) else "",
)
def test_what_does_not_fit_is_refused(chunks: bytes, reason: str) -> None:
    for read in (unpack_file, unpack_start):
        with pytest.raises(CollageFormatError, match=reason) as caught:
            read(file(chunks))
        assert "\n" not in str(caught.value)


def test_the_length_of_all_chunks_cannot_be_more_than_the_file() -> None:
    data = bytearray(file(SHORT))
    place = data.index(SHORT) - 1
    for length in (12, 100, 127):
        data[place] = length
        body = bytes(data[:-4])
        with pytest.raises(CollageFormatError, match=r"truncated|chunk|follow"):
            unpack_file(body + zlib.crc32(body).to_bytes(4, "little"))


def test_large_metadata_come_back() -> None:
    metadata = Metadata(random.Random(1).randbytes(MAX_METADATA_BYTES), b"x" * MAX_METADATA_BYTES)
    assert read_chunks(pack_chunks(metadata)) == metadata


def test_a_file_that_breaks_off_behind_its_header_has_its_metadata() -> None:
    whole = pack_file(SOME, bytes(100))
    start = len(whole) - 104
    for length in range(start):
        with pytest.raises(CollageFormatError):
            unpack_start(whole[:length])
    assert unpack_start(whole[: start + 10]) == (SOME, bytes(10), 90)


def test_forged_chunks_are_read_or_refused() -> None:
    source = random.Random(0)
    chunks = pack_chunks(SOME.metadata)
    taken = 0
    for _ in range(3000):
        changed = bytearray(chunks)
        for _ in range(source.randint(1, 3)):
            place = source.randrange(16) if source.random() < 0.5 else source.randrange(len(chunks))
            changed[place] = source.randrange(256)
        try:
            header, payload = unpack_file(file(bytes(changed)))
        except CollageFormatError as error:
            assert str(error)  # noqa: PT017
        else:
            taken += 1
            assert payload == b"payload"
            assert len(header.metadata.xmp or b"") <= MAX_METADATA_BYTES
    assert 0 < taken < 3000
