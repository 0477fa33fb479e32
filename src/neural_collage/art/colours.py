"""RGB images without alpha: reading, luma and resizing."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.io.picture import ImageLike
from neural_collage.io.reading import read_picture

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""


def read_colours(image: ImageLike) -> Float[Tensor, "3 h w"]:
    """Red, green and blue in [0, 1]; alpha is composited on white.

    Raises:
        ImageError: the picture cannot be read or used.
    """
    pixels = read_picture(image).pixels
    if len(pixels) in (2, 4):
        alpha = pixels[-1:]
        pixels = pixels[:-1] * alpha + (1 - alpha)
    return pixels.expand(3, -1, -1).contiguous()


def luma(pixels: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b h w"]:
    """Luma of RGB pixels, weighted by `LUMA`."""
    weights = torch.tensor(LUMA, dtype=pixels.dtype, device=pixels.device)
    return (pixels * weights[:, None, None]).sum(-3)


def resized(pixels: Float[Tensor, "c h w"], height: int, width: int) -> Float[Tensor, "c H W"]:
    """Antialiased bicubic resize, clamped to [0, 1]."""
    if pixels.shape[1:] == (height, width):
        return pixels
    result: Tensor = functional.interpolate(
        pixels[None], (height, width), mode="bicubic", antialias=True
    )
    return result[0].clamp(0, 1)
