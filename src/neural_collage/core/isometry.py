"""The eight isometries of the square, as a group and as index arithmetic.

An isometry is an integer `4 * transpose + 2 * flip_rows + flip_columns`. Applied to an n x n block
it reads

    result[i, j] = block[row, column],   (row, column) = (j, i) if transpose else (i, j),

after which `row` becomes n - 1 - row if `flip_rows`, and `column` becomes n - 1 - column if
`flip_columns`. Identity is 0 and the eight codes are the eight distinct symmetries (Jacquin 1992).
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core.scales import Window

N_ISOMETRIES = 8
IDENTITY = 0


def apply(blocks: Tensor, isometry: int) -> Tensor:
    """Transform square blocks (..., n, n) by one isometry; a view where torch allows it.

    Raises ValueError if the code is not in 0..7.
    """
    if not 0 <= isometry < N_ISOMETRIES:
        raise ValueError(f"isometry must be 0..{N_ISOMETRIES - 1}, not {isometry}")
    flips = [axis for axis, bit in ((-2, 2), (-1, 1)) if isometry & bit]
    flipped = blocks.flip(flips) if flips else blocks
    return flipped.transpose(-2, -1) if isometry & 4 else flipped


def all_isometries(blocks: Tensor) -> Tensor:
    """The eight transforms of square blocks (..., n, n), stacked in front: (8, ..., n, n)."""
    return torch.stack([apply(blocks, g) for g in range(N_ISOMETRIES)])


def compose(outer: int, inner: int) -> int:
    """The isometry g with apply(x, g) == apply(apply(x, inner), outer)."""
    if outer & 4:  # moving a transpose past flips exchanges rows and columns
        return (inner ^ 4) ^ _exchanged(outer & 3, inner)
    return inner ^ _exchanged(outer & 3, inner)


def inverse(isometry: int) -> int:
    """The isometry that undoes `isometry`."""
    return next(g for g in range(N_ISOMETRIES) if compose(g, isometry) == IDENTITY)


def _exchanged(flips: int, inner: int) -> int:
    """The outer flips, with rows and columns exchanged if the inner isometry transposes."""
    return ((flips & 1) << 1) | (flips >> 1) if inner & 4 else flips


def source_index(
    isometry: Int64[Tensor, " *r"], size: int | Tensor, row: Tensor, column: Tensor
) -> tuple[Tensor, Tensor]:
    """Row and column of a size x size block that each isometry moves to (row, column).

    All arguments broadcast together; this is `apply` as arithmetic on indices.
    """
    transpose = (isometry & 4).bool()
    source_row = torch.where(transpose, column, row)
    source_column = torch.where(transpose, row, column)
    source_row = torch.where((isometry & 2).bool(), size - 1 - source_row, source_row)
    source_column = torch.where((isometry & 1).bool(), size - 1 - source_column, source_column)
    return source_row, source_column


def blocks_at(
    image: Float[Tensor, "*c h w"],
    corners: Int64[Tensor, "r 2"],
    isometries: Int64[Tensor, " r"],
    size: int,
) -> Float[Tensor, "*c r n n"]:
    """The size x size blocks of an image with these corners (row, column), after isometries."""
    pixel = torch.arange(size, device=image.device)
    row, column = source_index(isometries[:, None, None], size, pixel[:, None], pixel)
    return image[..., corners[:, 0, None, None] + row, corners[:, 1, None, None] + column]


def source_window(isometry: int, size: int, part: Window) -> Window:
    """The part of a size x size block that an isometry moves to `part` of its transform.

    `apply` to that part gives `part` of the transform.
    """
    top, left, height, width = part
    if isometry & 4:
        top, left, height, width = left, top, width, height
    if isometry & 2:
        top = size - top - height
    if isometry & 1:
        left = size - left - width
    return Window(top, left, height, width)


def source_strides(
    isometry: Int64[Tensor, " *r"], size: int | Tensor, pitch: int
) -> tuple[Int64[Tensor, " *r"], Int64[Tensor, " *r"], Int64[Tensor, " *r"]]:
    """The same as `source_index` for an image whose rows are `pitch` apart, as an affine form.

    Returns (start, per_row, per_column) such that pixel (i, j) of the transformed block is read at
    offset start + i * per_row + j * per_column from the block's top left corner.
    """
    row_sign = 1 - (isometry & 2)
    column_sign = 1 - 2 * (isometry & 1)
    start = (size - 1) * (pitch * ((isometry & 2) >> 1) + (isometry & 1))
    transpose = (isometry & 4).bool()
    per_row = torch.where(transpose, column_sign, row_sign * pitch)
    per_column = torch.where(transpose, row_sign * pitch, column_sign)
    return start, per_row, per_column
