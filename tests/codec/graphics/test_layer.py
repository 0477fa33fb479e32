from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    MIRRORED_COLUMNS,
    MIRRORED_ROWS,
    PAINTED,
    SHIFT,
    check_copies,
    spread,
)
from neural_collage.codec.graphics.layer import BLOCKS, GraphicsLayer
from tests.codec.graphics.layers import random_layer, source_of

PixelArray = npt.NDArray[Any]


def composed_by_pixel(layer: GraphicsLayer, base: PixelArray) -> PixelArray:
    """The picture, pixel by pixel in raster order."""
    result = base.copy()
    white = 255 if base.dtype == np.uint8 else 1
    for y in range(layer.height):
        for x in range(layer.width):
            mode = layer.modes[y // layer.block, x // layer.block]
            if mode == PAINTED:
                colour = layer.palette[layer.indices[y, x]].astype(float) * (white / 255)
                result[:, y, x] = colour
            elif mode >= FIRST_COPY:
                copy = tuple(layer.copies[mode - FIRST_COPY].tolist())
                result[:, y, x] = result[(slice(None), *source_of(copy, y, x))]
    return result


def random_bytes(layer: GraphicsLayer, rng: np.random.Generator) -> PixelArray:
    size = (layer.palette.shape[1], layer.height, layer.width)
    return rng.integers(0, 256, size, dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (33, 41), (64, 64)], ids=str)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_picture_is_composed_pixel_by_pixel(
    block: int, size: tuple[int, int], rng: np.random.Generator
) -> None:
    for channels in (1, 4):
        layer = random_layer(*size, channels, block, rng, owned=0.8)
        base = random_bytes(layer, rng)
        before = base.copy()
        np.testing.assert_array_equal(layer.compose(base), composed_by_pixel(layer, base))
        np.testing.assert_array_equal(base, before)


def test_a_picture_of_floats_is_composed_alike(rng: np.random.Generator) -> None:
    layer = random_layer(33, 41, 3, 8, rng)
    base = random_bytes(layer, rng)
    floats = (base / np.float64(255)).astype(np.float32)
    composed = layer.compose(floats)
    assert composed.dtype == np.float32
    np.testing.assert_array_equal(composed, composed_by_pixel(layer, floats))
    np.testing.assert_array_equal((composed * 255).round(), layer.compose(base))


def repeated(kind: int, a: int, b: int, mode: tuple[int, int]) -> PixelArray:
    """16 x 24 numbered pixels, of which a range of 8 x 8 is a copy."""
    modes = np.full((2, 3), BASE)
    modes[mode] = FIRST_COPY
    layer = replace(
        GraphicsLayer.empty(16, 24, 1), block=8, modes=modes, copies=np.array([[kind, a, b]])
    )
    composed = layer.compose(np.arange(16 * 24, dtype=np.float64).reshape(1, 16, 24))
    picture: PixelArray = composed[0]
    return picture


def test_copies_are_shifts_and_reflections() -> None:
    numbers = np.arange(16 * 24).reshape(16, 24)
    shifted = repeated(SHIFT, -8, -3, (1, 1))
    np.testing.assert_array_equal(shifted[8:, 8:16], numbers[:8, 5:13])
    upside_down = repeated(MIRRORED_ROWS, 15, 0, (1, 2))
    np.testing.assert_array_equal(upside_down[8:, 16:], numbers[7::-1, 16:])
    mirrored = repeated(MIRRORED_COLUMNS, 31, 0, (0, 2))
    np.testing.assert_array_equal(mirrored[:8, 16:], numbers[:8, 15:7:-1])


def test_a_range_may_overlap_its_source() -> None:
    """The column to the left of it, and so on: a constant row."""
    constant = repeated(SHIFT, 0, -1, (1, 1))
    np.testing.assert_array_equal(constant[8:, 8:16], constant[8:, 7:8].repeat(8, 1))
    tiled = repeated(SHIFT, -3, 0, (1, 1))
    np.testing.assert_array_equal(tiled[8:, 8:16], tiled[5:13, 8:16])


def test_final_sources_are_no_copies(rng: np.random.Generator) -> None:
    layer = random_layer(64, 48, 3, 4, rng, owned=0.9)
    modes = layer.pixel_modes
    assert (modes.ravel()[layer.sources] < FIRST_COPY).all()
    kept = modes < FIRST_COPY
    np.testing.assert_array_equal(layer.sources[kept], np.flatnonzero(kept))
    assert (layer.sources.ravel() <= np.arange(64 * 48)).all()


def test_an_empty_layer_changes_nothing(rng: np.random.Generator) -> None:
    for size in ((1, 1), (70, 130)):
        layer = GraphicsLayer.empty(*size, 3)
        base = random_bytes(layer, rng)
        np.testing.assert_array_equal(layer.compose(base), base)
        assert layer.owned_share() == 0


def test_the_owned_share_counts_pixels() -> None:
    layer = replace(
        GraphicsLayer.empty(10, 12, 1), block=8, modes=np.array([[BASE, PAINTED], [BASE, BASE]])
    )
    assert layer.owned_share() == 8 * 4 / 120


def test_ranges_are_cut_off_at_the_edges() -> None:
    values = spread(np.arange(6).reshape(2, 3), 4, 5, 10)
    assert values.shape == (5, 10)
    np.testing.assert_array_equal(values[4], [3] * 4 + [4] * 4 + [5] * 2)
    np.testing.assert_array_equal(values[:4], [[0] * 4 + [1] * 4 + [2] * 2] * 4)


@pytest.mark.parametrize(
    ("copy", "reason"),
    [
        ((SHIFT, -1, 0), "outside"),
        ((SHIFT, 0, -9), "outside"),
        ((MIRRORED_COLUMNS, 7, 0), "outside"),
        ((SHIFT, 0, 0), "repeats itself"),
        ((SHIFT, 0, 1), "comes after"),
        ((SHIFT, 8, 0), "comes after"),
        ((MIRRORED_COLUMNS, 20, 0), "comes after"),
    ],
)
def test_copies_of_what_is_not_before_are_refused(copy: tuple[int, int, int], reason: str) -> None:
    """Of the range of 4 x 4 pixels at the top, in columns 8 to 11."""
    modes = np.full((4, 6), BASE)
    modes[0, 2] = FIRST_COPY
    with pytest.raises(ValueError, match=reason):
        check_copies(modes, np.array([copy]), 4, 16, 24)
