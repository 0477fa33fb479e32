"""Random collages and textures, windows to read them by, and reference implementations."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.affine import ScaledMap
from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.lapped import LappedTexture
from neural_collage.core.partition import Partition
from neural_collage.core.resample import resize_patches
from neural_collage.core.scales import Window


@dataclass(frozen=True)
class Recipe:
    """Parameters of a random collage.

    sizes: block sizes of the quadtree; one for a uniform partition.
    step: domain corners are multiples of it.
    shared: weights, patches and their weights are the same in all channels.
    patches: number of auxiliary patches, of 3 x 3 cells.
    """

    height: int
    width: int
    sizes: tuple[int, ...] = (8,)
    pooling: int = 2
    step: int = 8
    channels: int = 1
    sources: int = 1
    shared: bool = True
    patches: int = 0
    contraction: float = 0.7

    def __str__(self) -> str:
        kind = "quadtree" if len(self.sizes) > 1 else "uniform"
        return f"{kind}{self.height}x{self.width}-pool{self.pooling}-lattice{self.lattice}"

    @cached_property
    def lattice(self) -> Fraction:
        return self.make().lattice

    def make(self, dtype: torch.dtype = torch.float64, seed: int = 0) -> Collage:
        """The collage; its contraction bound is at most `contraction`."""
        rng = torch.Generator().manual_seed(seed)
        partition = random_partition(self.height, self.width, self.sizes, rng)
        ranges, shape = len(partition), (len(partition), self.sources)
        canvas = torch.tensor([partition.canvas_height, partition.canvas_width])
        room = canvas - self.pooling * partition.blocks[:, 2:]  # (r, 2) for the domain to move
        places = room.clamp_min(0)[:, None] // self.step + 1
        domains = (torch.rand(*shape, 2, generator=rng) * places).long() * self.step
        channels = 1 if self.shared else self.channels
        weights = torch.randn(channels, *shape, generator=rng, dtype=dtype)
        weights *= self.contraction / weights.abs().sum(-1, keepdim=True)
        weights *= (room >= 0).all(1)[:, None]
        patches = torch.rand(self.patches, channels, 3, 3, generator=rng, dtype=dtype)
        mix = torch.randn(channels, ranges, self.patches, generator=rng, dtype=dtype)
        return Collage(
            partition,
            domains,
            torch.randint(isometry.N_ISOMETRIES, shape, generator=rng),
            weights,
            torch.rand(self.channels, ranges, generator=rng, dtype=dtype),
            patches if self.patches else None,
            mix if self.patches else None,
            self.pooling,
        )


def random_partition(
    height: int, width: int, sizes: Sequence[int], rng: torch.Generator
) -> Partition:
    """A quadtree that splits about half of its blocks."""
    rows, columns = -(-height // sizes[0]), -(-width // sizes[0])
    splits = [
        torch.rand(rows << depth, columns << depth, generator=rng) < 0.5
        for depth in range(len(sizes) - 1)
    ]
    return Partition.quadtree(height, width, sizes, splits)


# Small enough to be decoded whole at scale 64.
TINY = [
    Recipe(8, 8, (4,), step=4),
    Recipe(5, 11, (8, 4, 2), step=4, channels=3, sources=2, shared=False, patches=2),
    Recipe(7, 8, (3,), step=6, sources=2),  # lattice 3: no power of two is exact
    Recipe(6, 9, (4,), step=1, channels=2, patches=1),  # lattice 1/2
    Recipe(9, 5, (9,), pooling=3, step=9, patches=2),  # no range has room for its domain
    Recipe(9, 13, (3,), pooling=3, step=9, channels=2, sources=2, patches=2),
    Recipe(17, 5, (1,), pooling=16, step=1),
    Recipe(18, 33, (1,), pooling=16, step=16, channels=2),
    Recipe(1, 1, (4, 2), step=4),
    Recipe(1, 1, (1,)),
    Recipe(1, 13, (8, 4), step=4, channels=3, shared=False),
    Recipe(13, 1, (2,), pooling=3, step=2),
    Recipe(6, 6, (2,), step=2, channels=3, sources=0, patches=1),  # patches and bias only
]

CASES = [
    *TINY,
    Recipe(64, 64, (8,), step=8),
    Recipe(33, 50, (4,), step=2, channels=3, sources=2, shared=False),
    Recipe(40, 71, (16, 8, 4), step=8, channels=3, patches=3),
    Recipe(67, 30, (16, 8, 4), step=4, channels=2, sources=3, shared=False, patches=2),
    Recipe(50, 61, (18, 9), pooling=3, step=27, channels=2, patches=2),
    Recipe(130, 66, (4,), pooling=16, step=64),
    Recipe(70, 65, (8, 4), pooling=16, step=4, channels=2, sources=2, patches=2),
]


def reference_step(collage: Collage, z: Tensor) -> Tensor:
    """The formula of `core.parameters`, range by range."""
    reduced, result = pool(z, collage.pooling), torch.full_like(z, torch.nan)
    for r, (y, x, size) in enumerate(collage.partition.blocks.tolist()):
        block = collage.bias[:, r, None, None].expand(-1, size, size).clone()
        for k in range(collage.domains_per_range):
            if not collage.weights[:, r, k].any():
                continue
            v, u = (collage.domains[r, k] // collage.pooling).tolist()
            domain = reduced[:, v : v + size, u : u + size]
            moved = isometry.apply(domain, int(collage.isometries[r, k]))
            block += collage.weights[:, r, k, None, None] * moved
        if collage.patches is not None and collage.patch_weights is not None:
            for a, patch in enumerate(resize_patches(collage.patches, size)):
                block += collage.patch_weights[:, r, a, None, None] * patch
        result[:, y : y + size, x : x + size] = block
    return result


def iterate(collage: Collage, steps: int, scale: int = 1) -> Tensor:
    """The image after full-size iterations from black, cropped to its true size."""
    mapping = ScaledMap.of(collage, Fraction(scale))
    z = torch.zeros_like(mapping.offset)
    for _ in range(steps):
        z = mapping.step(z)
    return z[:, : collage.height * scale, : collage.width * scale]


def close(got: Tensor, expected: Tensor) -> None:
    """Equal but for the rounding of float64."""
    torch.testing.assert_close(got, expected, atol=1e-12, rtol=1e-12)


def integer_texture(
    rows: int = 5, columns: int = 7, size: int = 8, channels: int = 3, count: int = 4, seed: int = 0
) -> LappedTexture:
    """A texture of random 16-bit coefficients and patches, with pixel values of about 1."""
    rng = torch.Generator().manual_seed(seed)
    m, limit = 2 * size, 1 << 15
    coefficients = torch.randint(-limit, limit, (count, rows, columns), generator=rng)
    patches = torch.randint(-limit, limit, (count, channels, m, m), generator=rng)
    return LappedTexture(coefficients.short(), patches.short(), 2.0**-31)


def windows_of(height: int, width: int) -> list[Window]:
    """Corners, edges, single pixels, the whole, and parts off the grid of ranges."""
    h, w = max(1, height // 3), max(1, width // 4)
    return [
        Window(0, 0, h, w),
        Window(0, width - w, h, w),
        Window(height - h, 0, h, w),
        Window(height - 1, width - 1, 1, 1),
        Window(0, 0, 1, 1),
        Window(height // 2, width // 2, 1, 1),
        Window(height // 5, width // 3, max(1, height // 2), max(1, width // 9)),
        Window(height // 2, 0, 1, width),
        Window(0, width // 2, height, 1),
        Window(min(1, height - 1), min(1, width - 1), max(1, height - 2), max(1, width - 2)),
        Window(0, 0, height, width),
    ]


def crop(image: Tensor, window: Window) -> Tensor:
    top, left, height, width = window
    return image[..., top : top + height, left : left + width]
