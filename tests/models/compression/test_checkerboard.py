"""The neighbours of each colour add up to those of a convolution."""

import numpy as np
import pytest

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
def test_neighbours_of_both_colours_are_those_of_a_window(
    rows: int, columns: int, rng: np.random.Generator
) -> None:
    values = rng.normal(size=(3, rows * columns))
    framed = np.pad(values.reshape(3, rows, columns), ((0, 0), (1, 1), (1, 1)))
    # (3, 9, rows * columns): the 3 x 3 window around each range
    windows = np.stack(
        [
            framed[:, y : y + rows, x : x + columns].reshape(3, -1)
            for y in range(3)
            for x in range(3)
        ],
        1,
    )
    board = Board(rows, columns)
    parts = board.split(values)
    for here in (BLACK, WHITE):
        expected = windows[..., board.sites[here]]
        for there, taps in ((here, SAME_COLOUR), (1 - here, OTHER_COLOUR)):
            framed_part = np.pad(parts[there].T, ((0, 1), (0, 0)))
            found = board.neighbours(framed_part, there, here)
            wanted = expected[:, list(taps)].transpose(2, 1, 0).reshape(len(found), 3 * len(taps))
            np.testing.assert_array_equal(found, wanted, strict=True)
            some = slice(1, 4)
            np.testing.assert_array_equal(
                board.neighbours(framed_part, there, here, some), wanted[some], strict=True
            )


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_every_range_has_one_colour(rows: int, columns: int) -> None:
    board = Board(rows, columns)
    np.testing.assert_array_equal(board.masks[BLACK], checkerboard(rows, columns))
    together = np.concatenate(board.sites)
    np.testing.assert_array_equal(np.sort(together), np.arange(rows * columns))
    for mask, sites in zip(board.masks, board.sites, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(mask), sites)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (5, 1), (4, 6), (5, 6), (5, 7)])
def test_values_are_placed_where_they_were_split_from(rows: int, columns: int) -> None:
    board = Board(rows, columns)
    values = np.arange(3 * rows * columns).reshape(3, -1)
    found = np.full_like(values, -1)
    for colour, part in enumerate(board.split(values)):
        board.place(part, colour, found)
    np.testing.assert_array_equal(found, values)
