import pytest
import torch
from torch import Tensor

from neural_collage.core.partition import Partition
from tests.core.collages import random_partition


def coverage(partition: Partition) -> Tensor:
    """Number of blocks that cover each pixel of the canvas."""
    count = torch.zeros(partition.canvas_height, partition.canvas_width, dtype=torch.int64)
    for y, x, size in partition.blocks.tolist():
        count[y : y + size, x : x + size] += 1
    return count


SHAPES = [
    (1, 1, (4,)),
    (1, 23, (8, 4)),
    (33, 17, (16, 8, 4)),
    (64, 64, (32, 16, 8, 4)),
    (5, 7, (3,)),
]


@pytest.mark.parametrize(("height", "width", "sizes"), SHAPES)
def test_a_partition_tiles_its_canvas_once(height: int, width: int, sizes: tuple[int, ...]) -> None:
    partition = random_partition(height, width, sizes, torch.Generator().manual_seed(1))
    assert coverage(partition).unique().tolist() == [1]
    assert 0 <= partition.canvas_height - height < sizes[0]
    assert 0 <= partition.canvas_width - width < sizes[0]


@pytest.mark.parametrize(("height", "width", "sizes"), SHAPES)
def test_groups_hold_the_blocks_of_each_size_in_raster_order(
    height: int, width: int, sizes: tuple[int, ...]
) -> None:
    partition = random_partition(height, width, sizes, torch.Generator().manual_seed(1))
    rebuilt = [
        torch.stack(
            [
                group.grid_rows * group.size,
                group.grid_columns * group.size,
                torch.full_like(group.grid_rows, group.size),
            ],
            1,
        )
        for group in partition.groups
    ]
    assert torch.equal(torch.cat(rebuilt), partition.blocks)
    assert [group.size for group in partition.groups] == sorted(
        {int(size) for size in partition.blocks[:, 2]}, reverse=True
    )
    for group, table in zip(partition.groups, rebuilt, strict=True):
        assert torch.equal(partition.blocks[group.ranges], table)
        raster = group.grid_rows * partition.canvas_width + group.grid_columns
        assert bool((raster.diff() > 0).all())


@pytest.mark.parametrize(("height", "width", "sizes"), SHAPES)
def test_the_index_map_gives_the_block_of_every_cell(
    height: int, width: int, sizes: tuple[int, ...]
) -> None:
    partition = random_partition(height, width, sizes, torch.Generator().manual_seed(1))
    cell = int(partition.blocks[-1, 2])
    rows, columns = partition.index_map.shape
    assert (rows * cell, columns * cell) == (partition.canvas_height, partition.canvas_width)
    for row in range(rows):
        for column in range(columns):
            y, x, size = partition.blocks[partition.index_map[row, column]].tolist()
            assert y <= row * cell < y + size
            assert x <= column * cell < x + size


def test_a_uniform_partition_is_a_grid() -> None:
    partition = Partition.uniform(5, 9, 4)
    assert (len(partition), partition.canvas_height, partition.canvas_width) == (6, 8, 12)
    assert partition.blocks[4].tolist() == [4, 4, 4]


def test_splits_below_an_unsplit_block_are_ignored() -> None:
    root = torch.tensor([[True, False]])
    below = torch.zeros(2, 4, dtype=torch.bool)
    plain = Partition.quadtree(8, 16, (8, 4, 2), [root, below])
    below[:, 2:] = True
    assert torch.equal(Partition.quadtree(8, 16, (8, 4, 2), [root, below]).blocks, plain.blocks)


@pytest.mark.parametrize(
    ("height", "width", "blocks", "message"),
    [
        (0, 4, [[0, 0, 4]], "at least 1x1 pixels, not 4x0"),
        (4, 4, [], "at least one pixel"),
        (4, 4, [[0, 0, 0]], "at least one pixel"),
        (4, 4, [[0, 0, -4]], "at least one pixel"),
        (4, 8, [[0, 0, 4]], "cover the 8x4 pixels"),
        (4, 8, [[0, 0, 4], [0, 0, 4]], "cover the 8x4 pixels"),
        (4, 8, [[0, 0, 4], [0, 4, 4], [0, -4, 4]], "cover the 8x4 pixels"),
        (4, 8, [[0, 0, 4], [0, 8, 4]], "tile 12x4 pixels exactly once"),
        (4, 8, [[0, 4, 4], [0, 4, 4]], "tile 8x4 pixels exactly once"),
        (4, 8, [[0, 0, 4], [0, 4, 4], [0, 4, 4]], "tile 8x4 pixels exactly once"),
        (4, 9, [[0, 0, 4], [0, 4, 4], [0, 8, 2], [2, 8, 2]], "tile 10x4 pixels exactly once"),
        (4, 8, [[0, 0, 4], [0, 2, 4]], "multiple of its size"),
        (4, 8, [[0, 4, 2], [0, 6, 2], [2, 4, 2], [2, 6, 2], [0, 0, 4]], "largest first"),
        (3, 3, [[0, 0, 3], [0, 0, 2]], "divide the largest"),
        (12, 12, [[0, 0, 12], [0, 0, 8], [0, 0, 4]], "divide the largest"),
    ],
)
def test_an_invalid_table_is_refused(
    height: int, width: int, blocks: list[list[int]], message: str
) -> None:
    table = torch.tensor(blocks, dtype=torch.int64).view(-1, 3)
    with pytest.raises(ValueError, match=message):
        Partition(height, width, table)


def test_a_valid_table_is_accepted() -> None:
    table = [[0, 0, 4], [0, 4, 2], [0, 6, 2], [2, 4, 2], [2, 6, 2]]
    partition = Partition(3, 7, torch.tensor(table))
    assert coverage(partition).unique().tolist() == [1]


@pytest.mark.parametrize("sizes", [(), (0,), (8, 2), (8, 8), (5, 2)])
def test_sizes_that_do_not_halve_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must halve"):
        Partition.quadtree(8, 8, sizes, [torch.ones(1, 1, dtype=torch.bool)] * (len(sizes) - 1))


def test_splits_must_fit_their_grids() -> None:
    with pytest.raises(ValueError, match="2 block sizes need 1 grids of splits, not 0"):
        Partition.quadtree(8, 8, (8, 4), [])
    with pytest.raises(ValueError, match=r"8-pixel blocks must be \(1, 2\)"):
        Partition.quadtree(8, 16, (8, 4), [torch.ones(2, 1, dtype=torch.bool)])


def test_moving_to_the_same_device_copies_nothing() -> None:
    partition = Partition.uniform(8, 8, 4)
    assert partition.to("cpu") is partition
