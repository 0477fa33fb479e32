"""How large a picture may be, read or made."""

from PIL import Image

from neural_collage.errors import ScaleError

MAX_PROFILE_BYTES = 1 << 20
"""Bytes of the largest ICC profile that is kept."""
MAX_METADATA_BYTES = 16 << 20
"""Bytes of the largest EXIF data and of the largest XMP packet that are kept."""


def pixel_limit(max_pixels: int | None = None) -> float:
    """The largest picture to accept: `max_pixels`, else twice Pillow's `MAX_IMAGE_PIXELS`.

    Twice, because that is where Pillow stops warning and refuses. Infinite if both are None.
    """
    if max_pixels is not None:
        return max_pixels
    return float("inf") if Image.MAX_IMAGE_PIXELS is None else 2 * Image.MAX_IMAGE_PIXELS


def check_decoded_size(size: tuple[int, int], original: tuple[int, int]) -> None:
    """Check that a window is within `pixel_limit`, or has no more pixels than the whole original.

    size, original: widths and heights.

    Raises:
        ScaleError: neither.
    """
    if size[0] * size[1] > original[0] * original[1]:
        check_output_size(*size, "choose a smaller scale or a region")


def check_output_size(width: int, height: int, remedy: str) -> None:
    """Check that a picture about to be made is within `pixel_limit`.

    remedy: what to do instead, the end of the message.

    Raises:
        ScaleError: it is not.
    """
    if width * height > (limit := pixel_limit()):
        raise ScaleError(
            f"{width} x {height} pixels are above the limit of {limit:.0f}: {remedy}, or raise "
            "PIL.Image.MAX_IMAGE_PIXELS"
        )
