"""The contexts of the fractal syntax: integers computed from symbols coded before."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neural_collage.fractal.geometry import (
    MAX_CONTRAST,
    ORDER,
    SIZES,
    WIDEST,
    BoolArray,
    IntArray,
    PlaneGeometry,
)
from neural_collage.fractal.symbols import ESCAPE

N_OWN, N_NEAR, N_BAND = 7, 5, 4
N_ROUGH = 4
OWN_EDGES = (1, 2, 3, 5, 8, 14)
CELL_UNIT = (SIZES[0] // SIZES[-1]) ** 2  # cells of a root, a multiple of those of any leaf
NEAR_EDGES = tuple(edge * CELL_UNIT**2 // 20 for edge in (9, 36, 90, 216))

# Contexts and alphabet of every adaptive table. Where the size of the block is part of the
# context, it is the most significant part, in the order of SIZES.
TABLES: dict[str, tuple[int, int]] = {
    "root": (1, 20),
    "split": (3 * 5 * N_ROUGH, 2),
    "detail": (3 * 2 * N_ROUGH, ESCAPE + 1),
    "last": (4 * 6 * N_ROUGH, 2 * ORDER - 1),
    "links": (4 * 5, 4),  # of the number of domains; named as in priors.npz
    "contrast": (4, 2 * MAX_CONTRAST),
    "excess": (4, WIDEST - MAX_CONTRAST + 1),  # of contrasts whose index is the largest or wide
    "isometry": (1, 8),
    "magnitude": (4 * N_OWN * N_NEAR * 2 * N_BAND, ESCAPE + 1),
    "escape": (1, 24),
}


class Tree(NamedTuple):
    """The quadtree: split flags, details of the split blocks, leaves and roughness of each size.

    roughness: `rough_class` of the parent's details, on the full grid of each size.
    """

    splits: list[BoolArray]
    details: list[IntArray]
    leaves: list[BoolArray]
    roughness: list[IntArray]


@dataclass(frozen=True, eq=False)
class Leaves:
    """The leaves of a quadtree in partition order, and the grid of 4-pixel cells they cover.

    depth: index of the size in SIZES. top, left: corner in cells. rough: `rough_class` of the
    parent's details. leaf_map: index of the leaf that covers each cell.
    """

    geometry: PlaneGeometry
    depth: IntArray
    top: IntArray
    left: IntArray
    rough: IntArray
    leaf_map: IntArray

    @classmethod
    def of(cls, geometry: PlaneGeometry, tree: Tree) -> "Leaves":
        """The leaves of a tree."""
        parts = []
        for depth, (leaf, rough) in enumerate(zip(tree.leaves, tree.roughness, strict=True)):
            y, x = np.nonzero(leaf)
            span = SIZES[depth] // SIZES[-1]
            parts.append(np.stack([np.full(len(y), depth), y * span, x * span, rough[leaf]]))
        depth, top, left, rough = np.concatenate(parts, axis=1).astype(np.int64)
        leaf_map = np.zeros(geometry.grid(SIZES[-1]), np.int64)
        start = 0
        for index, leaf in enumerate(tree.leaves):
            span, count = SIZES[index] // SIZES[-1], int(leaf.sum())
            grid = leaf_map.reshape(leaf.shape[0], span, leaf.shape[1], span)
            y, x = np.nonzero(leaf)
            grid[y, :, x] = np.arange(start, start + count)[:, None, None]
            start += count
        return cls(geometry, depth, top, left, rough, leaf_map)

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def span(self) -> IntArray:
        """Cells along a side of each leaf."""
        return np.array(SIZES)[self.depth] // SIZES[-1]

    def corners(self, leaves: IntArray) -> tuple[IntArray, IntArray]:
        """Pixel rows and columns of the corners of some leaves."""
        return self.top[leaves] * SIZES[-1], self.left[leaves] * SIZES[-1]

    def means(self, cells: IntArray) -> IntArray:
        """CELL_UNIT times the mean over the cells of each leaf, exact."""
        integral = np.pad(cells.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        bottom, right = self.top + self.span, self.left + self.span
        total = (
            integral[bottom, right]
            - integral[self.top, right]
            - integral[bottom, self.left]
            + integral[self.top, self.left]
        )
        scaled: IntArray = total * (CELL_UNIT // self.span**2)
        return scaled


def rough_class(total: IntArray) -> IntArray:
    """The class (0..3) of the summed magnitudes of three details."""
    classes: IntArray = np.searchsorted([1, 2, 4], total, side="right").astype(np.int64)
    return classes


def split_context(depth: int, nearby: IntArray, rough: IntArray) -> IntArray:
    """Contexts of split flags: number of split neighbours of the parent (0..4), roughness."""
    return (depth * 5 + nearby) * N_ROUGH + rough


def detail_context(depth: int, rough: IntArray) -> IntArray:
    """Contexts (..., 3) of details, shared by horizontal and vertical ones."""
    return (depth * 2 + np.array([0, 0, 1])) * N_ROUGH + rough[..., None]


def last_context(depth: int, near: IntArray, rough: IntArray) -> IntArray:
    """Contexts of last diagonals: the largest nearby (plus one, 0 if not yet coded), roughness."""
    return (depth * 6 + np.minimum((near + 2) // 3, 5)) * N_ROUGH + rough


def n_domains_context(depth: IntArray, last: IntArray) -> IntArray:
    """Contexts of the number of domains: size and last diagonal."""
    return depth * 5 + np.minimum(last, 4)


def split_neighbours(split: BoolArray) -> IntArray:
    """The number (0..4) of split neighbours of each block."""
    padded = np.pad(split.astype(np.int64), 1, mode="edge")
    return padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]


def median_edge(grid: IntArray, y: IntArray, x: IntArray) -> IntArray:
    """The median of left, above and left + above - corner (Weinberger et al. 2000, LOCO-I)."""
    left, up, corner = grid[y, x - 1], grid[y - 1, x], grid[y - 1, x - 1]
    left = np.where(x == 0, up, left)
    up = np.where(y == 0, left, up)
    corner = np.where((x == 0) | (y == 0), np.minimum(left, up), corner)
    predicted = np.clip(left + up - corner, np.minimum(left, up), np.maximum(left, up))
    return np.where((x == 0) & (y == 0), 0, predicted)


def coefficient_context(
    depth: IntArray, own: IntArray, near: IntArray, final: BoolArray, diagonal: int
) -> IntArray:
    """Contexts (n, coefficients) of one diagonal of n leaves.

    own: weighted magnitudes next to each coefficient in its block. near: CELL_UNIT ** 2 times the
    mean over the leaf of the magnitudes of earlier diagonals, summed over 3 x 3 cells.
    """
    own_class: IntArray = np.searchsorted(OWN_EDGES, own, side="right").astype(np.int64)
    near_class: IntArray = np.searchsorted(NEAR_EDGES, near, side="right").astype(np.int64)
    band = band_of(np.array([diagonal]))
    block = (depth[:, None] * N_OWN + own_class) * N_NEAR + near_class[:, None]
    contexts: IntArray = (block * 2 + final[:, None]) * N_BAND + band
    return contexts


def band_of(diagonal: IntArray) -> IntArray:
    """The frequency band of diagonals u + v >= 1: two per band, the last band takes the rest."""
    return np.minimum((diagonal - 1) // 2, N_BAND - 1)


def box_sum(grid: IntArray) -> IntArray:
    """Sums over 3 x 3 cells."""
    padded = np.pad(grid, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    sums: IntArray = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return sums


def box_maximum(grid: IntArray) -> IntArray:
    """Largest values over 3 x 3 cells."""
    padded = np.pad(grid, 1, mode="edge")
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
