"""Single images of a set: sizes from the headers, pixels as bytes."""

from io import BufferedReader
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8
from numpy import ndarray
from PIL import ExifTags, Image

from neural_collage.errors import ImageError
from neural_collage.extras import needs_extra
from neural_collage.io.reading import open_picture, read_samples

with needs_extra("train"):
    import datasets
    import pyarrow as pa

_LABEL = "label"
_TRANSPOSED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width


class Images:
    """Images by number; `images[i]` decodes image i each time it is called.

    Images are upright (EXIF), 8-bit, of 1 or 3 channels, and `resize` pixels on the shorter side
    if that is given. Thread-safe.

    Args:
        rows: a column `image` of encoded bytes or paths, as `datasets.Image(decode=False)`; and, if
            classes are wanted, a column `label` of whole numbers.
        origin: the path or name of the set, for messages.
        channels: 1 or 3.
        resize: length of the shorter side, in pixels.
    """

    def __init__(
        self,
        rows: datasets.Dataset,
        origin: str,
        channels: Literal[1, 3] = 3,
        resize: int | None = None,
    ) -> None:
        self._rows = rows.with_format("arrow")
        self.origin = origin
        self.channels: Literal[1, 3] = channels
        self.resize = resize

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> UInt8[ndarray, "c h w"]:
        """The pixels of one image.

        Raises:
            ImageError: it is missing, damaged, or of an unsupported format.
        """
        file, name = self._file(index)
        with open_picture(file, name) as image:
            return _planes(read_samples(image, name), self.channels, self.resize)

    @property
    def classes(self) -> npt.NDArray[np.int64] | None:
        """The column `label`, or None if there is none."""
        if _LABEL not in self._rows.column_names:
            return None
        return np.asarray(self._rows.select_columns([_LABEL])[:][_LABEL].to_numpy(), np.int64)

    def name(self, index: int) -> str:
        """The path of one image, or its set and row."""
        return self._file(index)[1]

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of one image, from its header alone.

        Raises:
            ImageError: it is missing or not an image.
        """
        file, name = self._file(index)
        with open_picture(file, name) as image:
            height, width = image.height, image.width
            if _orientation(image) in _TRANSPOSED:
                height, width = width, height
        if height == 0 or width == 0:
            raise ImageError(f"{name}: empty, {width} x {height} pixels")
        return _resized(height, width, self.resize)

    def first(self, count: int) -> "Images":
        """The first `count` images, or all if there are fewer."""
        rows = self._rows.select(range(min(count, len(self))))
        return Images(rows, self.origin, self.channels, self.resize)

    def sizes(self) -> npt.NDArray[np.int64]:
        """Heights and widths of all images, (n, 2); some 50 microseconds an image."""
        return np.array([self.size(index) for index in range(len(self))], np.int64).reshape(-1, 2)

    def _file(self, index: int) -> tuple[Path | BufferedReader, str]:
        row = self._rows[index]["image"].chunk(0)[0]
        if row["bytes"].is_valid:  # not copied: only the memory pages that are read are loaded
            name = f"{self.origin}, row {index}"
            return BufferedReader(_Bytes(row["bytes"].as_buffer())), name
        path = Path(row["path"].as_py())
        return path, str(path)


class _Bytes(pa.BufferReader):  # type: ignore[misc] # pyarrow has no types
    """A buffer as a file with seeks beyond the end, which Pillow does in damaged files."""

    def seek(self, position: int, whence: int = 0) -> int:
        start = (0, self.tell(), self.size())[whence]
        return int(super().seek(min(start + position, self.size())))


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow gives the size of the upright image
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # getexif() would decode the whole image to search behind it
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))


def _resized(height: int, width: int, short: int | None) -> tuple[int, int]:
    if short is None:
        return height, width
    scale = short / min(height, width)
    return max(short, round(height * scale)), max(short, round(width * scale))


def _planes(
    samples: npt.NDArray[Any], channels: int, resize: int | None
) -> UInt8[ndarray, "c h w"]:
    if samples.dtype != np.uint8:  # grey of more than 8 bits
        samples = np.clip(np.rint(samples * 255), 0, 255).astype(np.uint8)
    if samples.ndim == 3:
        samples = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    if resize is not None or samples.ndim != (2 if channels == 1 else 3):
        image = Image.fromarray(samples).convert("L" if channels == 1 else "RGB")
        if resize is not None:
            height, width = _resized(image.height, image.width, resize)
            image = image.resize((width, height), Image.Resampling.LANCZOS)
        samples = np.asarray(image)
    return np.array(samples[None] if samples.ndim == 2 else samples.transpose(2, 0, 1), order="C")
