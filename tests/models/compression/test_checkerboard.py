"""The neighbours of each colour add up to those of a convolution."""

import pytest
import torch
from torch.nn import functional

from neural_collage.models.compression.checkerboard import (
    BLACK,
    OTHER_COLOUR,
    SAME_COLOUR,
    WHITE,
    Board,
    checkerboard,
)

SIZES = [(1, 1), (1, 4), (3, 1), (2, 2), (5, 4), (4, 7)]


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_neighbours_of_both_colours_are_those_of_a_window(rows: int, columns: int) -> None:
    values = torch.randn(3, rows * columns, dtype=torch.float64)
    windows = functional.unfold(values.view(1, 3, rows, columns), 3, padding=1)[0]
    board = Board(rows, columns)
    parts = board.split(values)
    for here in (BLACK, WHITE):
        expected = windows.unflatten(0, (3, 9))[..., board.sites[here]]
        for there, taps in ((here, SAME_COLOUR), (1 - here, OTHER_COLOUR)):
            found = board.neighbours(parts[there], there, here).unflatten(0, (3, len(taps)))
            assert torch.equal(found, expected[:, list(taps)])


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_every_range_has_one_colour(rows: int, columns: int) -> None:
    board = Board(rows, columns)
    assert torch.equal(board.masks[BLACK], checkerboard(rows, columns))
    together = torch.cat(board.sites)
    assert torch.equal(together.sort().values, torch.arange(rows * columns))
    for mask, sites in zip(board.masks, board.sites, strict=True):
        assert torch.equal(mask.flatten().nonzero()[:, 0], sites)
