"""A fractal coder as published: exhaustive search, uniform quantisers, codes of fixed length.

Fisher 1995: every range has the domain, isometry, contrast and brightness of the least error among
all domains; contrasts have 5 bits, brightnesses 7, the isometry 3, and the domain as many as number
it. A range of contrast 0 has no domain. In a quadtree a range whose error exceeds a tolerance is
divided into four, and the division takes a bit. Searches are matrix products, as in
`neural_collage.fractal.pifs`; nothing is classified, sorted or left out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.core.blocks import cut
from neural_collage.core.collage import Collage
from neural_collage.core.partition import Partition
from neural_collage.fractal.pifs import blocks_of, search

REDUCTION = 2
STEEPEST = 15  # contrasts are -15/16 to 15/16, 31 of the 32 that 5 bits can tell apart
CONTRAST_BITS, BRIGHTNESS_BITS, ISOMETRY_BITS = 5, 7, 3


@dataclass(frozen=True)
class Coder:
    """Settings of the coder.

    sizes: of ranges, from the largest down, each half of the one before; one for equal ranges.
    every_pixel: whether domains start at every pixel, or at every range's worth of pixels.
    tolerance: root mean squared error of pixels in 0..1 above which a range is divided.
    """

    sizes: tuple[int, ...]
    every_pixel: bool
    tolerance: float = 8 / 255

    @property
    def name(self) -> str:
        """For tables."""
        ranges = (
            f"{self.sizes[0]}" if len(self.sizes) == 1 else f"{self.sizes[0]} to {self.sizes[-1]}"
        )
        return f"ranges of {ranges}, domains at every {'pixel' if self.every_pixel else 'range'}"


@dataclass(frozen=True, eq=False)
class Code:
    """A coded picture: the collage that a decoder would make of it, and its size in bits."""

    collage: Collage
    bits: int


@dataclass(frozen=True, eq=False)
class _Level:
    """All ranges of one size with their best domains, in the order of `rows`.

    rows: numbers of those that were searched, in raster order. The others: see `Collage`.
    """

    rows: Int64[Tensor, " r"]
    corners: Int64[Tensor, "r 2"]
    isometries: Int64[Tensor, " r"]
    contrasts: Float[Tensor, " r"]
    biases: Float[Tensor, " r"]
    errors: Float[Tensor, " r"]
    domains: int

    def bits(self, kept: Bool[Tensor, " r"]) -> int:
        """Of some of the ranges."""
        linked = int((self.contrasts[kept] != 0).sum())
        address = math.ceil(math.log2(self.domains)) + ISOMETRY_BITS
        return int(kept.sum()) * (CONTRAST_BITS + BRIGHTNESS_BITS) + linked * address


@torch.no_grad()
def encode(image: Float[Tensor, "h w"], coder: Coder) -> Code:
    """Code a picture whose sides are multiples of the largest range."""
    height, width = image.shape
    active = torch.ones(height // coder.sizes[0], width // coder.sizes[0], dtype=torch.bool)
    splits, levels, kept, bits = [], [], [], 0
    for depth, size in enumerate(coder.sizes):
        level = _search(image, size, active, size if not coder.every_pixel else 1)
        split = torch.zeros_like(active)
        if depth + 1 < len(coder.sizes):
            split.view(-1)[level.rows] = level.errors > coder.tolerance
            bits += len(level.rows)
            splits.append(split)
        kept.append(~split.flatten()[level.rows])
        bits += level.bits(kept[-1])
        levels.append(level)
        active = split.repeat_interleave(2, 0).repeat_interleave(2, 1)

    def joined(name: str) -> Tensor:
        return torch.cat([getattr(each, name)[k] for each, k in zip(levels, kept, strict=True)])

    collage = Collage(
        Partition.quadtree(height, width, coder.sizes, splits),
        joined("corners")[:, None],
        joined("isometries")[:, None],
        joined("contrasts")[None, :, None],
        joined("biases")[None],
        pooling=REDUCTION,
    )
    return Code(collage, bits)


def _search(
    image: Float[Tensor, "h w"], size: int, active: Bool[Tensor, "rows columns"], step: int
) -> _Level:
    """The best domains of the active ranges of one size, with quantised parameters."""
    rows = active.flatten().nonzero()[:, 0]
    ranges = cut(image[None], size)[:, rows]
    found = search(image[None], ranges, REDUCTION, step, bound=STEEPEST / (STEEPEST + 1))
    domains = blocks_of(image[None], found.corners, found.isometries, size, REDUCTION)[0, :, 0]
    targets, centres = ranges[0], domains.mean((1, 2))
    centred = domains - centres[:, None, None]
    exact = (targets * centred).sum((1, 2)) / centred.square().sum((1, 2)).clamp_min(1e-12)
    unit = STEEPEST + 1
    contrasts = (exact * unit).round().clamp(-STEEPEST, STEEPEST) / unit
    biases = _quantised_biases(targets.mean((1, 2)) - contrasts * centres, contrasts)
    fitted = contrasts[:, None, None] * domains + biases[:, None, None]
    errors = (targets - fitted).square().mean((1, 2)).sqrt()
    side = [max(0, n - size * REDUCTION) // step + 1 for n in image.shape]
    return _Level(
        rows, found.corners[:, 0], found.isometries[:, 0], contrasts, biases, errors,
        side[0] * side[1],
    )  # fmt: skip


def _quantised_biases(
    biases: Float[Tensor, " r"], contrasts: Float[Tensor, " r"]
) -> Float[Tensor, " r"]:
    """The nearest of the values that a contrast leaves for pixels in 0..1."""
    least = -contrasts.clamp_min(0)
    step = (1 + contrasts.abs()) / (2**BRIGHTNESS_BITS - 1)
    levels = ((biases - least) / step).round().clamp(0, 2**BRIGHTNESS_BITS - 1)
    quantised: Tensor = least + levels * step
    return quantised


CODERS: Sequence[Coder] = (
    Coder((8,), every_pixel=False),
    Coder((8,), every_pixel=True),
    Coder((16, 8, 4), every_pixel=False),
    Coder((16, 8, 4), every_pixel=True),
)
