"""Bytes as text of a page in UTF-16: 15 bits in each character of two bytes.

The 2^15 characters from U+3000 on are no surrogates, and none of them has a meaning in HTML. A page
that begins with a byte order mark is read as UTF-16 whatever a server says of it.
"""

import numpy as np

_BITS = 15
_FIRST = 0x3000


def pack_text(data: bytes) -> str:
    """Bytes, highest bits first, as characters from U+3000 to U+AFFF; zero bits fill the last one.

    `packing.js` reads them, given the number of bytes.
    """
    padding = -len(data) % _BITS
    rows = np.frombuffer(data + bytes(padding), np.uint8).astype(np.uint32).reshape(-1, _BITS)
    rows = np.pad(rows, ((0, 0), (0, 1)))  # 15 bytes are 8 characters, each within three bytes
    numbers = np.empty((len(rows), 8), "<u2")
    for place in range(8):
        first, skipped = divmod(_BITS * place, 8)
        three = rows[:, first] << 16 | rows[:, first + 1] << 8
        if first + 2 <= _BITS:
            three |= rows[:, first + 2]
        numbers[:, place] = (three >> (24 - _BITS - skipped) & (1 << _BITS) - 1) + _FIRST
    characters = -(-8 * len(data) // _BITS)
    return numbers.ravel()[:characters].tobytes().decode("utf-16-le")
