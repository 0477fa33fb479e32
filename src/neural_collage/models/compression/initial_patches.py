"""Where learned patches begin: principal components or cosines of blocks, as windows."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


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


def cosine_blocks(
    images: Float[Tensor, "b c h w"], size: int, count: int, centre: float
) -> tuple[Float[Tensor, "k c n n"], Float[Tensor, " k"]]:
    """The cosines of luma and chroma along which image blocks spread most, and how far they do.

    As `principal_blocks`, but the same for all pictures up to their order.
    """
    position = torch.arange(size) + 0.5
    waves = torch.cos(math.pi / size * torch.arange(size)[:, None] * position)
    waves = waves / waves.norm(dim=1, keepdim=True)
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 2.0, -1.0]])
    colours = colours / colours.norm(dim=1, keepdim=True)
    basis = torch.einsum("kc,uy,vx->kuvcyx", colours, waves, waves).flatten(0, 2)
    blocks = functional.unfold(images - centre, size, stride=size).transpose(1, 2).flatten(0, 1)
    spread = (blocks @ basis.flatten(1).mT).square().mean(0).sqrt()
    largest = spread.argsort(descending=True)[:count]
    return basis[largest], spread[largest]
