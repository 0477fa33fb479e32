"""Cosine bases: cell averages of cosine series, and orthonormal transforms.

    f(y, x) = sum_uv c[u, v] phi_u(y) phi_v(x),   phi_0 = 1,  phi_k(t) = sqrt(2) cos(pi k t),

on the unit square. Averages of phi_k over n equal cells are samples of a cosine times a sinc, so
they can be inverted and enlarged exactly.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def cosine_cells(order: int, n_cells: int) -> Float[Tensor, "n order"]:
    """Averages of phi_0..phi_{order-1} over n_cells equal cells of [0, 1] (float64)."""
    centre = (torch.arange(n_cells, dtype=torch.float64) + 0.5) / n_cells
    return cosine_amplitudes(order, centre.new_tensor(1 / n_cells)) * cosines(order, centre)


def cosines(order: int, position: Float[Tensor, "*n"]) -> Float[Tensor, "*n order"]:
    """cos(pi k t) for k below `order`, at positions t.

    Times `cosine_amplitudes`, these are the averages of phi_k over cells centred on t.
    """
    k = torch.arange(order, dtype=position.dtype, device=position.device)
    return torch.cos(math.pi * k * position[..., None])


def cosine_amplitudes(order: int, width: Float[Tensor, "*n"]) -> Float[Tensor, "*n order"]:
    """Averages of phi_k over cells of given widths, per unit of cos(pi k t) at their centres."""
    k = torch.arange(order, dtype=width.dtype, device=width.device)
    # sqrt(2) is rounded to single precision, on which the decoded pixels of files depend
    norm = torch.where(k == 0, 1, k.new_full((), math.sqrt(2), dtype=torch.float32))
    return torch.sinc(k / 2 * width[..., None]) * norm


def cosine_coefficients(n_cells: int) -> Float[Tensor, "n n"]:
    """The matrix from n cell averages to n cosine coefficients (float64)."""
    cells = cosine_cells(n_cells, n_cells)
    return cells.mT / cells.square().sum(0)[:, None]


def cosine_series(patches: Float[Tensor, "*a p p"]) -> Float[Tensor, "*a p p"]:
    """The cosine coefficients c[u, v] of patches given by their p x p cell averages."""
    analysis = cosine_coefficients(patches.shape[-1]).to(patches)
    return analysis @ patches @ analysis.mT


def orthonormal_cosines(size: int, offset: float = 0) -> Float[Tensor, "n n"]:
    """Orthonormal DCT-II (offset 0) or DCT-IV (offset 1/2), one row per frequency (float64)."""
    position = torch.arange(size, dtype=torch.float64) + 0.5
    # in single precision, on which results depend
    frequency = math.pi / size * (torch.arange(size, dtype=torch.float32) + offset)
    waves = torch.cos(frequency[:, None] * position)
    normed: Tensor = waves / waves.norm(dim=1, keepdim=True)
    return normed


def opponent_colours() -> Float[Tensor, "3 3"]:
    """Orthonormal opponent colours: grey, red - blue and red - 2 green + blue, a row each."""
    rows = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]])
    return rows / torch.tensor([3, 2, 6], dtype=torch.float32).sqrt()[:, None]
