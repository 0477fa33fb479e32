"""Changing the resolution of images and patches, by exact cell averages.

Pixels are averages over cells. Reducing an image to any size averages over the new cells. A patch,
which must exist at every resolution, is read as the unique cosine series (see `cosines`) whose cell
averages are the patch. Its cell averages on any other grid are the patch at that resolution, so
averaging an enlarged patch restores the patch exactly.
"""

from fractions import Fraction
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.arrays.averages import cell_weights
from neural_collage.core.cosines import cosine_cells, cosine_coefficients
from neural_collage.core.scales import Interval


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


def _average_last(image: Tensor, n_out: int, start: Fraction | int, stop: Fraction | int) -> Tensor:
    if (start, stop) == (0, n_out) and image.shape[-1] == n_out:
        return image
    parts = []
    for pixels, weights in cell_weights(image.shape[-1], n_out, start, stop):
        matrix = torch.from_numpy(weights).mT.to(image.device)
        # in double precision, so that pixels do not depend on the summation order
        parts.append((image[..., pixels].double() @ matrix).to(image.dtype))
    return torch.cat(parts, -1)


def resize_patches(patches: Float[Tensor, "*a p p"], size: int) -> Float[Tensor, "*a s s"]:
    """Patches at another resolution, exact cell averages of their cosine series."""
    p = patches.shape[-1]
    if size == p:
        return patches
    matrix = _resize_matrix(p, size).to(patches)
    return matrix @ patches @ matrix.mT


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # cached inference tensors could not be used in training
def _resize_matrix(n_in: int, n_out: int) -> Float[Tensor, "n_out n_in"]:
    return cosine_cells(n_in, n_out) @ cosine_coefficients(n_in)
