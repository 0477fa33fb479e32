"""The Gaussian window of structural similarity (Wang et al. 2004)."""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

_SIGMA, _RADIUS = 1.5, 5


def gaussian_blur(pictures: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n h w"]:
    """Pictures blurred with sigma 1.5 in a window of 11 x 11, mirrored at their edges."""
    height, width = pictures.shape[-2:]
    rows, columns = _blur(height).to(pictures), _blur(width).to(pictures)
    return rows @ pictures @ columns.mT


@cache
def _blur(length: int) -> Float[Tensor, "n n"]:
    """The matrix of a Gaussian blur of `length` samples, mirrored at both ends."""
    offsets = torch.arange(-_RADIUS, _RADIUS + 1)
    kernel = torch.exp(-0.5 * (offsets.double() / _SIGMA) ** 2)
    period = 2 * length
    source = (torch.arange(length)[:, None] + offsets) % period
    mirrored = torch.where(source < length, source, period - 1 - source)
    matrix = torch.zeros(length, length, dtype=torch.float64)
    matrix.scatter_add_(1, mirrored, (kernel / kernel.sum()).expand(length, -1).contiguous())
    return matrix.float()
