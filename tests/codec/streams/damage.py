"""Damaged payloads under valid checksums."""

import numpy as np

import neural_collage as nc
from neural_collage.codec.container import Header, pack_file
from neural_collage.core.arrays.averages import PixelArray


def forged(payload: bytes, header: Header) -> PixelArray | str:
    """What becomes of a payload under a valid checksum: pixels, or the reason of the refusal."""
    try:
        decoded = nc.decompress(pack_file(header, payload))
    except nc.CollageFormatError as error:
        return str(error)
    assert decoded.shape == (header.channels, header.height, header.width)
    assert bool(((decoded >= 0) & (decoded <= 1)).all())
    return decoded


def check_truncations(collage: nc.CollageImage, empty: str) -> None:
    """Every truncated payload is refused or decodes; without bytes, for the reason `empty`."""
    assert forged(b"", collage.header) == empty
    for length in range(1, len(collage.payload)):
        forged(collage.payload[:length], collage.header)
    assert isinstance(result := forged(collage.payload, collage.header), np.ndarray)
    assert np.array_equal(result, collage.decode())
