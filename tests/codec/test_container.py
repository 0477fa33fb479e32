import random
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from neural_collage.codec.container import (
    Header,
    ModelId,
    pack_file,
    unpack_file,
    unpack_start,
)
from neural_collage.codec.varints import read_varint, varint
from neural_collage.errors import CollageFormatError
from neural_collage.io.limits import MAX_PROFILE_BYTES
from neural_collage.io.metadata import NO_METADATA, Metadata
from neural_collage.io.modes import Mode

LARGEST_NUMBER = (1 << 63) - 1  # in 9 bytes
PLAIN = Header(codec=1, width=768, height=512, mode="RGB", quality=50)
FULL = Header(
    codec=1,
    width=3,
    height=70_000,
    mode="LA",
    quality=100,
    model=ModelId("aerial-s", bytes(range(8))),
    icc_profile=b"profile " * 40,
    graphics=b"a stream",
    metadata=Metadata(exif=b"II*\0 EXIF data", xmp=b"XMP data " * 40),
)

headers = st.builds(
    Header,
    codec=st.just(1),
    width=st.integers(1, 10_000),
    height=st.integers(1, 10_000),
    mode=st.sampled_from(["L", "LA", "RGB", "RGBA"]),
    quality=st.integers(1, 100),
    model=st.none()
    | st.builds(ModelId, st.text(min_size=1, max_size=40), st.binary(min_size=8, max_size=8)),
    icc_profile=st.none() | st.binary(min_size=1, max_size=300),
    graphics=st.none() | st.binary(max_size=300),
    metadata=st.builds(
        Metadata,
        exif=st.none() | st.binary(min_size=1, max_size=300),
        xmp=st.none() | st.binary(min_size=1, max_size=300),
    ),
)


def sealed(body: bytes) -> bytes:
    """A file that a forger made: any content under a checksum that fits."""
    return body + zlib.crc32(body).to_bytes(4, "little")


@given(headers, st.binary(max_size=300))
def test_what_is_packed_is_unpacked(header: Header, payload: bytes) -> None:
    assert unpack_file(pack_file(header, payload)) == (header, payload)


@pytest.mark.parametrize(
    ("header", "payload", "golden"),
    [
        (PLAIN, b"payload", "89434c4701010200328006800407" + "7061796c6f6164" + "ac4bdfa5"),
        (
            replace(PLAIN, width=1, height=1, mode="L", quality=1, model=ModelId("m", b"\1" * 8)),
            b"",
            "89434c4701010400010101" + "00" + "016d" + "01" * 8 + "ad323c49",
        ),
    ],
)
def test_the_bytes_never_change(header: Header, payload: bytes, golden: str) -> None:
    assert pack_file(header, payload).hex() == golden
    assert unpack_file(bytes.fromhex(golden)) == (header, payload)


def test_a_profile_is_stored_deflated_before_the_graphics_and_the_payload() -> None:
    data = pack_file(replace(FULL, metadata=NO_METADATA), b"payload")
    start = data.index(bytes(range(8))) + 8
    length = data[start]
    assert zlib.decompress(data[start + 1 : start + 1 + length]) == FULL.icc_profile
    assert data[start + 1 + length : -4] == b"\x08a stream" + b"payload"


def test_a_plain_header_costs_eighteen_bytes() -> None:
    assert len(pack_file(PLAIN, b"")) == 18


@pytest.mark.parametrize("header", [PLAIN, FULL])
def test_every_truncation_is_refused(header: Header) -> None:
    data = pack_file(header, b"some payload")
    for length in range(len(data)):
        with pytest.raises(CollageFormatError):
            unpack_file(data[:length])


@pytest.mark.parametrize("header", [PLAIN, FULL])
def test_every_flipped_bit_is_refused(header: Header) -> None:
    data = pack_file(header, b"some payload")
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CollageFormatError):
            unpack_file(bytes(flipped))


@given(st.binary(max_size=200))
def test_noise_is_refused_with_a_reason(noise: bytes) -> None:
    with pytest.raises(CollageFormatError, match=r"\w"):
        unpack_file(noise)


def test_forged_headers_with_a_valid_checksum_are_read_or_refused() -> None:
    source = random.Random(0)
    for _ in range(3000):
        body = bytearray(pack_file(FULL, b"some payload")[:-4])
        for _ in range(source.randint(1, 3)):
            body[source.randrange(4, len(body))] = source.randrange(256)
        try:
            header, payload = unpack_file(sealed(bytes(body)))
        except CollageFormatError as error:
            assert str(error)  # noqa: PT017
        else:
            assert len(payload) <= len(body)
            assert len(header.icc_profile or b"") <= MAX_PROFILE_BYTES


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("01", "truncated"),
        ("00", "version 0"),
        ("02", "format version 2, this program reads up to 1: upgrade"),
        ("01 63 02 00 32 01 01 00", "codec number 99 is unknown"),
        ("01 01 42 00 32 01 01 00", "flags 0x42 are unknown"),
        ("01 01 02 07 32 01 01 00", "7 is not a valid ColourSpace"),
        ("01 01 02 00 00 01 01 00", "quality 0"),
        ("01 01 02 00 65 01 01 00", "quality 101"),
        ("01 01 02 00 32 00 01 00", "empty"),
        ("01 01 02 00 32 01 00 00", "empty"),
        ("01 01 02 00 32 8080808020 8080808020 00", "8589934592 x 8589934592 pixels, above"),
        ("01 01 02 00 32 8100 01 00", "malformed number"),
        ("01 01 02 00 32 ffffffffffffffffff01 01 00", "malformed number"),
        ("01 01 02 00 32 01 01 05 00", "truncated"),
        ("01 01 02 00 32 01 01 ffffffffffffff7f", "truncated"),
        ("01 01 02 00 32 01 01 00 00", "1 bytes follow the end"),
        ("01 01 06 00 32 01 01 00 00 0000000000000000", "model name takes"),
        ("01 01 06 00 32 01 01 00 01ff 0000000000000000", "utf-8"),
        ("01 01 0a 00 32 01 01 00 03 000000", "ICC profile: .*unknown compression method"),
        ("01 01 12 00 32 01 01 00 03 0000", "truncated"),
    ],
)
def test_a_forged_field_is_named(body: str, reason: str) -> None:
    with pytest.raises(CollageFormatError, match=reason):
        unpack_file(sealed(b"\x89CLG" + bytes.fromhex(body)))


@pytest.mark.parametrize(
    "profile",
    [
        zlib.compress(bytes(100 * MAX_PROFILE_BYTES)),
        zlib.compress(b"p" * 100)[:-4],
        zlib.compress(b"p") + b"more",
    ],
    ids=["bomb", "incomplete", "trailing"],
)
def test_a_forged_profile_is_refused_without_inflating_it(profile: bytes) -> None:
    size = bytes((len(profile) & 0x7F | 0x80, len(profile) >> 7 & 0x7F | 0x80, len(profile) >> 14))
    if len(profile) < 128:
        size = bytes((len(profile),))
    body = bytes.fromhex("89434c4701010a0032010100") + size + profile
    with pytest.raises(CollageFormatError, match="ICC profile"):
        unpack_file(sealed(body))


def test_the_pixel_limit_is_pillows_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pack_file(PLAIN, b"")
    assert unpack_file(data, max_pixels=768 * 512)[0] == PLAIN
    with pytest.raises(CollageFormatError, match="768 x 512 pixels, above the limit of 393215"):
        unpack_file(data, max_pixels=768 * 512 - 1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 768 * 256 - 1)
    with pytest.raises(CollageFormatError, match="above the limit"):
        unpack_file(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert unpack_file(data)[0] == PLAIN


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"", "empty"),
        (b"\x89C", "truncated"),
        (b"GIF89a", "not a .clg"),
        (b"\x89PNG", "not a .clg"),
    ],
)
def test_another_kind_of_file_is_called_so(start: bytes, reason: str) -> None:
    with pytest.raises(CollageFormatError, match=reason):
        unpack_file(start)


def test_a_header_reports_all_its_problems_at_once() -> None:
    with pytest.raises(ValueError, match=r"codec number 0 .* size of 0 x 5 .* quality 101"):
        Header(codec=0, width=0, height=5, mode="L", quality=101)


@pytest.mark.parametrize(("name", "digest"), [("", bytes(8)), ("n" * 256, bytes(8)), ("n", b"")])
def test_a_model_id_that_does_not_fit_the_file_is_refused(name: str, digest: bytes) -> None:
    with pytest.raises(ValueError, match="a model"):
        ModelId(name, digest)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
def test_channels_follow_from_the_mode(mode: Mode, channels: int) -> None:
    assert replace(PLAIN, mode=mode).channels == channels


# Files that break off


@given(headers, st.binary(max_size=200), st.data())
def test_the_start_of_a_file_says_what_is_missing(
    header: Header, payload: bytes, data: st.DataObject
) -> None:
    """From the header on; without a part of the checksum nothing is."""
    whole = pack_file(header, payload)
    start = len(whole) - 4 - len(payload)
    length = data.draw(st.integers(0, len(whole)))
    if length < start:
        with pytest.raises(CollageFormatError):
            unpack_start(whole[:length])
    else:
        there = payload[: length - start]
        found = unpack_start(whole[:length])
        assert found == (header, there, len(payload) - len(there))


@pytest.mark.parametrize("header", [PLAIN, FULL])
def test_a_complete_file_is_checked_even_if_it_may_break_off(header: Header) -> None:
    """Unless damage makes its lengths longer, which is what breaking off looks like."""
    whole = pack_file(header, b"payload")
    assert unpack_start(whole) == (*unpack_file(whole), 0)
    for position in range(len(whole)):
        altered = bytearray(whole)
        altered[position] ^= 1
        if position >= len(whole) - 4 - len(b"payload"):
            with pytest.raises(CollageFormatError, match="checksum"):
                unpack_start(altered)
            continue
        try:
            found, payload, missing = unpack_start(altered)
        except CollageFormatError:
            continue
        assert len(pack_file(found, payload)) + missing > len(whole)


# Numbers


@given(st.integers(0, LARGEST_NUMBER), st.binary(max_size=3), st.binary(max_size=3))
def test_numbers_come_back_from_the_middle_of_data(value: int, before: bytes, after: bytes) -> None:
    data = before + varint(value) + after
    assert read_varint(data, len(before)) == (value, len(data) - len(after))


@given(st.integers(0, LARGEST_NUMBER))
def test_numbers_take_seven_bits_a_byte(value: int) -> None:
    assert len(varint(value)) == max(1, -(-value.bit_length() // 7))


@given(st.binary(max_size=12))
def test_every_number_has_one_form(data: bytes) -> None:
    try:
        value, end = read_varint(data, 0)
    except CollageFormatError as error:
        assert str(error).startswith(("the file is truncated", "malformed number"))  # noqa: PT017
    else:
        assert varint(value) == data[:end]


@given(st.integers(0, LARGEST_NUMBER))
def test_a_number_that_breaks_off_is_refused(value: int) -> None:
    with pytest.raises(CollageFormatError, match="truncated: a number expected at"):
        read_varint(varint(value)[:-1], 0)


@pytest.mark.parametrize(
    "data", [b"\x80\x00", b"\xff\x80\x00", b"\x80" * 9 + b"\x01", b"\x80" * 20]
)
def test_longer_forms_are_refused(data: bytes) -> None:
    with pytest.raises(CollageFormatError, match="malformed number before byte"):
        read_varint(data, 0)
