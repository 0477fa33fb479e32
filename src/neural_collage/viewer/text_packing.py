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
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    bits = np.pad(bits, (0, -len(bits) % _BITS)).reshape(-1, _BITS)
    numbers = bits @ (1 << np.arange(_BITS)[::-1]) + _FIRST
    return numbers.astype("<u2").tobytes().decode("utf-16-le")
