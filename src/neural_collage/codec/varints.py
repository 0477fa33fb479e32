"""Numbers as LEB128: 7 bits per byte, low ones first; the high bit marks that more follow."""

from neural_collage.errors import CollageFormatError

_MOST_BYTES = 9


def varint(value: int) -> bytes:
    """A number of 0 and more, in its shortest form."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position of some data, and the position after it.

    Raises:
        CollageFormatError: the data ends before it does, or it is not in its shortest form or of
            more than 9 bytes.
    """
    value = 0
    for index in range(_MOST_BYTES):
        if position >= len(data):
            raise CollageFormatError(f"the file is truncated: a number expected at {position}")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if byte == 0 and index > 0:
                break
            return value, position
    raise CollageFormatError(f"malformed number before byte {position}")
