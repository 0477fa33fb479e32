"""The files of an item: its pixels, what they mean, the file itself, and its scenes.

pixels.npy    (h, w, c) bytes, which any part is read from without the rest
overview.npy  the same reduced, of a large result until its pixels are there
source        the file as it was uploaded, or as it is to be downloaded
meta.pickle   ICC profile, EXIF, XMP; written and read by this server alone
scene*.pickle
"""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from numpy.lib.format import open_memmap
from PIL import Image
from torch import Tensor

from neural_collage.codec.container import MAGIC
from neural_collage.codec.image import CollageImage
from neural_collage.io.arrays import from_array
from neural_collage.io.metadata import NO_METADATA
from neural_collage.io.picture import Picture
from neural_collage.io.reading import read_picture
from neural_collage.web.problems import StudioError

Levels = npt.NDArray[np.uint8]
"""(h, w, c) bytes."""
PIXELS, SOURCE, META = "pixels.npy", "source", "meta.pickle"
OVERVIEW = "overview.npy"
_UNFINISHED = "pixels.part"
_ROWS = 256
_WHITE = 255


def new_pixels(folder: Path, height: int, width: int, channels: int, name: str = PIXELS) -> Levels:
    """The pixels of an item, to be written part by part."""
    pixels: Levels = open_memmap(folder / name, "w+", np.uint8, (height, width, channels))
    return pixels


def save_pixels(folder: Path, levels: Levels, name: str = PIXELS) -> None:
    """Write the pixels of an item."""
    np.save(folder / name, levels if levels.ndim == 3 else levels[..., None])


def load_pixels(folder: Path) -> Levels:
    """The pixels of an item, read as they are looked at; raises StudioError if it has none."""
    try:
        pixels: Levels = np.load(folder / PIXELS, mmap_mode="r")
    except FileNotFoundError as error:
        raise StudioError("this picture is no longer kept: open it again", 410) from error
    return pixels


def load_overview(folder: Path) -> Levels | None:
    """The reduced picture of a result whose pixels are not there yet; None if they are."""
    if (folder / PIXELS).exists():
        return None
    try:
        overview: Levels = np.load(folder / OVERVIEW)
    except FileNotFoundError:
        return None
    return overview


def decode_strips(
    decode: Callable[[tuple[int, int, int, int]], Any],
    folder: Path,
    size: tuple[int, int, int],
    step: Callable[[int, int], None] = lambda done, steps: None,
) -> Levels:
    """Write what `decode` gives for regions (x, y, width, height) as the pixels of an item.

    They are there when all of them are written.

    size: height, width and channels. step: called with the rows done, and all rows.
    """
    height, width, channels = size
    levels = new_pixels(folder, height, width, channels, _UNFINISHED)
    rows = max(_ROWS, (1 << 21) // width)
    for top in range(0, height, rows):
        strip = np.asarray(decode((0, top, width, min(rows, height - top))))
        levels[top : top + rows] = to_levels(strip)
        step(min(top + rows, height), height)
    (folder / _UNFINISHED).replace(folder / PIXELS)
    return levels


def to_levels(pixels: npt.NDArray[Any]) -> Levels:
    """(c, h, w) in [0, 1] as bytes (h, w, c)."""
    levels: Levels = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
    return levels


def image_of(levels: Levels) -> Image.Image:
    """A Pillow image of some pixels."""
    return Image.fromarray(np.ascontiguousarray(levels[..., 0] if levels.shape[2] == 1 else levels))


def on_white(levels: Levels) -> Levels:
    """The colours of some pixels, over white where they are transparent: (h, w, 1 or 3)."""
    if levels.shape[2] not in (2, 4):
        return levels
    flat = np.empty((*levels.shape[:2], levels.shape[2] - 1), np.uint8)
    for top in range(0, len(levels), _ROWS):
        part = levels[top : top + _ROWS].astype(np.uint16)
        alpha = part[..., -1:]
        mixed = part[..., :-1] * alpha + _WHITE * (_WHITE - alpha) + _WHITE // 2
        flat[top : top + _ROWS] = mixed // _WHITE
    return flat


def rgb(levels: Levels) -> Levels:
    """(h, w, 3) over white."""
    flat = on_white(levels)
    return np.repeat(flat, 3, axis=2) if flat.shape[2] == 1 else flat


def picture_of(folder: Path, region: tuple[int, int, int, int] | None = None) -> Picture:
    """The picture of an item as it was read, with its metadata, or a part of it without them."""
    meta = load_meta(folder)
    if region is None and meta.get("deep"):
        return read_picture(folder / SOURCE)
    levels = load_pixels(folder)
    if region is not None:
        x, y, width, height = region
        return from_array(levels[y : y + height, x : x + width])
    picture = from_array(levels)
    return replace(picture, icc_profile=meta.get("icc"), metadata=meta["metadata"])


def collage_of(folder: Path) -> CollageImage | None:
    """The collage of an item that is a .clg file."""
    try:
        with (folder / SOURCE).open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None
            file.seek(0)
            return CollageImage.from_bytes(file.read())
    except FileNotFoundError:
        return None


def colours_of(folder: Path, most: int, side: int = 1 << 20) -> Float[Tensor, "3 h w"]:
    """Red, green and blue over white in [0, 1], of at most so many pixels, and so many a side."""
    levels = load_pixels(folder)
    height, width = levels.shape[:2]
    if max(height, width) > side:
        most = min(most, height * width * side**2 // max(height, width) ** 2)
    levels = rgb(reduced(levels, most))
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1))).float().div_(_WHITE)


def reduced(levels: Levels, most: int) -> Levels:
    """The pixels, resized to at most so many if they are more."""
    height, width = levels.shape[:2]
    if height * width <= most:
        return levels
    share = (most / (height * width)) ** 0.5
    size = max(1, int(width * share)), max(1, int(height * share))
    image = image_of(levels).resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    shown = np.asarray(image)
    return shown if shown.ndim == 3 else shown[..., None]


def save_meta(folder: Path, **meta: Any) -> None:
    """Write what the pixels mean."""
    (folder / META).write_bytes(pickle.dumps(meta))


def load_meta(folder: Path) -> dict[str, Any]:
    """What `save_meta` wrote, or that there is nothing to know."""
    path = folder / META
    found: dict[str, Any] = pickle.loads(path.read_bytes()) if path.exists() else {}
    return {"metadata": NO_METADATA, **found}


def strips(height: int) -> Iterator[slice]:
    """Rows in parts that are small beside a picture."""
    for top in range(0, height, _ROWS):
        yield slice(top, top + _ROWS)
