"""Auxiliary patches of an operator: cosines (initial values), or blocks of a style image."""

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.blocks import cut
from neural_collage.core.cosines import cosine_cells
from neural_collage.models.operator.config import OperatorConfig


def cosine_patches(count: int, channels: int, size: int) -> Float[Tensor, "a c p p"]:
    """The first non-constant cosines in order of frequency, as patches of unit mean square.

    The first size**2 - 1 are equal in all channels; further ones follow the higher frequencies of
    a cosine transform across channels.

    Raises ValueError if count exceeds channels * (size**2 - 1).
    """
    waves = cosine_cells(size, size).float()
    frequencies = sorted(
        ((u, v) for u in range(size) for v in range(size) if u or v),
        key=lambda uv: (uv[0] ** 2 + uv[1] ** 2, uv),
    )
    if count > channels * len(frequencies):
        raise ValueError(
            f"n_patches must be at most {channels * len(frequencies)}, the number of cosines of "
            f"{channels} channels of {size}x{size} pixels, not {count}"
        )
    mixes = cosine_cells(channels, channels).float()
    patches = [
        mixes[:, mix, None, None] * waves[:, u, None] * waves[:, v]
        for mix in range(channels)
        for u, v in frequencies
    ][:count]
    if not patches:
        return torch.zeros(0, channels, size, size)
    stacked = torch.stack(patches)
    return stacked / stacked.square().mean((1, 2, 3), keepdim=True).sqrt()


def cut_patches(config: OperatorConfig, style: Float[Tensor, "c h w"]) -> Float[Tensor, "a c p p"]:
    """The first n_patches blocks of a style image, in raster order.

    Raises ValueError if the image has fewer, or another number of channels.
    """
    count, channels, size, _ = config.patches_shape
    height, width = (n - n % size for n in style.shape[-2:])
    blocks = cut(style[:, :height, :width], size).transpose(0, 1)
    if len(style) != channels or len(blocks) < count:
        raise ValueError(
            f"a style image of {tuple(style.shape)} has {len(blocks)} patches of {size} pixels in "
            f"{len(style)} channels, {count} in {channels} channels are needed"
        )
    return blocks[:count].clone()
