"""Synthesis by overlapping patches: each range adds a window twice its size, centred on it.

A range of n pixels has a coefficient for each auxiliary patch of 2n pixels. The patches of
neighbours overlap and sum, so that no block edge shows (lapped transforms: Malvar & Staelin 1989).
The image is linear in the coefficients, so a collage that has it as its constant part stays affine.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def synthesise(
    coefficients: Float[Tensor, "b a rows columns"], patches: Float[Tensor, "a c m m"]
) -> Float[Tensor, "b c h w"]:
    """The sum of all patches times their coefficients; h and w are ranges of m / 2 pixels.

    A patch is four quarters of the size of a range. Quarters meet on a grid that lies half a range
    off the ranges; what reaches beyond the image is dropped.
    """
    b, a, rows, columns = coefficients.shape
    c, n = patches.shape[1], patches.shape[-1] // 2
    by_range = coefficients.permute(0, 2, 3, 1).reshape(-1, a)
    quarters = patches.view(a, c, 2, n, 2, n).permute(2, 4, 0, 1, 3, 5).reshape(2, 2, a, -1)
    met = torch.zeros((), dtype=coefficients.dtype, device=coefficients.device)
    for v, along in enumerate(quarters.unbind(0)):
        for h, quarter in enumerate(along.unbind(0)):
            part = (by_range @ quarter).view(b, rows, columns, -1)
            met = met + functional.pad(part, (0, 0, h, 1 - h, v, 1 - v))
    met = met.unflatten(-1, (c, n, n)).permute(0, 3, 1, 4, 2, 5)
    image = met.reshape(b, c, (rows + 1) * n, (columns + 1) * n)
    edge = n // 2
    return image[..., edge : edge + rows * n, edge : edge + columns * n]


def centred_windows(blocks: Float[Tensor, "a c n n"]) -> Float[Tensor, "a c m m"]:
    """Patches of the size of a range, as windows of twice that with nothing around them."""
    edge = blocks.shape[-1] // 2
    return functional.pad(blocks, (edge, edge, edge, edge))


def principal_blocks(
    images: Float[Tensor, "b c h w"], size: int, count: int, centre: float
) -> tuple[Float[Tensor, "k c n n"], Float[Tensor, " k"]]:
    """The first principal components of image blocks, and how far blocks spread along them.

    Components are orthonormal; spreads are root mean squares about the grey level `centre`.
    """
    blocks = functional.unfold(images - centre, size, stride=size).transpose(1, 2).flatten(0, 1)
    moments = blocks.double().mT @ blocks.double() / len(blocks)
    variance, basis = torch.linalg.eigh(moments)
    spread = variance.flip(0)[:count].clamp_min(0).sqrt().float()
    components = basis.flip(1)[:, :count].mT.float()
    return components.unflatten(1, (images.shape[1], size, size)).contiguous(), spread
