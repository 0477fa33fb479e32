"""Pictures out: pixels to Pillow images, and these to the bytes of a file."""

import warnings
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from neural_collage.errors import OutputError, PictureWarning, first_line
from neural_collage.io.metadata import Metadata, descriptive_fields
from neural_collage.runtime import in_threads

_HOLD_METADATA = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF", "JXL", "HEIF", "CLG"}
_XMP_FIELD = 700
DEFAULT_QUALITY = 95
"""Of lossy formats that are written."""
LOSSY_SUFFIXES = (".jpg", ".jpeg", ".webp", ".avif")
_SAMPLES_AT_ONCE = 1 << 20  # bounds the memory beside a large picture


def to_pil(
    pixels: Any, icc_profile: bytes | None = None, metadata: Metadata | None = None
) -> Image.Image:
    """8-bit picture of pixels (c, h, w) in [0, 1]; what lies outside is clamped, halves round up.

    pixels: an array, or a tensor on any device.
    icc_profile, metadata: for its `info`.
    """
    if hasattr(pixels, "detach"):  # tensors need not be where numpy can see them
        pixels = pixels.detach().cpu()
    samples = np.asarray(pixels)
    channels, height, width = samples.shape
    levels = np.empty((height, width, channels), np.uint8)
    step = max(1, _SAMPLES_AT_ONCE // (channels * width))

    def write(top: int) -> None:
        rows = slice(top, top + step)
        strip = np.clip(samples[:, rows], 0, 1)
        strip = strip * strip.dtype.type(255) + strip.dtype.type(0.5)
        levels[rows] = strip.astype(np.uint8).transpose(1, 2, 0)

    in_threads(write, range(0, height, step))
    image = Image.fromarray(levels[..., 0] if channels == 1 else levels)
    if icc_profile is not None:
        image.info["icc_profile"] = icc_profile
    if metadata is not None:
        image.info.update(metadata.info)
    return image


def image_bytes(image: Image.Image, suffix: str, quality: int = DEFAULT_QUALITY) -> bytes:
    """The file of an image in the format that goes with a name's ending, such as ".png".

    quality: of formats with `LOSSY_SUFFIXES`, 1..100; others are written without loss.

    The ICC profile, EXIF and XMP of its `info` are in it; metadata that the format does not hold,
    or none as long, are left out with a `PictureWarning`.

    Raises:
        OutputError: Pillow cannot write that format, or it cannot hold the image's mode.
    """
    format_name = Image.registered_extensions().get(suffix.lower(), suffix).upper()
    if format_name not in Image.SAVE:
        raise OutputError(f"Pillow writes no {suffix} files: choose .png")
    metadata = {kind: image.info[kind] for kind in ("exif", "xmp") if image.info.get(kind)}
    problem = f"{suffix} files hold none"
    for kept in _parts(metadata) if format_name in _HOLD_METADATA else ():
        try:
            data = _saved(image, format_name, quality, **_as_options(format_name, kept))
        except Exception as error:  # nearly anything, for damaged EXIF data in TIFF files
            problem = first_line(error)
        else:
            break
    else:
        kept = {}
        try:
            data = _saved(image, format_name, quality)
        except (OSError, ValueError) as error:  # Pillow's, for modes and sizes
            raise OutputError(
                f"a {suffix} file cannot hold this picture of mode {image.mode}: choose .png"
            ) from error
    if missing := " and ".join(kind.upper() for kind in metadata if kind not in kept):
        message = f"the {missing} data are left out of the {suffix} file: {problem}"
        warnings.warn(PictureWarning(message), stacklevel=2)
    return data


def _parts(metadata: dict[str, bytes]) -> list[dict[str, bytes]]:
    """All of them, then each alone."""
    alone = [{kind: data} for kind, data in metadata.items()]
    return [metadata, *alone] if len(alone) > 1 else alone


def _as_options(format_name: str, metadata: dict[str, bytes]) -> dict[str, Any]:
    """Metadata as the options of Pillow's writer of a format."""
    if format_name == "PNG" and "xmp" in metadata:
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", metadata["xmp"])
        return {**metadata, "pnginfo": text}
    if format_name == "TIFF":
        exif = Image.Exif()
        if "exif" in metadata:
            exif.load(metadata["exif"])
            exif = descriptive_fields(exif)
        if "xmp" in metadata:
            exif[_XMP_FIELD] = metadata["xmp"]
        return {"exif": exif.tobytes()}
    return dict(metadata)


def _saved(image: Image.Image, format_name: str, quality: int, **options: Any) -> bytes:
    file = BytesIO()
    profile = image.info.get("icc_profile")
    image.save(file, format_name, icc_profile=profile, quality=quality, **options)
    return file.getvalue()
