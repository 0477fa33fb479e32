"""Variants of the neural codec, with and without links."""

from contextlib import nullcontext
from dataclasses import dataclass
from unittest.mock import patch

from PIL import Image

import neural_collage as nc
from neural_collage.codec.streams import neural_encoder

ABOVE_ALL_EFFORTS = 10


@dataclass(frozen=True)
class Variant:
    """The neural codec at an effort, with the links of that effort or without any."""

    effort: int
    links: bool = True

    @property
    def name(self) -> str:
        """The label in tables."""
        if self.effort < neural_encoder.MIN_EFFORT_FOR_LINKS:
            return f"effort {self.effort}"
        return f"effort {self.effort}, links {'on' if self.links else 'off'}"

    def encode(self, picture: Image.Image, quality: int, model: str | None = None) -> bytes:
        """The file of a picture; the format is the same with and without links."""
        off = patch.object(neural_encoder, "MIN_EFFORT_FOR_LINKS", ABOVE_ALL_EFFORTS)
        with nullcontext() if self.links else off:
            return nc.compress(
                picture,
                codec="neural",
                quality=quality,
                effort=self.effort,
                model=model,
                graphics=False,
            )


def linked_share(image: nc.CollageImage) -> float:
    """The share of the ranges of a picture's colour layer that have a link."""
    linked = image.layers[0].collage.weights.ne(0).any(-1).any(0)
    return float(linked.double().mean())
