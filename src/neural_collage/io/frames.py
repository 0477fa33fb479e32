"""The frames of animations and the pages of documents, one after the other."""

from contextlib import ExitStack
from itertools import count
from pathlib import Path

from PIL import Image

from neural_collage.errors import ImageError, first_line
from neural_collage.io.picture import Picture, warn
from neural_collage.io.reading import open_picture, read_image

_OF_ONE_PICTURE = {"MPO", "PSD"}
"""Formats whose further frames are previews or layers."""
_CHAINS = {"GIF", "TIFF"}
"""Formats that do not say how many frames they have: each one leads to the next."""


def count_frames(path: Path) -> int:
    """How many frames a file has: 1 for other pictures, and for what cannot be read.

    Frames behind a damaged one, which cannot be found, do not count.
    """
    try:
        with open_picture(path, str(path)) as image:
            return max(_count(image) - _first(image), 1)
    except Exception:  # whoever reads the file raises it again
        return 1


class FrameReader:
    """Reads the frames of files; a file stays open until another one is read, or `close`."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._path: Path | None = None
        self._image: Image.Image | None = None

    def read(self, path: Path, frame: int) -> Picture:
        """A frame as a viewer shows it, on what is left of those before; the first one is 1.

        Raises:
            ImageError: the file, or one of the frames up to this one, cannot be read.
        """
        if path != self._path or self._image is None:
            self.close()
            self._image = self._open.enter_context(open_picture(path, str(path)))
            self._path = path
            if "duration" in self._image.info:
                warn(f"{path}: the durations of its frames are not kept")
        name = f"{path}: frame {frame}"
        try:
            self._image.seek(frame - 1 + _first(self._image))
        except Exception as error:  # Pillow raises nearly anything for a damaged file
            raise ImageError(f"{name}: damaged or incomplete: {first_line(error)}") from error
        return read_image(self._image, name, is_one_of_many=True)

    def close(self) -> None:
        """Close the file that is open."""
        self._open.close()
        self._path = self._image = None


def _first(image: Image.Image) -> int:
    """The first frame: 1 where an animated PNG has a picture for readers that show no others."""
    return int(bool(image.info.get("default_image", False)))


def _count(image: Image.Image) -> int:
    if image.format in _OF_ONE_PICTURE:
        return 1
    if image.format not in _CHAINS:
        return int(getattr(image, "n_frames", 1))
    for number in count(1):
        try:
            image.seek(number)
        except EOFError:
            return number
        except Exception:  # this frame, or the one before
            return number + 1
    raise AssertionError("unreachable")
