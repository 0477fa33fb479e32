"""Photos that the studies measure on."""

from pathlib import Path

import numpy as np
from PIL import Image

from neural_collage.data.catalogue import image_folder
from neural_collage.evaluation.metrics import rgb_samples
from neural_collage.evaluation.rate_distortion import find_pictures

PHOTOS = (
    *("astronaut.png", "chelsea.png", "coffee.png"),
    *("hubble_deep_field.jpg", "motorcycle_left.png", "rocket.jpg"),
)
"""Colour photos that scikit-image ships."""


def photo_files(folder: Path | None) -> list[Path]:
    """The pictures of a folder, or without one the photos of scikit-image.

    Raises:
        CollageError: there is no such folder, or no picture in it.
    """
    if folder is not None:
        return find_pictures(image_folder(folder))
    from skimage.data import data_dir

    return [Path(data_dir) / name for name in PHOTOS]


def photo(path: Path | None, width: int, height: int) -> Image.Image:
    """A photo cropped to a size, or extended to it by mirroring, so that detail keeps its scale.

    path: by default the astronaut of scikit-image.
    """
    if path is None:
        from skimage.data import data_dir

        path = Path(data_dir) / "astronaut.png"
    pixels = rgb_samples(Image.open(path))
    missing = (max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1]))
    filled = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    return Image.fromarray(filled[:height, :width])
