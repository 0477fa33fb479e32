"""Changing the resolution of images and patches, by exact cell averages.

Pixels are averages over cells. Reducing an image to any size averages over the new cells (`area`).
A patch, which must exist at every resolution, is read as the unique cosine series

    f(y, x) = sum_uv c[u, v] phi_u(y) phi_v(x),   phi_0 = 1,  phi_k(t) = sqrt(2) cos(pi k t),

on the unit square whose cell averages are the patch. Its cell averages on any other grid are the
patch at that resolution, so averaging an enlarged patch gives the patch back exactly.
"""

import math
from fractions import Fraction
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

Interval = tuple[Fraction | int, Fraction | int]


def area_resample(
    image: Float[Tensor, "*c h w"],
    height: int,
    width: int,
    rows: Interval | None = None,
    columns: Interval | None = None,
) -> Float[Tensor, "*c H W"]:
    """Average an image over a grid of height x width equal cells.

    rows, columns: the part (start, stop) of the image that the grid covers, in pixels, fractions
    allowed; the whole image by default. Exact for any ratio.

    Raises ValueError if there are no cells or they reach beyond the image.
    """
    image = _average_last(image, width, *(columns or (0, image.shape[-1])))
    return _average_last(image.mT, height, *(rows or (0, image.shape[-2]))).mT.contiguous()


def _average_last(
    image: Tensor, n_out: int, start: Fraction | int, stop: Fraction | int, strip: int = 64
) -> Tensor:
    """Area averages along the last axis, in strips of cells that bound the banded matrices."""
    if n_out < 1 or not 0 <= start < stop <= image.shape[-1]:
        raise ValueError(
            f"cannot average {start}..{stop} of {image.shape[-1]} pixels over {n_out} cells"
        )
    if (start, stop) == (0, n_out) and image.shape[-1] == n_out:
        return image
    step = Fraction(stop - start) / n_out
    parts = []
    for first_cell in range(0, n_out, strip):
        cells = torch.arange(first_cell, min(n_out, first_cell + strip) + 1, dtype=torch.float64)
        edges = float(start) + cells * float(step)
        first, last = int(edges[0]), min(image.shape[-1], math.ceil(float(edges[-1]) - 1e-9))
        pixels = torch.arange(first, last, dtype=torch.float64)
        overlap = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(
            edges[:-1, None], pixels
        )
        matrix = overlap.clamp_min(0)
        matrix = matrix / matrix.sum(1, keepdim=True)
        # in double precision, so that the order of additions does not show
        parts.append((image[..., first:last].double() @ matrix.mT.to(image.device)).to(image.dtype))
    return torch.cat(parts, -1)


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
    """What averaging over cells of some widths leaves of phi_k, for k below `order`."""
    k = torch.arange(order, dtype=width.dtype, device=width.device)
    return torch.sinc(k / 2 * width[..., None]) * torch.where(k == 0, 1, math.sqrt(2))


def cosine_coefficients(n_cells: int) -> Float[Tensor, "n n"]:
    """The matrix that takes n cell averages to their n cosine coefficients (float64)."""
    cells = cosine_cells(n_cells, n_cells)
    return cells.mT / cells.square().sum(0)[:, None]


def cosine_series(patches: Float[Tensor, "*a p p"]) -> Float[Tensor, "*a p p"]:
    """The cosine coefficients c[u, v] of patches given by their p x p cell averages."""
    analysis = cosine_coefficients(patches.shape[-1]).to(patches)
    return analysis @ patches @ analysis.mT


def resize_patches(patches: Float[Tensor, "*a p p"], size: int) -> Float[Tensor, "*a s s"]:
    """Patches at another resolution, exact cell averages of their cosine series."""
    p = patches.shape[-1]
    if size == p:
        return patches
    matrix = _resize_matrix(p, size).to(patches)
    return matrix @ patches @ matrix.mT


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # what is kept shall serve training, too
def _resize_matrix(n_in: int, n_out: int) -> Float[Tensor, "n_out n_in"]:
    return cosine_cells(n_in, n_out) @ cosine_coefficients(n_in)


def orthonormal_cosines(size: int, offset: float = 0) -> Float[Tensor, "n n"]:
    """The cosine transform of type II (offset 0) or IV (1/2), a row for each wave (float64)."""
    position = torch.arange(size, dtype=torch.float64) + 0.5
    waves = torch.cos(math.pi / size * (torch.arange(size)[:, None] + offset) * position)
    normed: Tensor = waves / waves.norm(dim=1, keepdim=True)
    return normed
