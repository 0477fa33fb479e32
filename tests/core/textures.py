"""Textures of random integers, and windows to read them by."""

import torch
from torch import Tensor

from neural_collage.core.blocks import Window
from neural_collage.core.lapped import LappedTexture


def integer_texture(
    rows: int = 5, columns: int = 7, size: int = 8, channels: int = 3, count: int = 4, seed: int = 0
) -> LappedTexture:
    """A texture of random 16-bit coefficients and patches, with pixel values of about 1."""
    rng = torch.Generator().manual_seed(seed)
    m, limit = 2 * size, 1 << 15
    coefficients = torch.randint(-limit, limit, (count, rows, columns), generator=rng)
    patches = torch.randint(-limit, limit, (count, channels, m, m), generator=rng)
    return LappedTexture(coefficients.short(), patches.short(), 2.0**-31)


def windows_of(height: int, width: int) -> list[Window]:
    """Corners, edges, single pixels, the whole, and parts off the grid of ranges."""
    h, w = max(1, height // 3), max(1, width // 4)
    return [
        Window(0, 0, h, w),
        Window(0, width - w, h, w),
        Window(height - h, 0, h, w),
        Window(height - 1, width - 1, 1, 1),
        Window(0, 0, 1, 1),
        Window(height // 2, width // 2, 1, 1),
        Window(height // 5, width // 3, max(1, height // 2), max(1, width // 9)),
        Window(height // 2, 0, 1, width),
        Window(0, width // 2, height, 1),
        Window(min(1, height - 1), min(1, width - 1), max(1, height - 2), max(1, width - 2)),
        Window(0, 0, height, width),
    ]


def crop(image: Tensor, window: Window) -> Tensor:
    top, left, height, width = window
    return image[..., top : top + height, left : left + width]
