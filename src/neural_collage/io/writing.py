"""Pictures out: pixels to Pillow images, and these to the bytes of a file."""

from io import BytesIO

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from neural_collage.errors import OutputError

_SAMPLES_AT_ONCE = 1 << 23  # bounds the memory beside a large picture


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
    profile = image.info.get("icc_profile")
    file = BytesIO()
    if format_name.upper() not in Image.SAVE:
        raise OutputError(f"Pillow writes no {suffix} files: choose .png")
    try:
        image.save(file, format_name, icc_profile=profile, quality=95)
    except (OSError, ValueError) as error:  # Pillow's, for modes and sizes
        raise OutputError(
            f"a {suffix} file cannot hold this picture of mode {image.mode}: choose .png"
        ) from error
    return file.getvalue()
