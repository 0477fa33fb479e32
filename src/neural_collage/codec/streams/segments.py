"""A table of segments: streams one after the other, each of which can be read alone."""

from collections.abc import Sequence

from neural_collage.codec.varints import read_varint, varint
from neural_collage.errors import CollageFormatError


def write_segments(segments: Sequence[bytes]) -> bytes:
    """The lengths of all segments but the last, then the segments."""
    lengths = b"".join(varint(len(segment)) for segment in segments[:-1])
    return lengths + b"".join(segments)


def read_segments(data: bytes, count: int, missing: int = 0) -> list[bytes | None]:
    """The segments of a table of `count` of them.

    missing: bytes that a partial file lacks at the end of the data; segments that it does not hold
    completely are None.

    Raises:
        CollageFormatError: lengths that are malformed or do not fit the data, or a table that is
            not complete.
    """
    if count - 1 > len(data):
        raise CollageFormatError(
            f"the file is damaged: a table of {count} segments in {len(data)} bytes"
        )
    position, lengths = 0, []
    for _ in range(count - 1):
        length, position = read_varint(data, position)
        lengths.append(length)
    last = len(data) + missing - position - sum(lengths)
    if last < 0:
        raise CollageFormatError(
            f"the file is damaged: its segments are longer than the stream by {-last} bytes"
        )
    segments: list[bytes | None] = []
    for length in (*lengths, last):
        end = position + length
        segments.append(data[position:end] if end <= len(data) else None)
        position = end
    return segments
