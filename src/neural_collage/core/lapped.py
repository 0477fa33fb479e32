"""Textures of overlapping patches: a constant part of a collage without edges between ranges.

Each range of n pixels has a coefficient for every patch of 2n pixels, centred on the range; the
patches of neighbours overlap and sum (lapped transforms: Malvar & Staelin 1989), and what reaches
beyond the edge is folded back, as if the picture went on as its mirror image. A texture exists at
the scales that are powers of two: below 1 by averaging, above 1 by average interpolation (see
`interpolation`).
"""

from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional

from neural_collage.core.blocks import Window, pool
from neural_collage.core.interpolation import enlarged_window

_RANGES_AT_ONCE = 8192  # bounds the memory of a synthesis
_TILE = 128  # single pixels are read from tiles of this size


@dataclass(frozen=True, eq=False)
class LappedTexture:
    """The sum of `unit` x coefficient x patch over ranges and patches, on the pixels of a canvas.

    coefficients: (a, rows, columns) of each patch and range.
    patches: (a, c, 2n, 2n) as cell averages at scale 1, for ranges of n pixels.
    unit: what both are counted in. Whole numbers are summed exactly, so that the texture does not
        depend on the machine.

    Raises ValueError if coefficients and patches do not fit each other.
    """

    coefficients: Shaped[Tensor, "a rows columns"]
    patches: Shaped[Tensor, "a c m m"]
    unit: float = 1.0

    def __post_init__(self) -> None:
        if len(self.coefficients) != len(self.patches):
            raise ValueError(
                f"{len(self.coefficients)} coefficients a range for {len(self.patches)} patches"
            )
        if self.patches.shape[-1] % 4:
            raise ValueError(
                f"patches of {self.patches.shape[-1]} pixels: a multiple of 4 expected"
            )

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
        rows, columns = self.coefficients.shape[1:]
        pixels = self.range_size * scale
        return int(rows * pixels), int(columns * pixels)

    def is_exact(self, scale: Fraction) -> bool:
        """Whether the texture exists at a scale: powers of two that leave ranges whole pixels."""
        up, down = scale.numerator, scale.denominator
        powers = up & (up - 1) == 0 and down & (down - 1) == 0
        return powers and (self.range_size * scale).denominator == 1

    def to(self, device: torch.device | str) -> "LappedTexture":
        """The same texture on another device."""
        return LappedTexture(self.coefficients.to(device), self.patches.to(device), self.unit)

    def canvas(self, scale: Fraction) -> Float[Tensor, "c H W"]:
        """The whole texture at an exact scale, float32."""
        return self.window(scale, Window(0, 0, *self.size(scale)))

    def window(self, scale: Fraction, window: Window) -> Float[Tensor, "c h w"]:
        """A window of the canvas at an exact scale, float32; ValueError at any other scale."""
        if not self.is_exact(scale):
            raise ValueError(
                f"a texture exists at powers of two that leave ranges whole pixels, not at {scale}"
            )
        if scale < 1:
            factor = scale.denominator
            return pool(self.window(Fraction(1), Window(*(factor * n for n in window))), factor)
        return self._interpolated(scale, window) if scale > 1 else self._synthesised(window)

    def pixels(
        self, scale: Fraction, rows: Int64[Tensor, " n"], columns: Int64[Tensor, " n"]
    ) -> Float[Tensor, "c n"]:
        """Single pixels of the canvas at an exact scale."""
        height, width = self.size(scale)
        across = -(-width // _TILE)
        tiles, of = ((rows // _TILE) * across + columns // _TILE).unique(return_inverse=True)
        values = torch.empty(self.channels, len(rows), dtype=torch.float32, device=rows.device)
        for number, tile in enumerate(tiles.tolist()):
            top, left = tile // across * _TILE, tile % across * _TILE
            inside = Window(top, left, min(_TILE, height - top), min(_TILE, width - left))
            here = (of == number).nonzero()[:, 0]
            values[:, here] = self.window(scale, inside)[:, rows[here] - top, columns[here] - left]
        return values

    def _synthesised(self, window: Window) -> Tensor:
        """Strips of rows of the window at scale 1."""
        n, edge = self.range_size, self.range_size // 2
        rows, columns = self.coefficients.shape[1:]
        first = max(0, (window.left - edge) // n)
        last = min(columns, -(-(window.left + window.width + edge) // n))
        height = n * max(1, _RANGES_AT_ONCE // (last - first))
        patches = self.patches.double()
        strips = []
        for top in range(window.top, window.top + window.height, height):
            bottom = min(top + height, window.top + window.height)
            above, below = max(0, (top - edge) // n), min(rows, -(-(bottom + edge) // n))
            part = self.coefficients[:, above:below, first:last].double()[None]
            image = synthesise(part, patches)[0]
            strip = image[
                :,
                top - above * n : bottom - above * n,
                window.left - first * n : window.left - first * n + window.width,
            ]
            strips.append((strip * self.unit).float())
        return torch.cat(strips, 1)

    def _interpolated(self, scale: Fraction, window: Window) -> Tensor:
        """From the octave below, of which the edge pixels are repeated."""
        return enlarged_window(
            lambda inside: self.window(scale / 2, inside), self.size(scale / 2), window
        )


def synthesise(
    coefficients: Float[Tensor, "b a rows columns"], patches: Float[Tensor, "a c m m"]
) -> Float[Tensor, "b c h w"]:
    """The sum of all patches times their coefficients; h and w are ranges of m / 2 pixels.

    What reaches beyond the edge is mirrored into the picture, so that nothing fades there. A patch
    is four quarters of the size of a range; quarters meet on a grid that lies half a range off the
    ranges.
    """
    b, a, rows, columns = coefficients.shape
    c, n = patches.shape[1], patches.shape[-1] // 2
    by_range = coefficients.permute(0, 2, 3, 1).reshape(-1, a)
    quarters = patches.view(a, c, 2, n, 2, n).permute(2, 4, 0, 1, 3, 5).reshape(2, 2, a, -1)
    met = torch.zeros((), dtype=coefficients.dtype, device=coefficients.device)
    for v, along in enumerate(quarters.unbind(0)):
        for h, quarter in enumerate(along.unbind(0)):
            part = (by_range @ quarter).view(b, rows, columns, -1)
            met = met + functional.pad(part, (0, 0, h, 1 - h, v, 1 - v))
    met = met.unflatten(-1, (c, n, n)).permute(0, 3, 1, 4, 2, 5)
    image: Tensor = met.reshape(b, c, (rows + 1) * n, (columns + 1) * n)
    return _folded(_folded(image.mT, n // 2).mT, n // 2)


def _folded(image: Float[Tensor, "b c h w"], margin: int) -> Float[Tensor, "b c h _"]:
    """Without the columns of its margins, which are mirrored into it."""
    inside = image[..., margin:-margin]
    gap = inside.shape[-1] - 2 * margin
    before, after = image[..., :margin].flip(-1), image[..., -margin:].flip(-1)
    return inside + torch.cat([before, image.new_zeros(*image.shape[:-1], gap), after], -1)
