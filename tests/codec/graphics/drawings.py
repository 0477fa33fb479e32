"""Small pictures of few colours, as floats (c, h, w) of whole bytes."""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from neural_collage.core.copies import IntArray

LINES = ("The quick brown fox jumps", "over the lazy dog; then the", "dog jumps over the fox.")


def text(height: int = 72, width: int = 160) -> Tensor:
    """Black on white, without grey edges."""
    image = Image.new("1", (width, height), 1)
    draw = ImageDraw.Draw(image)
    for number in range(height // 14):
        draw.text((3, 2 + 14 * number), LINES[number % len(LINES)], fill=0)
    return from_image(image.convert("RGB"))


def checkerboard(height: int = 64, width: int = 96, side: int = 8) -> Tensor:
    """Red and blue squares."""
    y, x = np.mgrid[:height, :width] // side
    return of_palette((y + x) % 2, [[230, 20, 30], [20, 40, 240]])


def gradient_bars(height: int = 64, width: int = 128) -> Tensor:
    """Eight bars, each of which becomes lighter from left to right."""
    y, x = np.mgrid[:height, :width]
    bar = y // 8 % 8
    planes = [x // 4 * (1 + (bar >> channel & 1)) * 3 for channel in range(3)]
    return torch.from_numpy(np.stack(planes)).clamp(0, 255) / 255


def pixel_art(height: int = 64, width: int = 64, n_colours: int = 16, seed: int = 0) -> Tensor:
    """Symmetric sprites of 16 x 16 pixels, some of them repeated."""
    rng = np.random.default_rng(seed)
    sprites = rng.integers(0, n_colours, (5, 16, 8))
    sprites = np.concatenate([sprites, sprites[:, :, ::-1]], 2)
    chosen = rng.integers(0, 5, (-(-height // 16), -(-width // 16)))
    indices = np.block([[sprites[n] for n in row] for row in chosen])[:height, :width]
    return of_palette(indices, rng.integers(0, 256, (n_colours, 3)).tolist())


def one_colour(height: int, width: int, colour: tuple[int, ...]) -> Tensor:
    """A flat picture."""
    return (torch.tensor(colour) / 255).view(-1, 1, 1).expand(-1, height, width)


def of_palette(indices: IntArray, palette: list[list[int]]) -> Tensor:
    """Colours by number."""
    return torch.from_numpy(np.array(palette)[indices]).permute(2, 0, 1) / 255


def from_image(image: Image.Image) -> Tensor:
    """The pixels of a colour image."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
