"""Cutting images into square blocks, stitching them back, padding and pooling, for any size.

Images are (..., height, width); blocks are (..., n, size, size) in raster order.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.core.scales import round_up


def pad_to_multiple(image: Float[Tensor, "*b c h w"], multiple: int) -> Float[Tensor, "*b c H W"]:
    """Repeat the last row and column until both sides are multiples of `multiple`.

    An image whose sides are returns as it is, not as a copy.
    """
    *lead, height, width = image.shape
    right, bottom = round_up(width, multiple) - width, round_up(height, multiple) - height
    if not (right or bottom):
        return image
    planes = image.reshape(1, -1, height, width)
    padded = functional.pad(planes, (0, right, 0, bottom), mode="replicate")
    return padded.reshape(*lead, *padded.shape[-2:])


def cut(image: Tensor, size: int) -> Tensor:
    """Cut (..., h, w) into blocks (..., n, size, size).

    Raises ValueError unless both sides are multiples of `size` (pad first).
    """
    *lead, height, width = image.shape
    if height % size or width % size:
        raise ValueError(f"an image of {height}x{width} does not tile into {size}x{size} blocks")
    grid = image.reshape(*lead, height // size, size, width // size, size)
    return grid.transpose(-3, -2).reshape(*lead, -1, size, size)


def stitch(blocks: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `cut`: (..., n, size, size) back to (..., height, width)."""
    *lead, _, size, _ = blocks.shape
    grid = blocks.reshape(*lead, height // size, width // size, size, size)
    return grid.transpose(-3, -2).reshape(*lead, height, width)


def cut_overlapping(image: Float[Tensor, "h w"], size: int, step: int) -> Float[Tensor, "n s s"]:
    """All size x size blocks whose corners are multiples of `step`, in raster order."""
    return image.unfold(0, size, step).unfold(1, size, step).reshape(-1, size, size)


def pool(image: Float[Tensor, "*b c h w"], factor: int) -> Float[Tensor, "*b c H W"]:
    """Average factor x factor pixels; rows and columns that do not fill a cell are dropped."""
    *lead, height, width = image.shape
    if factor == 1 or height < factor or width < factor:
        return image[..., : height // factor, : width // factor]
    pooled = functional.avg_pool2d(image.reshape(-1, 1, height, width), factor)
    return pooled.reshape(*lead, *pooled.shape[-2:])
