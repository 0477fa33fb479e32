"""What a base sees where it is hidden: what costs it least."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

_LEVELS = 5
"""Squares of 2^5 pixels without anything to be seen have one colour in the whole picture."""
_RELAXATIONS = 8


def fill_hidden(
    pixels: Float[Tensor, "c h w"], hidden: Bool[Tensor, "h w"]
) -> Float[Tensor, "c h w"]:
    """A picture with its hidden pixels replaced.

    A hidden pixel becomes the mean of what is seen in the smallest square of 2, 4 ... 32 pixels
    around it, or in the whole picture, smoothed within the squares of 32 pixels that are seen in
    part. A picture of which nothing is seen becomes grey.
    """
    if not hidden.any():
        return pixels
    if hidden.all():
        return torch.full_like(pixels, 0.5)
    side = 1 << _LEVELS
    height, width = hidden.shape
    padding = (0, -width % side, 0, -height % side)
    weights = functional.pad((~hidden).to(pixels.dtype)[None], padding)
    filled = torch.empty_like(pixels)
    for plane, of_plane in zip(pixels, filled, strict=True):
        means, partly = _fill(functional.pad(plane[None], padding) * weights, weights, _LEVELS)
        smooth = _smoothed(means, partly & (weights == 0))
        of_plane.copy_(smooth[0, :height, :width])
    return filled


def _fill(sums: Tensor, weights: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """The means of what is seen, and which pixels lie in squares that are seen in part."""
    if not levels:
        mean = sums.sum((1, 2), keepdim=True) / weights.sum()
        seen = weights > 0
        return torch.where(seen, sums / weights.clamp_min(1e-9), mean), seen
    coarse, partly = _fill(
        functional.avg_pool2d(sums, 2), functional.avg_pool2d(weights, 2), levels - 1
    )
    twice = [plane.repeat_interleave(2, 1).repeat_interleave(2, 2) for plane in (coarse, partly)]
    return torch.where(weights > 0, sums / weights.clamp_min(1e-9), twice[0]), twice[1]


def _smoothed(filled: Tensor, where: Tensor) -> Tensor:
    """Each of these pixels becomes the average of its neighbours, several times."""
    for _ in range(_RELAXATIONS):
        around = functional.pad(filled[None], (1, 1, 1, 1), mode="replicate")[0]
        smooth = around[:, :-2, 1:-1] + around[:, 2:, 1:-1]
        smooth = smooth.add_(around[:, 1:-1, :-2]).add_(around[:, 1:-1, 2:]).mul_(0.25)
        filled = torch.where(where, smooth, filled)
    return filled
