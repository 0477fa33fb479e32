"""The patches of precision layers are exact, orthonormal, and average as pixels do."""

from fractions import Fraction

import numpy as np
import pytest

from neural_collage.codec.precision.patches import (
    BLOCK,
    LARGEST_NUMBER,
    LARGEST_STEP,
    PATCH_BITS,
    PATCHES,
    PrecisionCanvas,
    base_magnitudes,
    coefficients,
    colour_steps,
    patches,
    patches_of_ranges,
)
from neural_collage.core.arrays.lapped import PatchBank, Texture
from neural_collage.core.scales import Window

STEP = 1285
CHANNELS = pytest.mark.parametrize("channels", [1, 3])


def canvas(channels: int, rng: np.random.Generator, step: int = STEP) -> PrecisionCanvas:
    numbers = rng.integers(-9, 10, (channels, PATCHES, 4, 6)).astype(np.int16)
    return PrecisionCanvas(numbers, step)


def test_patches_are_whole_and_orthonormal() -> None:
    assert (patches() == np.rint(patches())).all()
    unit = patches() / (1 << PATCH_BITS)
    np.testing.assert_allclose(unit @ unit.T, np.eye(PATCHES), atol=5e-4)


def test_roundings_of_patches_are_clear() -> None:
    """None lies next to a half, so that any cosine gives these numbers."""
    k = np.arange(BLOCK)
    angles = np.pi / BLOCK * np.outer(k, k + 0.5)
    waves = np.cos(angles) * np.sqrt(np.where(k, 2, 1) / BLOCK)[:, None]
    products = np.einsum("uy,vx->uvyx", waves, waves) * (1 << PATCH_BITS)
    assert np.abs(products - np.floor(products) - 0.5).min() > 1e-6


@CHANNELS
def test_coefficients_of_what_a_canvas_shows_are_its_numbers(
    channels: int, rng: np.random.Generator
) -> None:
    shown = canvas(channels, rng)
    pixels = np.broadcast_to(shown.window(1, Window(0, 0, 32, 48)), (3, 32, 48))
    np.testing.assert_allclose(coefficients(pixels, STEP, channels), shown.numbers, atol=0.05)


def test_errors_of_samples_are_the_same_in_all_colours() -> None:
    steps = np.array(colour_steps(STEP, 3))
    np.testing.assert_allclose(steps**2 * np.array([3, 2, 6]), STEP**2, rtol=0.01)
    assert colour_steps(STEP, 1) == (STEP,)
    assert colour_steps(1, 3) == (1, 1, 1)


@CHANNELS
@pytest.mark.parametrize("factor", [2, 4, 8, 16])
def test_smaller_windows_are_averages(factor: int, channels: int, rng: np.random.Generator) -> None:
    shown = canvas(channels, rng)
    full = shown.window(1, Window(0, 0, 32, 48)).astype(np.float64)
    expected = full.reshape(channels, 32 // factor, factor, 48 // factor, factor).mean((2, 4))
    whole = Window(0, 0, 32 // factor, 48 // factor)
    np.testing.assert_allclose(shown.window(factor, whole), expected, atol=1e-7)


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_windows_are_crops(factor: int, rng: np.random.Generator) -> None:
    shown = canvas(3, rng)
    full = shown.window(factor, Window(0, 0, 32 // factor, 48 // factor))
    window = Window(3, 1, 32 // factor - 3, 48 // factor - 2)
    np.testing.assert_array_equal(shown.window(factor, window), full[:, 3:, 1:-1])


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_numbers_are_summed_exactly(sign: int) -> None:
    numbers = np.full((3, PATCHES, 1, 1), sign * LARGEST_NUMBER, np.int16)
    shown = PrecisionCanvas(numbers, LARGEST_STEP).window(1, Window(0, 0, 8, 8))
    exact = [[int(p) for p in patch] for patch in patches().astype(np.int64)]
    sums = [sum(patch[place] for patch in exact) for place in range(PATCHES)]
    grey, red_blue, green = (step * sign * LARGEST_NUMBER for step in colour_steps(LARGEST_STEP, 3))
    for plane, amplitude in zip(
        shown, (grey + red_blue + green, grey - 2 * green, grey - red_blue + green), strict=True
    ):
        expected = [np.float32(Fraction(amplitude * total, 1 << 30)) for total in sums]
        np.testing.assert_array_equal(plane.ravel(), np.array(expected, np.float32))


@CHANNELS
def test_the_canvas_is_a_texture_of_further_patches(
    channels: int, rng: np.random.Generator
) -> None:
    shown = canvas(channels, rng)
    amplitudes, bank = patches_of_ranges(shown, 16)
    window = Window(0, 0, 32, 48)
    pixels = Texture(amplitudes, PatchBank(bank)).window(Fraction(1), window)
    expected = np.broadcast_to(shown.window(1, window), pixels.shape)
    np.testing.assert_allclose(pixels, expected, atol=1e-5)


@CHANNELS
def test_magnitudes_of_the_base_are_limited_whole_numbers(
    channels: int, rng: np.random.Generator
) -> None:
    planes = rng.normal(0, 1e4, (3, 16, 16)).astype(np.float32)
    found = base_magnitudes(planes, 1, channels)
    assert found.shape == (channels, PATCHES, 2, 2)
    assert (found == np.floor(found)).all()
    assert found.min() >= 0
    assert found.max() == 255
    flat = base_magnitudes(np.full((3, 8, 8), 0.25, np.float32), 65535, channels)
    assert flat[0, 0, 0, 0] == {1: 8, 3: 13}[channels]  # 4 * 8 / 4 steps, of 1 / sqrt(3)
    assert not flat.reshape(-1)[1:].any()
