import pytest
import torch

from neural_collage.core import blocks
from neural_collage.core.scales import round_up


@pytest.mark.parametrize(
    ("length", "multiple", "expected"), [(1, 1, 1), (1, 8, 8), (8, 8, 8), (9, 8, 16)]
)
def test_rounding_up_to_a_multiple(length: int, multiple: int, expected: int) -> None:
    assert round_up(length, multiple) == expected


@pytest.mark.parametrize(("lead", "rows", "columns", "size"), [((), 3, 2, 4), ((2, 3), 1, 5, 3)])
def test_stitching_undoes_cutting(
    lead: tuple[int, ...], rows: int, columns: int, size: int
) -> None:
    image = torch.rand(*lead, rows * size, columns * size)
    cut = blocks.cut(image, size)
    assert cut.shape == (*lead, rows * columns, size, size)
    assert torch.equal(blocks.stitch(cut, rows * size, columns * size), image)


def test_blocks_are_in_raster_order() -> None:
    image = torch.rand(4, 6)
    cut = blocks.cut(image, 2)
    assert torch.equal(cut[1], image[:2, 2:4])
    assert torch.equal(cut[3], image[2:, :2])


@pytest.mark.parametrize(("height", "width"), [(8, 9), (9, 8)])
def test_an_image_that_does_not_tile_is_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"{height}x{width} does not tile into 4x4"):
        blocks.cut(torch.rand(height, width), 4)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 8), (8, 1), (16, 16)])
def test_padding_repeats_the_edge_up_to_a_multiple(height: int, width: int) -> None:
    image = torch.rand(2, height, width)
    padded = blocks.pad_to_multiple(image, 8)
    rows = torch.arange(round_up(height, 8)).clamp_max(height - 1)
    columns = torch.arange(round_up(width, 8)).clamp_max(width - 1)
    assert torch.equal(padded, image[:, rows][:, :, columns])


@pytest.mark.parametrize("step", [1, 2, 3])
def test_overlapping_blocks_are_complete_and_in_raster_order(step: int) -> None:
    image = torch.rand(9, 7)
    expected = [image[y : y + 4, x : x + 4] for y in range(0, 6, step) for x in range(0, 4, step)]
    assert torch.equal(blocks.cut_overlapping(image, 4, step), torch.stack(expected))


@pytest.mark.parametrize("factor", [1, 2, 3, 16])
def test_pooling_is_the_mean_of_each_block(factor: int) -> None:
    image = torch.rand(2, 3 * factor, 2 * factor, dtype=torch.float64)
    expected = blocks.cut(image, factor).mean((-1, -2)).view(2, 3, 2)
    torch.testing.assert_close(blocks.pool(image, factor), expected)


def test_pooling_drops_rows_and_columns_that_do_not_fill_a_cell() -> None:
    image = torch.rand(1, 7, 5)
    assert torch.equal(blocks.pool(image, 2), blocks.pool(image[:, :6, :4], 2))
    assert blocks.pool(image, 6).shape == (1, 1, 0)
