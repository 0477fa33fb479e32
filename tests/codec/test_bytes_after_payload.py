"""Bytes after the payload of a file, with a length and a checksum to match, are refused.

Not all bytes after all payloads: they may complete the stream of another picture, as any bytes do
after the empty stream of a black one by the fractal codec.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.container import pack_file
from tests.pictures import photo_crop

CODECS = ("fractal", "neural", "poli2022")
PICTURES = {
    "photo": photo_crop(48),
    "grey": photo_crop(48)[:1],
    "transparent": torch.cat([photo_crop(32), torch.zeros(1, 32, 32)]),
    "pixel": torch.full((1, 1, 1), 0.5),
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_bytes_after_a_payload_are_refused(
    codec: str, picture: Tensor, rng: np.random.Generator
) -> None:
    collage = nc.encode(picture, codec=codec, graphics=False)
    assert nc.decompress(collage.to_bytes()).shape == picture.shape
    for count in range(1, 9):
        for extra in (bytes(count), bytes(count - 1) + b"\1", b"\xff" * count, rng.bytes(count)):
            data = pack_file(collage.header, collage.payload + extra)
            with pytest.raises(nc.CollageFormatError, match="damaged"):
                nc.decompress(data)
