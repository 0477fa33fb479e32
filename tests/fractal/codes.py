"""Random valid codes of planes, and blank ones for tests to fill in."""

from dataclasses import dataclass

import numpy as np
import torch

from neural_collage.core.partition import Partition
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.geometry import (
    DIAGONAL,
    MAX_CONTRAST,
    ORDER,
    SIZES,
    WIDEST,
    BoolArray,
    IntArray,
    PlaneGeometry,
    last_diagonal,
)


@dataclass(frozen=True)
class CodeRecipe:
    """Parameters of a random code.

    split, matched: probabilities that a block is split and that a range has each further domain.
    spread: typical magnitude of coefficients and details. wild: probability of up to 2000 times it.
    wide: whether contrasts may be, which then are of all sizes, of every eighth range.
    """

    height: int
    width: int
    lattice: int = 8
    domains_per_range: int = 1
    split: float = 0.6
    matched: float = 0.5
    spread: float = 1.5
    wild: float = 0.01
    wide: bool = False

    def make(self, rng: np.random.Generator) -> PlaneCode:
        """The code; its contrasts sum to at most 7 eighths a range, unless wide."""
        geometry = PlaneGeometry(self.height, self.width, self.lattice, self.wide)
        splits, details = [], []
        active = np.ones(geometry.grid(SIZES[0]), bool)
        for _ in SIZES[:-1]:
            split = active & (rng.random(active.shape) < self.split)
            splits.append(split)
            details.append(self._integers(rng, (int(split.sum()), 3)))
            active = split.repeat(2, 0).repeat(2, 1)
        blocks = quadtree(geometry, tuple(splits)).blocks.numpy()
        count = len(blocks)
        highest = np.array([last_diagonal(int(size)) for size in blocks[:, 2]])
        last = np.minimum(rng.geometric(0.3, count) - 1, highest)
        coefficients = self._integers(rng, (count, ORDER, ORDER))
        coefficients *= (last[:, None, None] >= DIAGONAL) & (DIAGONAL > 0)
        coefficients[blocks[:, 2] == 4, 4:] = 0
        coefficients[blocks[:, 2] == 4, :, 4:] = 0
        contrasts, addresses, isometries = np.zeros((3, count, self.domains_per_range), np.int64)
        for r, (y, x, size) in enumerate(blocks):
            _, _, rows, columns = geometry.pools(int(size), np.array([y]), np.array([x]))
            positions, unspent = int(rows[0] * columns[0]), MAX_CONTRAST
            for k in range(self.domains_per_range):
                if not positions or not unspent or rng.random() > self.matched:
                    break
                contrast = int(rng.integers(1, unspent + 1))
                unspent -= contrast
                if self.wide and r % 8 == 0:
                    contrast = int(rng.integers(1, WIDEST + 1))
                contrasts[r, k] = rng.choice([-1, 1]) * contrast
                addresses[r, k] = rng.integers(positions)
                isometries[r, k] = rng.integers(8)
        return PlaneCode(
            geometry,
            tuple(splits),
            self._integers(rng, geometry.grid(SIZES[0])) + 12,
            tuple(details),
            last,
            coefficients,
            contrasts,
            addresses,
            isometries,
        )

    def _integers(self, rng: np.random.Generator, shape: tuple[int, ...]) -> IntArray:
        values = rng.laplace(0, self.spread, shape)
        values *= np.where(rng.random(shape) < self.wild, 2000 * rng.random(shape), 1)
        return np.rint(values).astype(np.int64)


RECIPES = [
    CodeRecipe(1, 1, lattice=16, matched=1),
    CodeRecipe(3, 700, lattice=4, domains_per_range=2, split=0.8),
    CodeRecipe(700, 3, lattice=8, domains_per_range=3, matched=0.9, wild=0.2),
    CodeRecipe(64, 64, lattice=16, split=0),
    CodeRecipe(65, 95, lattice=4, domains_per_range=3, split=1, matched=0.9),
    CodeRecipe(130, 290, lattice=8, domains_per_range=2, spread=0.6, wild=0),
    CodeRecipe(270, 70, lattice=16, spread=4, wild=0.05),
    CodeRecipe(140, 300, lattice=12),
    CodeRecipe(100, 270, lattice=8, wide=True),
    CodeRecipe(97, 530, lattice=12, wide=True, domains_per_range=2),
]


def quadtree(geometry: PlaneGeometry, splits: tuple[BoolArray, ...]) -> Partition:
    """The ranges of a code with these splits."""
    return Partition.quadtree(
        geometry.height, geometry.width, SIZES, [torch.from_numpy(split) for split in splits]
    )


def uniform_splits(geometry: PlaneGeometry, size: int) -> tuple[BoolArray, ...]:
    """Splits of a quadtree with equal leaves."""
    return tuple(np.full(geometry.grid(coarser), coarser > size) for coarser in SIZES[:-1])


def blank_code(geometry: PlaneGeometry, size: int, root: int = 0) -> PlaneCode:
    """Ranges of one size and mean, without coefficients or domains."""
    splits = uniform_splits(geometry, size)
    count = len(quadtree(geometry, splits))
    return PlaneCode(
        geometry,
        splits,
        np.full(geometry.grid(SIZES[0]), root),
        tuple(np.zeros((int(split.sum()), 3), np.int64) for split in splits),
        np.zeros(count, np.int64),
        np.zeros((count, ORDER, ORDER), np.int64),
        *np.zeros((3, count, 1), np.int64),
    )
