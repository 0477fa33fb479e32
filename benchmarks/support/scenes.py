"""Lossless pictures of a folder, and square parts of them."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from PIL import Image

from neural_collage.data.catalogue import image_folder
from neural_collage.errors import CollageError
from neural_collage.evaluation.rate_distortion import read_rgb

LOSSLESS = {".png", ".tif", ".tiff", ".bmp"}
"""Endings of files without the errors of a format, which a codec would have to preserve."""


def scene_files(folder: Path) -> list[Path]:
    """The lossless pictures of a folder.

    Raises:
        CollageError: there is no such folder, or no lossless picture in it.
    """
    found = image_folder(folder).iterdir()
    scenes = sorted(path for path in found if path.suffix.lower() in LOSSLESS)
    if not scenes:
        raise CollageError(
            f"{folder} holds no lossless pictures: put aerial scenes there, such as P0706.png and "
            "P1888.png of the DOTA data set (https://captain-whu.github.io/DOTA)"
        )
    return scenes


def square_parts(folder: Path, side: int, count: int) -> list[tuple[str, Image.Image]]:
    """`count` parts of side x side pixels, with names, from the lossless pictures of a folder.

    The parts tile the middle of a picture; the first ones of all pictures come first.

    Raises:
        CollageError: there is no such folder, or it has fewer parts of that size.
    """
    paths = scene_files(folder)
    rounds = zip_longest(*(_parts(path.name, read_rgb(path), side) for path in paths))
    parts = [part for turn in rounds for part in turn if part is not None]
    if len(parts) < count:
        raise CollageError(
            f"{folder} has {len(parts)} parts of {side} x {side} pixels, not {count}: ask for "
            "fewer or smaller ones"
        )
    return parts[:count]


def _parts(name: str, picture: Image.Image, side: int) -> Iterator[tuple[str, Image.Image]]:
    rows, columns = picture.height // side, picture.width // side
    top, left = (picture.height - rows * side) // 2, (picture.width - columns * side) // 2
    for y in range(top, top + rows * side, side):
        for x in range(left, left + columns * side, side):
            yield f"{name} at {x}, {y}", picture.crop((x, y, x + side, y + side))
