"""Partitions of an image into ranges: tables of square blocks, uniform or from a quadtree.

The blocks tile a canvas, the image padded at the right and bottom to whole blocks (of a quadtree,
whole roots, even if every root is split). They are sorted by size, largest first, and by raster
order within a size, so that all blocks of one size are one slice of every per-range tensor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from neural_collage.core.scales import round_up
from neural_collage.runtime import cached_property


@dataclass(frozen=True)
class Group:
    """The blocks of one size.

    ranges: their slice of the block table. grid_rows, grid_columns: their positions in the grid of
    blocks of this size, i.e. corners divided by `size`.
    """

    size: int
    ranges: slice
    grid_rows: Int64[Tensor, " r"]
    grid_columns: Int64[Tensor, " r"]


@dataclass(frozen=True, eq=False)
class Partition:
    """A tiling of an image of `height` x `width` pixels by square blocks.

    blocks: (r, 3) rows of (y, x, size) in pixels; y and x are multiples of size.

    Raises ValueError if the blocks are unsorted, misaligned, or do not tile the canvas once.
    """

    height: int
    width: int
    blocks: Int64[Tensor, "r 3"]

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"an image has at least 1x1 pixels, not {self.width}x{self.height}")
        if len(self.blocks) == 0 or int(self.blocks[:, 2].min()) < 1:
            raise ValueError("a partition needs blocks of at least one pixel")
        y, x, size = self.blocks.unbind(1)
        if bool((size.diff() > 0).any()):
            raise ValueError("blocks must be sorted, largest first")
        if bool((size[0] % size != 0).any() or (size % size[-1] != 0).any()):
            raise ValueError("block sizes must divide the largest and be multiples of the smallest")
        if bool((y % size != 0).any() or (x % size != 0).any()):
            raise ValueError("the corner of a block must be a multiple of its size")
        height, width = self.canvas_height, self.canvas_width
        if height < self.height or width < self.width or min(int(y.min()), int(x.min())) < 0:
            raise ValueError(
                f"blocks must cover the {self.width}x{self.height} pixels of the image"
            )
        if (
            (height % int(size[0]) or width % int(size[0]))
            or int(size.square().sum()) != height * width
            or bool((self.index_map < 0).any())
        ):
            raise ValueError(f"blocks must tile {width}x{height} pixels exactly once")

    @classmethod
    def uniform(cls, height: int, width: int, size: int) -> "Partition":
        """Equal blocks of `size` x `size`."""
        return cls.quadtree(height, width, (size,), ())

    @classmethod
    def quadtree(
        cls,
        height: int,
        width: int,
        sizes: Sequence[int],
        splits: Sequence[Bool[Tensor, "_ _"]],
    ) -> "Partition":
        """The leaves of a quadtree.

        sizes: block sizes from the root down, each half of the one before.
        splits: for each size but the last, split flags of the full grid of blocks of that size;
            entries below an unsplit block are ignored.

        Raises ValueError if the sizes do not halve or a grid is missing or of another shape.
        """
        if min(sizes, default=0) < 1 or any(a != 2 * b for a, b in pairwise(sizes)):
            raise ValueError(f"block sizes must halve from one depth to the next, not {sizes}")
        if len(splits) != len(sizes) - 1:
            raise ValueError(
                f"{len(sizes)} block sizes need {len(sizes) - 1} grids of splits, not {len(splits)}"
            )
        rows, columns = (round_up(n, sizes[0]) // sizes[0] for n in (height, width))
        active = torch.ones(rows, columns, dtype=torch.bool)
        tables = []
        for depth, size in enumerate(sizes):
            split = splits[depth] if depth < len(splits) else torch.zeros_like(active)
            if split.shape != active.shape:
                raise ValueError(f"splits of {size}-pixel blocks must be {tuple(active.shape)}")
            split = split & active
            corners = (active & ~split).nonzero() * size
            tables.append(torch.cat([corners, torch.full_like(corners[:, :1], size)], 1))
            active = split.repeat_interleave(2, 0).repeat_interleave(2, 1)
        return cls(height, width, torch.cat(tables))

    def __len__(self) -> int:
        return len(self.blocks)

    @cached_property
    def canvas_height(self) -> int:
        """Height of the tiled area in pixels."""
        return int((self.blocks[:, 0] + self.blocks[:, 2]).max())

    @cached_property
    def canvas_width(self) -> int:
        """Width of the tiled area in pixels."""
        return int((self.blocks[:, 1] + self.blocks[:, 2]).max())

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The blocks grouped by size, largest first."""
        sizes, counts = torch.unique_consecutive(self.blocks[:, 2], return_counts=True)
        groups, start = [], 0
        for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
            ranges = slice(start, start + count)
            corner = self.blocks[ranges, :2] // size
            groups.append(Group(size, ranges, corner[:, 0], corner[:, 1]))
            start += count
        return tuple(groups)

    @cached_property
    def index_map(self) -> Int64[Tensor, "rows columns"]:
        """Index of the block that covers each cell of the smallest block size (-1: none)."""
        cell = int(self.blocks[-1, 2])
        covered = self.blocks.new_full((self.canvas_height // cell, self.canvas_width // cell), -1)
        for group in self.groups:
            n = group.size // cell
            grid = covered.view(covered.shape[0] // n, n, covered.shape[1] // n, n)
            ids = torch.arange(group.ranges.start, group.ranges.stop, device=covered.device)
            grid[group.grid_rows, :, group.grid_columns] = ids[:, None, None]
        return covered

    def to(self, device: torch.device | str) -> "Partition":
        """The same partition with its tables on another device."""
        if self.blocks.device == torch.device(device):
            return self
        return Partition(self.height, self.width, self.blocks.to(device))
