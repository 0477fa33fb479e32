"""Copies of ranges: what makes them valid, and where chains of them end, in any strips."""

import numpy as np
import pytest

from neural_collage.codec.graphics import copying
from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    SHIFT,
    check_copies,
    copied_from,
    linked_to,
    spread,
)
from neural_collage.core.copies import IntArray, roots
from tests.codec.graphics.layers import any_copy, random_layer, source_of

SIZES = [(1, 1), (1, 40), (40, 1), (33, 41), (64, 48)]


def sources_of(modes: IntArray, copies: IntArray, block: int, height: int, width: int) -> IntArray:
    """What each pixel repeats, pixel by pixel; -1 if that lies outside."""
    result = np.arange(height * width).reshape(height, width)
    for (y, x), mode in np.ndenumerate(spread(modes, block, height, width)):
        if mode >= FIRST_COPY:
            row, column = source_of(tuple(copies[mode - FIRST_COPY].tolist()), y, x)
            inside = 0 <= row < height and 0 <= column < width
            result[y, x] = row * width + column if inside else -1
    return result


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_copies_are_valid_if_every_pixel_repeats_an_earlier_one(
    size: tuple[int, int], rng: np.random.Generator
) -> None:
    height, width = size
    valid = 0
    for _ in range(60):
        block = int(rng.choice([4, 8, 16]))
        modes = np.full((-(-height // block), -(-width // block)), BASE)
        modes[rng.integers(modes.shape[0]), rng.integers(modes.shape[1])] = FIRST_COPY
        copies = np.array([any_copy(height, width, rng)])
        sources = sources_of(modes, copies, block, height, width)
        copied = spread(modes, block, height, width) == FIRST_COPY
        own = np.arange(height * width).reshape(height, width)
        is_valid = bool(((sources >= 0) & (sources < own))[copied].all())
        if is_valid:
            check_copies(modes, copies, block, height, width)
            valid += 1
        else:
            with pytest.raises(ValueError, match="repeats"):
                check_copies(modes, copies, block, height, width)
    assert valid or min(size) == 1


@pytest.mark.parametrize("pixels", [1, 300, 1 << 18])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_chains_end_where_they_do_pixel_by_pixel(
    size: tuple[int, int], pixels: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_PIXELS_AT_ONCE", pixels)
    for block in (4, 16):
        layer = random_layer(*size, 3, block, rng, owned=0.95)
        how = layer.modes, layer.copies, block, *size
        expected = sources_of(*how)
        np.testing.assert_array_equal(linked_to(*how), expected)
        ends = roots(expected.ravel()).reshape(size)
        np.testing.assert_array_equal(copied_from(*how), ends)


@pytest.mark.parametrize("pixels", [1, 1 << 18])
def test_long_runs_end_at_their_first_pixel(pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_PIXELS_AT_ONCE", pixels)
    modes = np.full((30, 40), FIRST_COPY)
    modes[:, 0], modes[0, 0] = FIRST_COPY + 1, BASE
    copies = np.array([(SHIFT, 0, -1), (SHIFT, -1, 0)])
    check_copies(modes, copies, 4, 118, 159)
    ends = copied_from(modes, copies, 4, 118, 159)
    expected = np.full((118, 159), 3 * 159 + 3)
    expected[:4] = np.arange(4)[:, None] * 159 + 3
    expected[:, :4] = 3 * 159 + np.arange(4)
    expected[:4, :4] = np.arange(4)[:, None] * 159 + np.arange(4)
    np.testing.assert_array_equal(ends, expected)


def test_positions_have_four_bytes_where_these_hold_them() -> None:
    modes, none = np.full((1, 1), BASE), np.zeros((0, 3), np.int64)
    assert linked_to(modes, none, 64, 3, 5).dtype == np.int32
    assert copying._position_type(1 << 16, 1 << 13) == np.int64
