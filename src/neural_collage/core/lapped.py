"""Lapped textures of tensors: sums of overlapping patches, a constant part of collages.

`LappedTexture` is the texture of `arrays.lapped` as tensors; `synthesise` is the same sum with
gradients, at scale 1 alone.
"""

from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional

from neural_collage.core.arrays.lapped import PatchBank, Texture
from neural_collage.core.scales import Window
from neural_collage.runtime import cached_property

_TILE = 128  # single pixels are read from square tiles of this side


@dataclass(frozen=True, eq=False)
class LappedTexture:
    """The sum of `unit` x coefficient x patch over ranges and patches, on the pixels of a canvas.

    coefficients: (a, rows, columns) of each patch and range.
    patches: (a, c, 2n, 2n) as cell averages at scale 1, for ranges of n pixels.
    unit: pixel value of a product of 1. Products of integers are summed exactly, so that the
        texture is the same on every machine.

    It is computed on the CPU. Raises ValueError if coefficients and patches do not fit each other.
    """

    coefficients: Shaped[Tensor, "a rows columns"]
    patches: Shaped[Tensor, "a c m m"]
    unit: float = 1.0

    def __post_init__(self) -> None:
        _ = self.arrays  # which checks what it is made of

    @classmethod
    def of(cls, arrays: Texture) -> "LappedTexture":
        """The same texture as tensors."""
        made = cls(
            torch.from_numpy(arrays.coefficients),
            torch.from_numpy(arrays.bank.patches),
            arrays.unit,
        )
        made.__dict__["arrays"] = arrays
        return made

    @cached_property
    def arrays(self) -> Texture:
        """The texture as arrays."""
        coefficients, patches = (
            t.detach().cpu().numpy() for t in (self.coefficients, self.patches)
        )
        return Texture(coefficients, PatchBank(patches), self.unit)

    @property
    def range_size(self) -> int:
        """Side of a range in pixels."""
        return self.patches.shape[-1] // 2

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.patches.shape[1]

    def size(self, scale: Fraction) -> tuple[int, int]:
        """Height and width of the canvas at an exact scale."""
        return self.arrays.size(scale)

    def is_exact(self, scale: Fraction) -> bool:
        """Whether a scale is a power of two at which ranges are whole pixels."""
        return self.arrays.is_exact(scale)

    def to(self, device: torch.device | str) -> "LappedTexture":
        """The same texture on another device."""
        return LappedTexture(self.coefficients.to(device), self.patches.to(device), self.unit)

    def canvas(self, scale: Fraction) -> Float[Tensor, "c H W"]:
        """The whole texture at an exact scale, float32."""
        return self.window(scale, Window(0, 0, *self.size(scale)))

    def window(self, scale: Fraction, window: Window) -> Float[Tensor, "c h w"]:
        """A window of the canvas at an exact scale, float32; ValueError at any other scale."""
        pixels = torch.from_numpy(self.arrays.window(scale, window).copy())
        return pixels.to(self.coefficients.device)

    def pixels(
        self, scale: Fraction, rows: Int64[Tensor, " n"], columns: Int64[Tensor, " n"]
    ) -> Float[Tensor, "c n"]:
        """Single pixels of the canvas at an exact scale."""
        height, width = self.size(scale)
        per_row = -(-width // _TILE)
        tile_of_pixel = (rows // _TILE) * per_row + columns // _TILE
        tiles, rank = tile_of_pixel.unique(return_inverse=True)
        values = torch.empty(self.channels, len(rows), dtype=torch.float32, device=rows.device)
        for number, tile in enumerate(tiles.tolist()):
            top, left = tile // per_row * _TILE, tile % per_row * _TILE
            window = Window(top, left, min(_TILE, height - top), min(_TILE, width - left))
            pixels = (rank == number).nonzero()[:, 0]
            row, column = rows[pixels] - top, columns[pixels] - left
            values[:, pixels] = self.window(scale, window)[:, row, column]
        return values


def synthesise(
    coefficients: Float[Tensor, "b a rows columns"], patches: Float[Tensor, "a c m m"]
) -> Float[Tensor, "b c h w"]:
    """The sum of all patches times their coefficients; h = rows * m / 2, w = columns * m / 2.

    Parts outside the image are mirrored into it, so that it does not fade at its edges. Each patch
    is cut into four quarters of the size of a range; the quarters of neighbours overlap on a grid
    that is shifted by half a range.
    """
    b, a, rows, columns = coefficients.shape
    c, n = patches.shape[1], patches.shape[-1] // 2
    by_range = coefficients.permute(0, 2, 3, 1).reshape(-1, a)  # (b * rows * columns, a)
    # (vertical half, horizontal half, a, c * n * n)
    quarters = patches.view(a, c, 2, n, 2, n).permute(2, 4, 0, 1, 3, 5).reshape(2, 2, a, -1)
    overlap_grid = torch.zeros((), dtype=coefficients.dtype, device=coefficients.device)
    for v, half in enumerate(quarters.unbind(0)):
        for h, quarter in enumerate(half.unbind(0)):
            part = (by_range @ quarter).view(b, rows, columns, -1)
            overlap_grid = overlap_grid + functional.pad(part, (0, 0, h, 1 - h, v, 1 - v))
    # (b, rows + 1, columns + 1, c * n * n) -> (b, c, rows + 1, n, columns + 1, n)
    overlap_grid = overlap_grid.unflatten(-1, (c, n, n)).permute(0, 3, 1, 4, 2, 5)
    image: Tensor = overlap_grid.reshape(b, c, (rows + 1) * n, (columns + 1) * n)
    return _folded(_folded(image.mT, n // 2).mT, n // 2)


def _folded(image: Float[Tensor, "b c h w"], margin: int) -> Float[Tensor, "b c h _"]:
    """Remove the margin columns at both sides, adding their mirror image to the columns inside."""
    inside = image[..., margin:-margin]
    gap = inside.shape[-1] - 2 * margin
    before, after = image[..., :margin].flip(-1), image[..., -margin:].flip(-1)
    return inside + torch.cat([before, image.new_zeros(*image.shape[:-1], gap), after], -1)
