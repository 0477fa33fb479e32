"""Metadata in a .clg file: chunks of a kind, a length and the data, by rising kind.

1  kind: 1 is EXIF, 2 is XMP, others are skipped; bit 7 is set if the data are a zlib stream
n  length, a varint
n  data, deflated where that is shorter
"""

import zlib

from neural_collage.codec.varints import read_varint, varint
from neural_collage.errors import CollageFormatError
from neural_collage.io.limits import MAX_METADATA_BYTES
from neural_collage.io.metadata import Metadata

_NAMES = {1: "EXIF", 2: "XMP"}
_DEFLATED = 0x80
_LEVEL = 9


def pack_chunks(metadata: Metadata) -> bytes:
    """All chunks, one after the other; nothing if there are no metadata."""
    packed = b""
    for kind, data in enumerate((metadata.exif, metadata.xmp), start=1):
        if data is not None:
            deflated = zlib.compress(data, _LEVEL)
            if len(deflated) < len(data):
                kind, data = kind | _DEFLATED, deflated
            packed += bytes([kind]) + varint(len(data)) + data
    return packed


def read_chunks(packed: bytes) -> Metadata:
    """The metadata of all chunks; those of unknown kinds are skipped.

    Raises:
        CollageFormatError: chunks that do not fill the bytes or are not in order, empty or damaged
            data, or more than `MAX_METADATA_BYTES` of them.
    """
    position, last = 0, 0
    found: dict[int, bytes] = {}
    while position < len(packed):
        kind, is_deflated = packed[position] & ~_DEFLATED, bool(packed[position] & _DEFLATED)
        length, start = read_varint(packed, position + 1)
        position = start + length
        if position > len(packed):
            raise CollageFormatError(
                f"the file is damaged: a chunk of {length} bytes of metadata, of which "
                f"{len(packed) - start} are there"
            )
        if kind <= last:
            raise CollageFormatError(
                f"the file is damaged: a chunk of kind {kind} follows one of kind {last}"
            )
        last = kind
        if kind in _NAMES:
            found[kind] = _content(packed[start:position], is_deflated, _NAMES[kind])
    return Metadata(exif=found.get(1), xmp=found.get(2))


def inflate(stream: bytes, limit: int, name: str) -> bytes:
    """The content of a zlib stream, of which never more than the limit and a byte is made.

    Raises:
        CollageFormatError: not one complete stream, or of more bytes than the limit.
    """
    decompressor = zlib.decompressobj()
    try:
        content = decompressor.decompress(stream, limit + 1)
    except zlib.error as error:
        raise CollageFormatError(f"the file is damaged: the {name}: {error}") from error
    if len(content) > limit:
        raise CollageFormatError(f"the {name} has more than {limit} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise CollageFormatError(f"the file is damaged: the {name} is not one complete zlib stream")
    return content


def _content(data: bytes, is_deflated: bool, name: str) -> bytes:
    if is_deflated:
        data = inflate(data, MAX_METADATA_BYTES, f"{name} chunk")
    if not 1 <= len(data) <= MAX_METADATA_BYTES:
        raise CollageFormatError(
            f"the {name} chunk has {len(data)} bytes, not 1 to {MAX_METADATA_BYTES}"
        )
    return data
