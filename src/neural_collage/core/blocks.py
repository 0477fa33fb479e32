"""Cutting images into square blocks, stitching them back, padding and pooling, for any size.

Images are (..., height, width); blocks are (..., n, size, size) in raster order.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def round_up(length: int, multiple: int) -> int:
    """The least multiple of `multiple` that is not below `length`."""
    return -(-length // multiple) * multiple


def pad_to_multiple(image: Float[Tensor, "c h w"], multiple: int) -> Float[Tensor, "c H W"]:
    """Repeat the last row and column until both sides are multiples of `multiple`."""
    height, width = image.shape[-2:]
    right, bottom = round_up(width, multiple) - width, round_up(height, multiple) - height
    return functional.pad(image[None], (0, right, 0, bottom), mode="replicate")[0]


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


def pool(image: Float[Tensor, "c h w"], factor: int) -> Float[Tensor, "c H W"]:
    """Average factor x factor pixels; rows and columns that do not fill a cell are dropped."""
    height, width = image.shape[-2] // factor, image.shape[-1] // factor
    if factor == 1 or not height or not width:
        return image[..., :height, :width]
    return functional.avg_pool2d(image[None], factor)[0]
