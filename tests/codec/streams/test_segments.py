"""Tables of segments: what is written is read, and tables that lie are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.codec.streams.segments import read_segments, write_segments
from neural_collage.codec.varints import varint
from neural_collage.errors import CollageFormatError

tables = st.lists(st.binary(max_size=300), min_size=1, max_size=12)


def starts(segments: list[bytes]) -> list[int]:
    """Where each segment starts in the data, and where the data ends."""
    data = write_segments(segments)
    return [len(data) - sum(map(len, segments[n:])) for n in range(len(segments) + 1)]


@given(tables)
def test_segments_come_back(segments: list[bytes]) -> None:
    assert read_segments(write_segments(segments), len(segments)) == segments


@given(tables)
def test_a_table_takes_a_byte_or_two_for_each_segment_but_the_last(segments: list[bytes]) -> None:
    table = len(write_segments(segments)) - sum(map(len, segments))
    assert table == sum(1 if len(segment) < 128 else 2 for segment in segments[:-1])


@given(tables, st.data())
def test_what_breaks_off_has_all_segments_that_it_holds_completely(
    segments: list[bytes], data: st.DataObject
) -> None:
    """Every truncation gives these, or is refused where the table itself is not complete."""
    whole = write_segments(segments)
    length = data.draw(st.integers(0, len(whole)))
    missing = len(whole) - length
    if length < starts(segments)[0]:
        with pytest.raises(CollageFormatError):
            read_segments(whole[:length], len(segments), missing)
        return
    ends = starts(segments)[1:]
    expected = [
        segment if end <= length else None for segment, end in zip(segments, ends, strict=True)
    ]
    assert read_segments(whole[:length], len(segments), missing) == expected


@given(tables, st.integers(1, 50))
def test_a_table_that_reaches_beyond_the_end_is_refused(segments: list[bytes], cut: int) -> None:
    """The length of the last segment, which is empty here, is that of what is left."""
    whole = write_segments([*segments, b""])
    in_table = cut > sum(map(len, segments))
    reason = None if in_table else f"longer than the stream by {cut} bytes"
    with pytest.raises(CollageFormatError, match=reason):
        read_segments(whole[: max(0, len(whole) - cut)], len(segments) + 1)


@pytest.mark.parametrize("length", [1, 3, 1000, 1 << 40, 1 << 62])
def test_a_segment_longer_than_the_data_is_refused(length: int) -> None:
    with pytest.raises(CollageFormatError, match=f"longer than the stream by {length} bytes"):
        read_segments(varint(0) + varint(2 + length) + b"ab", 3)


@pytest.mark.parametrize("count", [5, 100, 1 << 20, 1 << 60])
def test_more_segments_than_bytes_are_refused_at_once(count: int) -> None:
    with pytest.raises(CollageFormatError, match=f"a table of {count} segments in 3 bytes"):
        read_segments(bytes(3), count)
    with pytest.raises(CollageFormatError):
        read_segments(bytes(3), count, missing=1 << 62)


@pytest.mark.parametrize(
    "table", [b"\x80\x00", b"\x80" * 12, b"\xff" * 9 + b"\x01"], ids=["longer", "endless", "huge"]
)
def test_malformed_lengths_are_refused(table: bytes) -> None:
    with pytest.raises(CollageFormatError, match="malformed number"):
        read_segments(table + bytes(20), 2)


@given(st.binary(max_size=60), st.integers(1, 20), st.integers(0, 80))
def test_any_bytes_are_segments_or_a_format_error(data: bytes, count: int, missing: int) -> None:
    try:
        segments = read_segments(data, count, missing)
    except CollageFormatError:
        return
    assert len(segments) == count
    whole = [segment for segment in segments if segment is not None]
    assert b"".join(whole) == b"" or b"".join(whole) in data
    assert missing or len(whole) == count
    assert segments[: len(whole)] == whole  # none after the first that is not complete
