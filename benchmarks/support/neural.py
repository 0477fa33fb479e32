"""What the benchmarks of the neural codec share: its variants, and the pictures they meet."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from PIL import Image

import neural_collage as nc
from neural_collage.codec.streams import neural as neural_stream
from neural_collage.evaluation.rate_distortion import find_pictures
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil

PHOTOS = (
    *("astronaut.png", "chelsea.png", "coffee.png"),
    *("hubble_deep_field.jpg", "motorcycle_left.png", "rocket.jpg"),
)
"""Colour photos that scikit-image ships."""
NEVER = 10
"""Higher than any effort."""


@dataclass(frozen=True)
class Variant:
    """The neural codec at an effort, with links where that effort has them, or without any."""

    effort: int
    links: bool = True

    @property
    def name(self) -> str:
        """As in the tables."""
        if self.effort < neural_stream.LEAST_EFFORT_OF_LINKS:
            return f"effort {self.effort}"
        return f"effort {self.effort}, links {'on' if self.links else 'off'}"

    def encode(self, picture: Image.Image, quality: int, model: str | None = None) -> bytes:
        """The file of a picture; both kinds are decoded alike."""
        off = patch.object(neural_stream, "LEAST_EFFORT_OF_LINKS", NEVER)
        with nullcontext() if self.links else off:
            return nc.compress(
                picture, codec="neural", quality=quality, effort=self.effort, model=model
            )


def linked_share(image: nc.CollageImage) -> float:
    """The share of the ranges of a picture's colours that have a link."""
    linked = image.layers[0].collage.weights.ne(0).any(-1).any(0)
    return float(linked.double().mean())


def photo_files(folder: Path | None) -> list[Path]:
    """The pictures of a folder, or else those of scikit-image; raises as `find_pictures` does."""
    if folder is not None:
        return find_pictures(folder)
    from skimage.data import data_dir

    return [Path(data_dir) / name for name in PHOTOS]


def rgb(path: Path) -> Image.Image:
    """A picture without alpha."""
    return to_pil(read_picture(path).pixels).convert("RGB")


def numbers(text: str) -> list[int]:
    """Whole numbers separated by commas."""
    return [int(word) for word in text.split(",")]
