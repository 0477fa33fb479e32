"""The cosines of ranges: transforms of blocks, and the auxiliary patches that stand for them."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.cosines import cosine_cells
from neural_collage.fractal.geometry import ORDER


@lru_cache(maxsize=16)
def cosine_transform(size: int) -> Float[Tensor, "q n"]:
    """The first min(8, size) rows of the orthonormal cosine transform of `size` samples."""
    order = min(ORDER, size)
    cells = cosine_cells(order, size).mT
    return torch.nn.functional.normalize(cells).float()


def patch_bank() -> Float[Tensor, "64 1 8 8"]:
    """The auxiliary patches: products of cosines, row order u * 8 + v."""
    cells = cosine_cells(ORDER, ORDER)
    return torch.einsum("iu,jv->uvij", cells, cells).reshape(-1, 1, ORDER, ORDER).float()


@lru_cache(maxsize=16)
def patch_amplitudes(size: int) -> Float[Tensor, "q q"]:
    """Patch weight of a unit orthonormal coefficient of each order, for ranges of `size` pixels."""
    norm = cosine_cells(min(ORDER, size), size).square().sum(0).sqrt()
    return (1 / (norm[:, None] * norm)).float()
