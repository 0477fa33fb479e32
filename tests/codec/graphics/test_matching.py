import numpy as np
import pytest

from neural_collage.codec.graphics.copying import (
    FIRST_COPY,
    MIRRORED_COLUMNS,
    MIRRORED_ROWS,
    PAINTED,
    SHIFT,
    check_copies,
    linked_to,
)
from neural_collage.codec.graphics.matching import find_covers, window_hashes
from neural_collage.core.copies import BoolArray, FloatArray, IntArray

BLOCK = 8


def found(
    colours: IntArray, is_open: BoolArray | None = None, bits: float | FloatArray = 200.0
) -> tuple[IntArray, IntArray]:
    """The copies that save most of a picture.

    After checks that each of all covers repeats earlier pixels of equal colours.
    """
    height, width = colours.shape
    ranges = -(-height // BLOCK), -(-width // BLOCK)
    is_open = np.ones(ranges, bool) if is_open is None else is_open
    saved = np.broadcast_to(np.asarray(bits, np.float64), ranges).copy()
    covers, compared = find_covers(colours, BLOCK, is_open, saved)
    assert compared.shape[1:] == (3,)
    for numbers in covers:
        assert numbers.shape == ranges
        assert (numbers[~is_open] < 0).all()
        modes = np.where(numbers >= 0, FIRST_COPY + numbers, PAINTED)
        check_copies(modes, compared, BLOCK, height, width)
        sources = linked_to(modes, compared, BLOCK, height, width)
        np.testing.assert_array_equal(colours.ravel()[sources], colours)
    flat, elsewhere, everywhere = covers
    assert set(map(tuple, compared[flat[flat >= 0]].tolist())) <= {(SHIFT, 0, -1), (SHIFT, -1, 0)}
    np.testing.assert_array_equal(elsewhere[flat >= 0], flat[flat >= 0])
    used, numbers = np.unique(everywhere[everywhere >= 0], return_inverse=True)
    everywhere[everywhere >= 0] = numbers
    return everywhere, compared[used]


def noise(rng: np.random.Generator, height: int = 64, width: int = 80) -> IntArray:
    return rng.integers(0, 1000, (height, width))


def test_noise_has_no_copies(rng: np.random.Generator) -> None:
    numbers, copies = found(noise(rng))
    assert (numbers < 0).all()
    assert not len(copies)


def test_one_colour_repeats_its_neighbours(rng: np.random.Generator) -> None:
    for size in ((64, 80), (61, 83), (9, 8), (8, 9)):
        numbers, copies = found(np.full(size, 7))
        assert numbers.ravel()[0] == -1
        assert (numbers.ravel()[1:] >= 0).all()
        assert set(map(tuple, copies.tolist())) <= {(SHIFT, 0, -1), (SHIFT, -1, 0)}


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (5, 7), (7, 100), (33, 41)], ids=str)
@pytest.mark.parametrize("n_colours", [1, 2, 50])
def test_pictures_of_any_size_are_searched(
    size: tuple[int, int], n_colours: int, rng: np.random.Generator
) -> None:
    found(rng.integers(0, n_colours, size))
    found(np.arange(size[0])[:, None] % n_colours + np.arange(size[1]) % 3)


@pytest.mark.parametrize("shift", [(-24, 0), (0, -16), (-17, -13), (-9, 21), (-40, 40)], ids=str)
def test_a_shifted_part_is_found(shift: tuple[int, int], rng: np.random.Generator) -> None:
    colours = noise(rng)
    up, across = shift
    place = slice(48, 64), slice(24, 40)
    source = slice(48 + up, 64 + up), slice(24 + across, 40 + across)
    colours[place] = colours[source]
    numbers, copies = found(colours)
    assert copies.tolist() == [[SHIFT, up, across]]
    assert (np.argwhere(numbers >= 0) == [[6, 3], [6, 4], [7, 3], [7, 4]]).all()


def test_a_period_is_found(rng: np.random.Generator) -> None:
    colours = np.tile(noise(rng, 11, 13), (8, 8))
    numbers, copies = found(colours)
    assert (numbers >= 0).mean() > 0.9
    assert len(copies) <= 4


@pytest.mark.parametrize("kind", [MIRRORED_ROWS, MIRRORED_COLUMNS])
@pytest.mark.parametrize("line", [64, 63, 75])
def test_a_reflection_is_found(kind: int, line: int, rng: np.random.Generator) -> None:
    """Row y repeats row line - y, or the same of columns."""
    colours = noise(rng, 64, 72)
    for y in range(line // 2 + 1, 64):
        colours[y] = colours[line - y]
    if kind == MIRRORED_COLUMNS:
        colours = np.ascontiguousarray(colours.T)
    numbers, copies = found(colours)
    assert copies.tolist() == [[kind, line, 0]]
    first = -(-(line // 2 + 1) // BLOCK)
    by_row = numbers if kind == MIRRORED_ROWS else numbers.T
    assert (by_row[first:] == 0).all()
    assert (by_row[:first] < 0).all()


def test_only_open_ranges_become_copies(rng: np.random.Generator) -> None:
    colours = np.tile(noise(rng, 16, 16), (4, 5))
    is_open = rng.random((8, 10)) < 0.5
    numbers, _ = found(colours, is_open)
    assert 0 < (numbers >= 0).sum() < is_open.sum()
    numbers, copies = found(colours, np.zeros((8, 10), bool))
    assert (numbers < 0).all()
    assert not len(copies)


def test_a_copy_has_to_save_more_than_it_costs(rng: np.random.Generator) -> None:
    colours = noise(rng)
    colours[48:56, 24:32] = colours[8:16, 40:48]  # a single range
    assert len(found(colours, bits=1000.0)[1]) == 1
    assert not len(found(colours, bits=10.0)[1])


def test_copies_that_save_most_come_first(rng: np.random.Generator) -> None:
    """A range that two copies fit takes the one that many take."""
    tile = noise(rng, 16, 16)
    colours = noise(rng, 96, 96)
    for row in range(0, 96, 32):
        colours[row : row + 16, 0:16] = colours[row : row + 16, 48:64] = tile
    numbers, copies = found(colours)
    assert len(copies) < (numbers >= 0).sum() / 4


@pytest.mark.parametrize("side", [1, 2, 4, 8, 16])
def test_hashes_are_equal_where_windows_are(side: int, rng: np.random.Generator) -> None:
    colours = rng.integers(0, 2, (40, 45))
    colours[20:38, 3:25] = colours[1:19, 17:39]
    hashes = window_hashes(colours, side)
    assert hashes.shape == (41 - side, 46 - side)
    windows = np.lib.stride_tricks.sliding_window_view(colours, (side, side))
    _, of_windows = np.unique(windows.reshape(-1, side * side), axis=0, return_inverse=True)
    _, of_hashes = np.unique(hashes.ravel(), return_inverse=True)
    pairs = np.unique(np.stack([of_windows.ravel(), of_hashes.ravel()], 1), axis=0)
    assert len(pairs) == of_windows.max() + 1 == of_hashes.max() + 1
