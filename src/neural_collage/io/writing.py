"""Pictures out: pixels to Pillow images, and these to the bytes of a file."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from neural_collage.errors import OutputError
from neural_collage.runtime import in_threads

DEFAULT_QUALITY = 95
"""Of lossy formats that are written."""
LOSSY_SUFFIXES = (".jpg", ".jpeg", ".webp", ".avif")
_SAMPLES_AT_ONCE = 1 << 20  # bounds the memory beside a large picture


def to_pil(pixels: Any, icc_profile: bytes | None = None) -> Image.Image:
    """8-bit picture of pixels (c, h, w) in [0, 1]; what lies outside is clamped, halves round up.

    pixels: an array, or a tensor on any device.
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
    return image


def image_bytes(image: Image.Image, suffix: str, quality: int = DEFAULT_QUALITY) -> bytes:
    """The file of an image in the format that goes with a name's ending, such as ".png".

    quality: of formats with `LOSSY_SUFFIXES`, 1..100; others are written without loss.

    Raises:
        OutputError: Pillow cannot write that format, or it cannot hold the image's mode.
    """
    format_name = Image.registered_extensions().get(suffix.lower(), suffix)
    profile = image.info.get("icc_profile")
    file = BytesIO()
    if format_name.upper() not in Image.SAVE:
        raise OutputError(f"Pillow writes no {suffix} files: choose .png")
    try:
        image.save(file, format_name, icc_profile=profile, quality=quality)
    except (OSError, ValueError) as error:  # Pillow's, for modes and sizes
        raise OutputError(
            f"a {suffix} file cannot hold this picture of mode {image.mode}: choose .png"
        ) from error
    return file.getvalue()
