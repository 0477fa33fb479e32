"""`Picture`: gamma-encoded samples in [0, 1] with a known meaning, and what can become one."""

import warnings
from dataclasses import dataclass
from os import PathLike
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from neural_collage.errors import ImageError, PictureWarning
from neural_collage.io.limits import pixel_limit
from neural_collage.io.modes import Mode


@dataclass(frozen=True)
class Picture:
    """A picture ready to encode.

    pixels: gamma-encoded samples in [0, 1], alpha last and not premultiplied.
    mode: what the 1, 2, 3 or 4 channels are.
    icc_profile: the profile of the samples, if they came with one.
    width, height: in pixels.
    """

    pixels: Float[Tensor, "c h w"]
    mode: Mode
    icc_profile: bytes | None = None

    @property
    def width(self) -> int:
        return self.pixels.shape[2]

    @property
    def height(self) -> int:
        return self.pixels.shape[1]


@runtime_checkable
class BinaryFile(Protocol):
    """An open file of bytes."""

    def read(self, size: int = -1, /) -> bytes: ...


ImageLike = (
    str
    | PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryFile
    | Image.Image
    | npt.NDArray[Any]
    | Tensor
    | Picture
)
"""What `reading.read_picture` takes."""


def check_size(width: int, height: int, name: str, max_pixels: int | None = None) -> None:
    """Refuse a picture without pixels, or with more than `limits.pixel_limit` says.

    Raises:
        ImageError: it is either; the message calls it `name`.
    """
    if width == 0 or height == 0:
        raise ImageError(f"{name}: empty, {width} x {height} pixels")
    if width * height > (limit := pixel_limit(max_pixels)):
        raise ImageError(
            f"{name}: {width} x {height} pixels, above the limit of {limit:.0f}: reduce or cut it"
        )


def warn(message: str) -> None:
    """Issue a `PictureWarning`."""
    warnings.warn(PictureWarning(message), stacklevel=2)
