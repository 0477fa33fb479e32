"""Average interpolation: enlarging an image such that averaging restores it exactly.

Donoho 1993, "Smooth wavelet decompositions with blocky coefficient kernels": a pixel is the average
of a local polynomial over its cell, and the averages of that polynomial over the halves of the cell
are the finer pixels. Five pixels determine a polynomial of degree four: the reach is two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.core.blocks import Window

REACH = 2
"""Pixels on either side of its own cell that a fine pixel depends on."""


@dataclass(frozen=True)
class _Span:
    """An interval of source pixels, and how many pixels of its margins lie outside the canvas."""

    start: int
    length: int
    before: int
    after: int


def _source_span(start: int, length: int, limit: int) -> _Span:
    first, last = start // 2 - REACH, -(-(start + length) // 2) + REACH
    low, high = max(first, 0), min(last, limit)
    return _Span(low, high - low, low - first, last - high)


def enlarged_window(
    read: Callable[[Window], Float[Tensor, "c _ _"]], size: tuple[int, int], window: Window
) -> Float[Tensor, "c h w"]:
    """A window of the average interpolation of an image to twice the resolution.

    read: returns a window of the image. size: height and width of the image, beyond which its
    edge is repeated.
    """
    rows = _source_span(window.top, window.height, size[0])
    columns = _source_span(window.left, window.width, size[1])
    source = read(Window(rows.start, columns.start, rows.length, columns.length))
    margins = (columns.before, columns.after, rows.before, rows.after)
    fine = enlarge(functional.pad(source[None], margins, mode="replicate")[0])
    top, left = window.top % 2, window.left % 2
    return fine[:, top : top + window.height, left : left + window.width]


def enlarge(image: Float[Tensor, "c h w"]) -> Float[Tensor, "c H W"]:
    """Average interpolation to twice the resolution, without a margin of two pixels each side.

    H = 2 (h - 4). The four parts of each pixel average to the pixel; polynomials up to degree
    four are reproduced exactly.
    """
    enlarged: Tensor = _enlarge_last(_enlarge_last(image).mT).mT
    return enlarged


def _enlarge_last(image: Tensor) -> Tensor:
    n = image.shape[-1] - 2 * REACH
    far, near = image[..., :n] - image[..., 4:], image[..., 1 : n + 1] - image[..., 3 : n + 3]
    slope = near * (22 / 128) - far * (3 / 128)
    middle = image[..., REACH : n + REACH]
    return torch.stack([middle + slope, middle - slope], -1).flatten(-2)
