"""Average interpolation of tensors, with gradients; see `arrays.interpolation`."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.core.arrays.interpolation import REACH, source_span
from neural_collage.core.scales import Window


def enlarged_window(
    read: Callable[[Window], Float[Tensor, "c _ _"]], size: tuple[int, int], window: Window
) -> Float[Tensor, "c h w"]:
    """A window of the average interpolation of an image to twice the resolution.

    read: returns a window of the image. size: height and width of the image, beyond which its
    edge is repeated.
    """
    rows = source_span(window.top, window.height, size[0])
    columns = source_span(window.left, window.width, size[1])
    source = read(Window(rows.start, columns.start, rows.length, columns.length))
    margins = (columns.before, columns.after, rows.before, rows.after)
    fine = enlarge(functional.pad(source[None], margins, mode="replicate")[0])
    top, left = window.top % 2, window.left % 2
    return fine[:, top : top + window.height, left : left + window.width]


def enlarged(
    image: Float[Tensor, "*b h w"], octaves: int, window: Window | None = None
) -> Float[Tensor, "*b H W"]:
    """Average interpolation to 2**octaves times the resolution, or a window of it.

    The averages of 2**octaves pixels a side are those of the image, beyond which its edge is
    repeated.
    """
    height, width = (n << octaves for n in image.shape[-2:])
    part = window or Window(0, 0, height, width)
    flat = _enlarged(image.reshape(-1, *image.shape[-2:]), octaves, part)
    return flat.reshape(*image.shape[:-2], *flat.shape[-2:])


def _enlarged(
    image: Float[Tensor, "n h w"], octaves: int, window: Window
) -> Float[Tensor, "n H W"]:
    if not octaves:
        bottom, right = window.top + window.height, window.left + window.width
        return image[:, window.top : bottom, window.left : right]
    height, width = (n << octaves - 1 for n in image.shape[-2:])
    return enlarged_window(
        lambda inside: _enlarged(image, octaves - 1, inside), (height, width), window
    )


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
