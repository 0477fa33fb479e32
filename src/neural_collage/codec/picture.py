"""Pictures in and out: whatever Pillow, numpy or torch hold, as floats with a known meaning.

What cannot be used is refused with one line that says what was found and what to do; what is
given up on the way (the later frames of an animation, an oversized profile) raises a
`PictureWarning`.
"""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader, BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from neural_collage.codec.container import MAX_PROFILE_BYTES, Mode, pixel_limit
from neural_collage.core.errors import CollageFormatError, ImageError, OutputError

PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".avif", ".jp2"),
    *(".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm"),
)
"""What counts as a picture in a folder; a file that is named is tried whatever it is called."""

_MODES: dict[int, Mode] = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_GREY = {"1", "L", "LA", "La"}
_WHITE_OF_DEEP_GREY = dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N", "I"), 65535) | {"F": 1}


_SAMPLES_AT_ONCE = 1 << 23  # bounds the memory beside a large picture


class PictureWarning(UserWarning):
    """Something in a source picture is not carried over."""


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


ImageLike = str | PathLike[str] | Image.Image | npt.NDArray[Any] | Tensor | Picture
"""What `read_picture` takes."""


def read_picture(source: ImageLike, *, max_pixels: int | None = None) -> Picture:
    """Read a file, or convert an image that is already in memory; a `Picture` is what it is.

    Files and Pillow images: EXIF orientation is applied, a palette is resolved, CMYK becomes sRGB
    through its ICC profile, an animation gives its first frame. 16-bit grey keeps its precision:
    modes I;16 and I are read as 0..65535, mode F as 0..1, values outside are refused; 16-bit
    colour arrives from Pillow as 8 bits.
    Arrays are (h, w) or (h, w, c), of uint8, uint16 or floats in [0, 1]; tensors are (h, w) or
    (c, h, w), of uint8 or floats in [0, 1]; c is 1 to 4.

    max_pixels: refuse a larger picture, by default as `container.pixel_limit` says. Pillow's own
        limit holds for files all the same.

    Raises:
        ImageError: missing, not a picture, damaged, too large, or of a kind not listed here.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | PathLike):
        return _read_file(Path(source), str(source), max_pixels)
    if isinstance(source, Image.Image):
        return _read_pillow(source, "the image", max_pixels)
    if isinstance(source, Tensor):
        return _from_tensor(source, "the tensor", max_pixels)
    return _from_array(source, "the array", max_pixels)


def parse_picture(data: bytes, name: str, *, max_pixels: int | None = None) -> Picture:
    """Read the bytes of a picture file as `read_picture` does; errors call it `name`."""
    if not data:
        raise ImageError(f"{name}: the file is empty")
    return _read_file(BytesIO(data), name, max_pixels)


def to_pil(pixels: Float[Tensor, "c h w"], icc_profile: bytes | None = None) -> Image.Image:
    """8-bit picture of pixels in [0, 1]; what lies outside is clamped, halves round up."""
    channels, height, width = pixels.shape
    levels = torch.empty(height, width, channels, dtype=torch.uint8)
    for rows in torch.arange(height).split(max(1, _SAMPLES_AT_ONCE // (channels * width))):
        strip = pixels[:, rows[0] : rows[-1] + 1].detach().clamp(0, 1) * 255 + 0.5
        levels[rows[0] : rows[-1] + 1] = strip.to(torch.uint8).permute(1, 2, 0)
    array = levels[..., 0] if channels == 1 else levels
    image = Image.fromarray(array.contiguous().numpy())
    if icc_profile is not None:
        image.info["icc_profile"] = icc_profile
    return image


def image_bytes(image: Image.Image, suffix: str) -> bytes:
    """The file of an image in the format that goes with a name's ending, such as ".png".

    Raises:
        OutputError: Pillow cannot write that format, or it cannot hold the image's mode.
    """
    format_name = Image.registered_extensions().get(suffix.lower(), suffix)
    file = BytesIO()
    try:
        image.save(file, format_name, icc_profile=image.info.get("icc_profile"), quality=95)
    except (OSError, KeyError, ValueError) as error:
        raise OutputError(
            f"a {suffix} file cannot hold this picture of mode {image.mode}: choose .png"
        ) from error
    return file.getvalue()


def read_samples(image: Image.Image, name: str) -> npt.NDArray[Any]:
    """(h, w) or (h, w, c) samples of an image: upright, as bytes, or as floats where grey is deep.

    name: what the errors call it.

    Raises:
        ImageError: damaged or incomplete.
    """
    with _naming_damage(name):
        image.load()
        return _samples(ImageOps.exif_transpose(image))


@contextmanager
def open_picture(file: Path | BufferedReader | BytesIO, name: str) -> Iterator[Image.Image]:
    """A picture file, of which only the header has been read, for as long as the block lasts.

    Raises:
        ImageError: whatever is wrong with the file, inside the block too; it starts with `name`.
    """
    try:
        if isinstance(file, Path) and file.stat().st_size == 0 and file.is_file():
            raise ImageError(f"{name}: the file is empty")
        with Image.open(file) as image:
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


def _read_file(file: Path | BytesIO, name: str, max_pixels: int | None) -> Picture:
    with ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is below
            image = stack.enter_context(open_picture(file, name))
        return _read_pillow(image, name, max_pixels)


def _read_pillow(image: Image.Image, name: str, max_pixels: int | None) -> Picture:
    _check_size(image.width, image.height, name, max_pixels)
    with _naming_damage(name):
        frames = getattr(image, "n_frames", 1)
    samples = read_samples(image, name)
    if frames > 1 and image.format != "MPO":  # MPO: a camera's JPEG with previews behind it
        _warn(f"{name}: holds {frames} frames, only the first is used")
    profile = None if image.mode == "CMYK" else image.info.get("icc_profile") or None
    if profile is not None and len(profile) > MAX_PROFILE_BYTES:
        _warn(f"{name}: its ICC profile of {len(profile)} bytes is left out")
        profile = None
    return replace(_from_array(samples, name, max_pixels), icc_profile=profile)


@contextmanager
def _naming_damage(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged file makes Pillow's readers raise nearly anything
        raise ImageError(f"{name}: damaged or incomplete picture: {error}") from error


def _samples(image: Image.Image) -> npt.NDArray[Any]:
    """(h, w) or (h, w, c): 8 bits in one of our modes, or floats of deep grey."""
    if image.mode in _WHITE_OF_DEEP_GREY:
        return np.asarray(image, dtype=np.float32) / _WHITE_OF_DEEP_GREY[image.mode]
    if image.mode == "CMYK":
        image = _cmyk_to_srgb(image)
    mode = ("L" if image.mode in _GREY else "RGB") + ("A" if image.has_transparency_data else "")
    return np.asarray(image.convert(mode))  # resolves palettes, YCbCr, premultiplied alpha ...


def _cmyk_to_srgb(image: Image.Image) -> Image.Image:
    """Through its profile where there is a usable one, else by Pillow's plain formula."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    except (KeyError, TypeError, OSError, ImageCms.PyCMSError):
        converted = None
    return converted or image.convert("RGB")


def _from_array(array: npt.NDArray[Any], name: str, max_pixels: int | None) -> Picture:
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype == np.uint16:
        array = array / np.float32(65535)
    if array.ndim != 3 or array.dtype.kind not in "uf":
        raise ImageError(
            f"{name}: expected (h, w) or (h, w, c) of uint8, uint16 or floats, not "
            f"{array.shape} of {array.dtype}"
        )
    tensor = torch.from_numpy(np.array(array.transpose(2, 0, 1), order="C"))
    return _from_tensor(tensor, name, max_pixels)


def _from_tensor(tensor: Tensor, name: str, max_pixels: int | None) -> Picture:
    if tensor.ndim == 2:
        tensor = tensor[None]
    if tensor.ndim != 3 or tensor.shape[0] not in _MODES:
        raise ImageError(f"{name}: expected 1 to 4 channels, not a shape of {tuple(tensor.shape)}")
    _check_size(tensor.shape[2], tensor.shape[1], name, max_pixels)
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.uint8:
        return Picture(tensor / 255, _MODES[len(tensor)])
    if not tensor.is_floating_point():
        raise ImageError(f"{name}: expected uint8 or floats in [0, 1], not {tensor.dtype}")
    return _from_floats(tensor.float(), name)


def _from_floats(pixels: Float[Tensor, "c h w"], name: str) -> Picture:
    if not bool(pixels.isfinite().all()):
        raise ImageError(f"{name}: holds NaN or infinite values")
    low, high = (float(bound) for bound in pixels.aminmax())
    if low < 0 or high > 1:
        raise ImageError(
            f"{name}: samples from {low:.4g} to {high:.4g} of full scale, outside 0 to 1: rescale"
        )
    return Picture(pixels, _MODES[len(pixels)])


def _check_size(width: int, height: int, name: str, max_pixels: int | None) -> None:
    if width == 0 or height == 0:
        raise ImageError(f"{name}: empty, {width} x {height} pixels")
    if width * height > (limit := pixel_limit(max_pixels)):
        raise ImageError(
            f"{name}: {width} x {height} pixels, above the limit of {limit:.0f}: reduce or cut it"
        )


def _warn(message: str) -> None:
    warnings.warn(PictureWarning(message), stacklevel=5)
