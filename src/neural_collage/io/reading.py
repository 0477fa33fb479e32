"""Reading pictures: whatever Pillow, numpy or torch hold, as samples with a known meaning.

What cannot be used is refused with one line that says what was found and what to do; what is
given up on the way (the later frames of an animation, an oversized profile, damaged EXIF data)
raises a `PictureWarning`.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BufferedReader, BytesIO
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, UnidentifiedImageError
from torch import Tensor

from neural_collage.errors import CollageFormatError, ImageError, PictureWarning, first_line
from neural_collage.io.arrays import from_array, from_tensor
from neural_collage.io.kinds import START_BYTES, is_raw, prepare_for, raw_error
from neural_collage.io.limits import MAX_PROFILE_BYTES
from neural_collage.io.metadata import given_or_own, orientation, read_metadata
from neural_collage.io.picture import (
    BinaryFile,
    ImageLike,
    Picture,
    check_size,
    warn,
)

_GREY = {"1", "L", "LA", "La"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes pictures of an EXIF orientation upright."""
_WHITE_OF_DEEP_GREY = dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N", "I"), 65535) | {"F": 1}


def read_picture(source: ImageLike, *, max_pixels: int | None = None) -> Picture:
    """Read a file, or convert an image that is already in memory; a `Picture` is what it is.

    source: a path; the bytes of a file, or a file open for reading bytes; a Pillow image; an array
        (h, w) or (h, w, c), or a tensor (h, w) or (c, h, w), of bool, uint8, uint16 or floats in
        [0, 1], with c of 1 to 4.

    Files and Pillow images: EXIF orientation is applied, and is 1 in the EXIF data that are kept
    with XMP and the ICC profile; a palette is resolved, CMYK becomes sRGB through its profile, an
    animation gives its first frame. 16-bit grey keeps its precision:
    modes I;16 and I are read as 0..65535, mode F as 0..1, values outside are refused; 16-bit
    colour arrives from Pillow as 8 bits.

    max_pixels: refuse a larger picture, by default as `limits.pixel_limit` says. Pillow's own
        limit holds for files all the same.

    Raises:
        ImageError: missing, not a picture, damaged, too large, or of a kind not listed here.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | PathLike):
        return _read_file(Path(source), str(source), max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return parse_picture(bytes(source), "the picture", max_pixels=max_pixels)
    if isinstance(source, Image.Image):
        return read_image(source, max_pixels=max_pixels)
    if isinstance(source, Tensor):
        return from_tensor(source, max_pixels=max_pixels)
    if isinstance(source, np.ndarray):
        return from_array(source, max_pixels=max_pixels)
    if isinstance(source, BinaryFile):
        return _read_open_file(source, max_pixels)
    raise ImageError(
        "expected a path, the bytes of a file, an open file, a Pillow image, an array or a tensor, "
        f"not {type(source).__name__}"
    )


def parse_picture(data: bytes, name: str, *, max_pixels: int | None = None) -> Picture:
    """Read the bytes of a picture file as `read_picture` does; errors call it `name`."""
    if not data:
        raise ImageError(f"{name}: the file is empty")
    return _read_file(BytesIO(data), name, max_pixels)


def read_samples(image: Image.Image, name: str) -> npt.NDArray[Any]:
    """(h, w) or (h, w, c) samples of an image: upright, as bytes, or as floats where grey is deep.

    name: what the errors call it.

    Raises:
        ImageError: damaged or incomplete.
    """
    with _as_image_errors(f"{name}: damaged or incomplete picture"):
        image.load()
        return _samples(_upright(image, orientation(image, {})), name)


def read_image(
    image: Image.Image,
    name: str = "the image",
    *,
    given: Mapping[str, bytes | None] = MappingProxyType({}),
    is_one_of_many: bool = False,
    max_pixels: int | None = None,
) -> Picture:
    """Read a Pillow image as `read_picture` does; errors and warnings call it `name`.

    given: what replaces "exif", "xmp" and "icc_profile" of its info; None leaves them out.
    is_one_of_many: the others of its frames are read, too.
    """
    check_size(image.width, image.height, name, max_pixels)
    with _as_image_errors(f"{name}: damaged or incomplete picture"):
        frames = 1 if is_one_of_many else getattr(image, "n_frames", 1)
        is_reduced = image.mode not in _WHITE_OF_DEEP_GREY and _is_deep(image)
        image.load()
        oriented = orientation(image, given)
        samples = _samples(_upright(image, oriented), name)
    if is_reduced:
        warn(f"{name}: its 16 bits a channel are reduced to 8")
    if frames > 1 and image.format != "MPO":  # MPO: a camera's JPEG with previews behind it
        warn(f"{name}: holds {frames} frames, only the first is used")
    metadata, problems = read_metadata(image, given, oriented in _TURNS)
    info = given_or_own(image, given)
    profile = None if image.mode == "CMYK" else info.get("icc_profile") or None
    if profile is not None and len(profile) > MAX_PROFILE_BYTES:
        problems.append(f"its ICC profile of {len(profile)} bytes is left out")
        profile = None
    for problem in problems:
        warn(f"{name}: {problem}")
    picture = from_array(samples, name, max_pixels)
    return replace(picture, icc_profile=profile, metadata=metadata)


@contextmanager
def open_picture(file: Path | BufferedReader | BytesIO, name: str) -> Iterator[Image.Image]:
    """A picture file, of which only the header has been read, for as long as the block lasts.

    Raises:
        ImageError: whatever is wrong with the file, inside the block too; it starts with `name`.
    """
    try:
        if isinstance(file, Path) and file.stat().st_size == 0 and file.is_file():
            raise ImageError(f"{name}: the file is empty")
        with _opened(file, name) as image:
            yield image
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file") from error
    except IsADirectoryError as error:
        raise ImageError(f"{name}: is a folder, not a picture") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not a picture in a format that Pillow reads") from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name}: more pixels than Pillow's limit: reduce or cut it, or raise "
            "PIL.Image.MAX_IMAGE_PIXELS if you trust it"
        ) from error
    except CollageFormatError as error:
        raise ImageError(f"{name}: {error}") from error
    except OSError as error:
        raise ImageError(f"{name}: cannot be read: {error.strerror or error}") from error


def _opened(file: Path | BufferedReader | BytesIO, name: str) -> Image.Image:
    """`Image.open`, which raises nearly anything for a damaged header, with one kind of error."""
    prepare_for(_start_of(file), name)
    try:
        image = Image.open(file)
    except (OSError, Image.DecompressionBombError):
        raise
    except Exception as error:
        raise ImageError(f"{name}: damaged or incomplete picture: {first_line(error)}") from error
    if is_raw(image):
        image.close()
        raise raw_error(name)
    return image


def _start_of(file: Path | BufferedReader | BytesIO) -> bytes:
    """The first bytes of a file, which stays where it is."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return opened.read(START_BYTES)
    position = file.tell()
    try:
        return file.read(START_BYTES)
    finally:
        file.seek(position)


def _read_file(file: Path | BytesIO, name: str, max_pixels: int | None) -> Picture:
    with ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is below
            warnings.filterwarnings("ignore", "Corrupt EXIF data")  # `read_image` says what is lost
            image = stack.enter_context(open_picture(file, name))
        return read_image(image, name, max_pixels=max_pixels)


def _read_open_file(file: BinaryFile, max_pixels: int | None) -> Picture:
    name = str(getattr(file, "name", "the file"))
    try:
        data = file.read()
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: cannot be read: {first_line(error)}") from error
    if not isinstance(data, bytes | bytearray):
        raise ImageError(f"{name}: gives {type(data).__name__}: open it for reading bytes, 'rb'")
    return parse_picture(bytes(data), name, max_pixels=max_pixels)


def _is_deep(image: Image.Image) -> bool:
    """Whether the samples of a file that is not read yet have 16 bits."""
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


@contextmanager
def _as_image_errors(what: str) -> Iterator[None]:
    """Turn what Pillow raises for a damaged file, which may be anything, into an ImageError."""
    try:
        yield
    except (ImageError, PictureWarning, MemoryError):
        raise
    except Exception as error:
        raise ImageError(f"{what}: {first_line(error)}") from error


def _upright(image: Image.Image, oriented: int) -> Image.Image:
    """An image of an EXIF orientation as it is to be shown; itself if it is upright."""
    return image.transpose(_TURNS[oriented]) if oriented in _TURNS else image


def _samples(image: Image.Image, name: str) -> npt.NDArray[Any]:
    """(h, w) or (h, w, c): 8 bits in one of our modes, or floats of deep grey."""
    if image.mode in _WHITE_OF_DEEP_GREY:
        return np.asarray(image, dtype=np.float32) / _WHITE_OF_DEEP_GREY[image.mode]
    if image.mode == "CMYK":
        image = _cmyk_to_srgb(image, name)
    mode = ("L" if image.mode in _GREY else "RGB") + ("A" if image.has_transparency_data else "")
    if image.mode == mode:
        return np.asarray(image)  # `convert` would copy it
    return np.asarray(image.convert(mode))  # resolves palettes, YCbCr, premultiplied alpha ...


def _cmyk_to_srgb(image: Image.Image, name: str) -> Image.Image:
    """Through its profile where there is a usable one, else by Pillow's plain formula."""
    profile = image.info.get("icc_profile")
    if not profile:
        warn(f"{name}: CMYK without a profile, colours are approximate")
        return image.convert("RGB")
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (TypeError, OSError, ImageCms.PyCMSError) as error:
        warn(f"{name}: its CMYK profile cannot be used, colours are approximate: {error}")
        return image.convert("RGB")
    assert converted is not None  # as it is where nothing is converted in place
    return converted
