"""`Picture`: gamma-encoded samples with a known meaning, and what can become one."""

import warnings
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor

from neural_collage.errors import ImageError, PictureWarning
from neural_collage.io.limits import pixel_limit
from neural_collage.io.metadata import NO_METADATA, Metadata, stripped
from neural_collage.io.modes import Mode

Samples = UInt8[Tensor, "c h w"] | Float32[Tensor, "c h w"]
WHITE = 255
"""What whole samples count as 1."""
_ALL = slice(None)
_ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture ready to encode.

    samples: gamma-encoded, alpha last and not premultiplied: bytes, of which 255 is 1, or floats in
        [0, 1] where the source has more than 8 bits. Most pictures have 8, of which large ones take
        a quarter of the memory of floats: those are made of the part that is looked at.
    mode: what the 1, 2, 3 or 4 channels are.
    icc_profile: the profile of the samples, if they came with one.
    metadata: EXIF and XMP, if they came with some.
    width, height: in pixels.
    """

    samples: Samples
    mode: Mode
    icc_profile: bytes | None = None
    metadata: Metadata = NO_METADATA

    @property
    def width(self) -> int:
        return self.samples.shape[2]

    @property
    def height(self) -> int:
        return self.samples.shape[1]

    @property
    def pixels(self) -> Float32[Tensor, "c h w"]:
        """All samples as floats in [0, 1], made anew from bytes; `window` makes fewer."""
        return self.window()

    def window(self, rows: slice = _ALL, columns: slice = _ALL) -> Float32[Tensor, "c h w"]:
        """The samples of some rows and columns as floats in [0, 1]."""
        part = self.samples[:, rows, columns]
        return part.float().div_(WHITE) if part.dtype == torch.uint8 else part

    @property
    def levels(self) -> npt.NDArray[np.uint8]:
        """The samples as bytes (c, h, w), the nearest ones to floats."""
        if self.samples.dtype == torch.uint8:
            return self.samples.numpy()
        rounded = torch.empty(self.samples.shape, dtype=torch.uint8)
        for top in range(0, self.height, _ROWS_AT_ONCE):
            rows = slice(top, top + _ROWS_AT_ONCE)
            rounded[:, rows] = (self.samples[:, rows] * WHITE).round_().byte()
        return rounded.numpy()


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


def strip_picture(picture: Picture, strip: str | None, name: str) -> Picture:
    """A picture without some of its metadata; damaged ones are left out with a warning.

    name: what the warning calls it.
    """
    metadata, problems = stripped(picture.metadata, strip)
    for problem in problems:
        warn(f"{name}: {problem}")
    return replace(picture, metadata=metadata)


def warn(message: str) -> None:
    """Issue a `PictureWarning`."""
    warnings.warn(PictureWarning(message), stacklevel=2)
