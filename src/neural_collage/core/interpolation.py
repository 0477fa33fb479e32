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
