"""Initial patches of the compressor: principal components or cosines of blocks, as windows."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.core.cosines import opponent_colours, orthonormal_cosines


def centred_windows(blocks: Float[Tensor, "a c n n"]) -> Float[Tensor, "a c m m"]:
    """Blocks of the size of a range as windows of twice that size, zero around them."""
    edge = blocks.shape[-1] // 2
    return functional.pad(blocks, (edge, edge, edge, edge))


def principal_blocks(
    images: Float[Tensor, "b c h w"], size: int, count: int, centre: float
) -> tuple[Float[Tensor, "k c n n"], Float[Tensor, " k"]]:
    """The first principal components of image blocks, and their spreads.

    Components are orthonormal; spreads are root mean squares of coefficients, about the grey level
    `centre`.
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
    """The cosines of luma and chroma with the largest spreads over image blocks, and these.

    As `principal_blocks`, with a basis that does not depend on the images, apart from its order.
    """
    waves = orthonormal_cosines(size).float()
    basis = torch.einsum("kc,uy,vx->kuvcyx", opponent_colours(), waves, waves).flatten(0, 2)
    blocks = functional.unfold(images - centre, size, stride=size).transpose(1, 2).flatten(0, 1)
    spread = (blocks @ basis.flatten(1).mT).square().mean(0).sqrt()
    largest = spread.argsort(descending=True)[:count]
    return basis[largest], spread[largest]
