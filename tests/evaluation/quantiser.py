"""A codec so simple that its files and decodes are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from neural_collage.evaluation.metrics import Rgb


@dataclass(frozen=True)
class Quantiser:
    """Stores the size and the highest bits of each sample, one byte per sample.

    on_encode: called with each picture before it is encoded.
    """

    name: str = "quantiser"
    qualities: Sequence[float] = (1, 8)
    options: dict[str, object] = field(default_factory=dict)
    revision: str = ""
    on_encode: Callable[[Image.Image], None] = lambda picture: None

    def encode(self, picture: Image.Image, quality: float) -> bytes:
        self.on_encode(picture)
        samples = np.asarray(picture) >> (8 - int(quality)) << (8 - int(quality))
        return bytes(picture.size) + samples.tobytes()

    def decode(self, data: bytes) -> Rgb:
        width, height = data[:2]
        return np.frombuffer(data[2:], np.uint8).reshape(height, width, 3)
