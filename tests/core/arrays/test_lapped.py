"""Sums of overlapping patches: exactly those of whole numbers, in any window at any scale."""

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.core.arrays import lapped
from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.interpolation import REACH, enlarge
from neural_collage.core.arrays.lapped import PatchBank, Texture, _by_precision
from neural_collage.core.scales import Window
from tests.threads import threads

SIZE = 16
SCALES = [
    Fraction(1, 16),
    Fraction(1, 8),
    Fraction(1, 4),
    Fraction(1, 2),
    *map(Fraction, (1, 2, 4)),
]
UNIT = 2.0**-26
Array = npt.NDArray[Any]


def direct_sums(texture: Texture, factor: int) -> Array:
    """Sums over factor x factor pixels of the canvas by the definition, in 64-bit integers."""
    coefficients, patches = texture.coefficients, texture.bank.patches
    wide = np.int64 if texture.bank.is_whole and coefficients.dtype.kind == "i" else np.float64
    _, rows, columns = coefficients.shape
    n, half = texture.bank.range_size, texture.bank.range_size // 2
    canvas = np.zeros((patches.shape[1], (rows + 1) * n, (columns + 1) * n), wide)
    for row in range(rows):
        for column in range(columns):
            sums = np.tensordot(
                coefficients[:, row, column].astype(wide), patches.astype(wide), axes=1
            )
            canvas[:, row * n : (row + 2) * n, column * n : (column + 2) * n] += sums
    for axis in (1, 2):  # what lies outside is mirrored into the picture
        canvas = canvas.swapaxes(axis, 2)
        before, inside, after = np.split(canvas, [half, canvas.shape[2] - half], axis=2)
        inside[..., :half] += before[..., ::-1]
        inside[..., inside.shape[2] - half :] += after[..., ::-1]
        canvas = inside.swapaxes(axis, 2)
    channels, height, width = canvas.shape
    cells = canvas.reshape(channels, height // factor, factor, width // factor, factor)
    return np.asarray(cells.sum((2, 4)))


def expected_canvas(texture: Texture, scale: Fraction) -> PixelArray:
    """The canvas at a scale, from sums by the definition."""
    if scale > 1:
        margins = ((0, 0), (REACH, REACH), (REACH, REACH))
        return enlarge(np.pad(expected_canvas(texture, scale / 2), margins, mode="edge"))
    if scale.denominator == texture.bank.range_size:  # quarters of patches have no whole pixels
        return pool(expected_canvas(texture, 2 * scale), 2)
    sums = direct_sums(texture, scale.denominator)
    pixels: PixelArray = (sums * (texture.unit / scale.denominator**2)).astype(np.float32)
    return pixels


def canvas(texture: Texture, scale: Fraction) -> PixelArray:
    return texture.window(scale, Window(0, 0, *texture.size(scale)))


def random_bank(rng: np.random.Generator, count: int, peak: int, size: int = SIZE) -> PatchBank:
    """Whole numbers, many of them odd, which float32 rounds first."""
    shape = (count, 3, 2 * size, 2 * size)
    return PatchBank(rng.integers(-peak, peak + 1, shape).astype(np.int16))


def random_texture(
    rng: np.random.Generator,
    rows: int = 3,
    columns: int = 4,
    count: int = 100,
    amplitude: int = 1 << 15,
    size: int = SIZE,
) -> Texture:
    """Ranges of very different amplitudes beside each other; the later patches have less."""
    bits = np.log2(amplitude)
    loudness = 2 ** (bits * rng.random((1, rows, columns)))
    decline = np.geomspace(1, 1e-3, count)[:, None, None]
    numbers = loudness * decline * rng.uniform(-1, 1, (count, rows, columns))
    limited = np.clip(np.rint(numbers), -(1 << 15), (1 << 15) - 1).astype(np.int16)
    return Texture(limited, random_bank(rng, count, (1 << 15) - 1, size), UNIT)


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("amplitude", [0, 3, 40, 1 << 9, 1 << 15])
def test_pixels_are_those_of_whole_numbers(
    amplitude: int, scale: Fraction, rng: np.random.Generator
) -> None:
    """Whether they are summed in single precision, or in double precision, or in both."""
    texture = random_texture(rng, amplitude=max(amplitude, 1))
    if not amplitude:
        texture = Texture(np.zeros_like(texture.coefficients), texture.bank, UNIT)
    found = canvas(texture, scale)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected_canvas(texture, scale), strict=True)


@pytest.mark.parametrize("size", [2, 4, 8, 32])
def test_ranges_of_other_sizes(size: int, rng: np.random.Generator) -> None:
    texture = random_texture(rng, 5, 3, count=60, size=size)
    for scale in (Fraction(2), Fraction(1), Fraction(2, size), Fraction(1, size)):
        if texture.is_exact(scale):
            expected = expected_canvas(texture, scale)
            np.testing.assert_array_equal(canvas(texture, scale), expected, strict=True)


def near_the_bound(total: int, count: int, rng: np.random.Generator) -> Texture:
    """Terms of one cell whose absolute values sum to `total` at scale 1, all of them odd."""
    patches = np.zeros((count, 1, 2 * SIZE, 2 * SIZE), np.int16)
    patches[:] = rng.choice([-1, 1], patches.shape)
    largest = total // count
    coefficients = np.zeros((count, 1, 1), np.int64)
    coefficients[:, 0, 0] = largest - (largest % 2 == 0)
    assert coefficients.max() < 1 << 15
    return Texture(coefficients.astype(np.int16), PatchBank(patches), 1.0)


SURE = (1 << 24) - (1 << 14)
"""Sums of which single precision is known to be exact."""


@pytest.mark.parametrize("total", [(1 << 24) - 600, SURE + 1200, SURE - 1200, 1 << 22])
@pytest.mark.parametrize("count", [520, 1000])
def test_sums_near_the_bound_of_single_precision_are_exact(
    total: int, count: int, rng: np.random.Generator
) -> None:
    texture = near_the_bound(total, count, rng)
    for scale in (Fraction(1), Fraction(1, 2)):
        sums = direct_sums(texture, scale.denominator)
        np.testing.assert_array_equal(
            canvas(texture, scale), (sums * 1.0 / scale.denominator**2).astype(np.float32)
        )


def test_beyond_the_bound_single_precision_would_not_do(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the tests above can tell a sum in single precision from an exact one."""
    texture = random_texture(rng)
    expected = expected_canvas(texture, Fraction(1))
    monkeypatch.setattr(lapped, "_SURELY_EXACT", 1 << 60)
    assert not np.array_equal(canvas(texture, Fraction(1)), expected)


def parts_of(texture: Texture) -> list[tuple[int, int, int]]:
    """Blocks of terms in double precision, blocks of terms at all, and how many cells have them."""
    _, rows, columns = texture.coefficients.shape
    values = texture._neighbourhood((0, rows + 1), (0, columns + 1))
    values = values.reshape(-1, values.shape[2])
    corners = np.arange((rows + 2) * (columns + 2)).reshape(rows + 2, columns + 2)
    around = np.stack(
        [corners[v : rows + 1 + v, h : columns + 1 + h].ravel() for v in (0, 1) for h in (0, 1)], 1
    )
    padding = -values.shape[1] % lapped._STEP
    is_whole = np.issubdtype(texture.coefficients.dtype, np.integer)
    found = _by_precision(
        np.pad(values, ((0, 0), (0, padding))).astype(np.float32),
        around,
        np.pad(texture.bank.quarters(1)[2], (0, padding)),
        is_whole,
    )
    np.testing.assert_array_equal(
        np.sort(np.concatenate([cells for *_, cells in found])), np.arange(len(around))
    )
    return [(exact, used, len(cells)) for exact, used, cells in found]


def test_small_sums_are_in_single_precision_and_large_ones_in_double(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = near_the_bound(SURE - 4000, 1000, rng)
    assert parts_of(quiet) == [(0, 32, 4)]
    loud = near_the_bound(SURE + 4000, 1000, rng)
    assert all(0 < exact <= 32 for exact, _, _ in parts_of(loud))
    mixed = random_texture(rng, 6, 6, amplitude=1 << 12)
    [(exact, used, count)] = parts_of(mixed)
    assert (used, count) == (4, 7 * 7)
    monkeypatch.setattr(lapped, "_FEW_CELLS", 1)
    shares = {exact for exact, _, _ in parts_of(mixed)}
    assert len(shares) > 1
    assert max(shares) == exact
    floats = Texture(mixed.coefficients.astype(np.float32), mixed.bank, UNIT)
    assert parts_of(floats) == [(4, 4, 7 * 7)]


def test_cells_without_the_last_terms_are_summed_without_them(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lapped, "_FEW_CELLS", 1)
    texture = random_texture(rng, 6, 6, count=90)
    texture.coefficients[40:, :3] = 0
    texture.coefficients[:, 5:] = 0
    assert {used for _, used, _ in parts_of(texture)} >= {0, 2, 3}
    for scale in (Fraction(1), Fraction(1, 2)):
        found = canvas(texture, scale)
        np.testing.assert_array_equal(found, expected_canvas(texture, scale), strict=True)


def test_terms_that_are_rare_anywhere_do_not_change_pixels(rng: np.random.Generator) -> None:
    texture = random_texture(rng, 20, 12, count=90, amplitude=1 << 12)
    texture.coefficients[rng.permutation(90)[:70]] *= rng.random((70, 20, 12)) < 0.02
    found = canvas(texture, Fraction(1))
    np.testing.assert_array_equal(found, expected_canvas(texture, Fraction(1)), strict=True)


@cache
def sample(scale: Fraction) -> tuple[Texture, PixelArray]:
    """A texture and its canvas."""
    texture = random_texture(np.random.default_rng(1), 3, 2, count=60, amplitude=1 << 12, size=4)
    return texture, expected_canvas(texture, scale)


@given(st.sampled_from([s for s in SCALES if s >= Fraction(1, 4)]), st.data())
def test_any_window_is_a_crop_of_the_canvas(scale: Fraction, data: st.DataObject) -> None:
    texture, whole = sample(scale)
    _, height, width = whole.shape
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    h, w = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    found = texture.window(scale, Window(top, left, h, w))
    np.testing.assert_array_equal(found, whole[:, top : top + h, left : left + w], strict=True)


@pytest.mark.parametrize("cells", [1, 5, 30])
@pytest.mark.parametrize("count", [1, 2])
def test_neither_strips_nor_threads_change_pixels(
    cells: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lapped, "_CELLS_AT_ONCE", cells)
    for scale in (Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2)):
        texture, whole = sample(scale)
        with threads(count):
            np.testing.assert_array_equal(canvas(texture, scale), whole, strict=True)


@pytest.mark.parametrize("kinds", [("f4", "f4"), ("f8", "f8"), ("i2", "f4"), ("f4", "i2")])
def test_textures_of_floats_are_summed_in_double_precision(
    kinds: tuple[str, str], rng: np.random.Generator
) -> None:
    patches = 9 * rng.normal(size=(50, 2, 8, 8))
    coefficients = 9 * rng.normal(size=(50, 3, 4))
    texture = Texture(coefficients.astype(kinds[0]), PatchBank(patches.astype(kinds[1])), 0.01)
    for factor in (1, 2):
        exact = direct_sums(texture, factor) * 0.01 / factor**2
        found = canvas(texture, Fraction(1, factor))
        np.testing.assert_allclose(found, exact, atol=1e-9, rtol=1e-7)
        assert 0.1 < exact.std() < 1000


def test_more_terms_than_a_bound_is_proven_for_are_summed_in_double_precision(
    rng: np.random.Generator,
) -> None:
    few, many = (near_the_bound(1 << 22, count, rng) for count in (2048, 2049))
    assert parts_of(few) == [(0, 64, 4)]
    assert parts_of(many) == [(65, 65, 4)]


def test_quarters_of_patches_are_their_sums() -> None:
    patches = np.arange(2 * 3 * 8 * 8).reshape(2, 3, 8, 8).astype(np.int16)
    double, single, peaks = PatchBank(patches).quarters(2)
    assert double.shape == single.shape == (2 * 4, 3 * 2 * 2)
    sums = patches.reshape(2, 3, 4, 2, 4, 2).sum((3, 5))
    for v in (0, 1):
        for h in (0, 1):
            quarter = sums[:, :, 2 * v : 2 * v + 2, 2 * h : 2 * h + 2].reshape(2, -1)
            np.testing.assert_array_equal(double[2 * v + h :: 4], quarter)
            np.testing.assert_array_equal(single[2 * v + h :: 4], quarter)
    np.testing.assert_array_equal(peaks, sums.reshape(2, -1).max(1))


@pytest.mark.parametrize("scale", [Fraction(3), Fraction(3, 2), Fraction(1, 3), Fraction(1, 32)])
def test_scales_at_which_a_texture_is_undefined_are_refused(
    scale: Fraction, rng: np.random.Generator
) -> None:
    texture = random_texture(rng, count=1)
    assert not texture.is_exact(scale)
    with pytest.raises(ValueError, match=f"a power of two .* not {scale}"):
        texture.window(scale, Window(0, 0, 1, 1))
    assert all(texture.is_exact(exact) for exact in SCALES)


def test_parts_that_do_not_fit_are_refused() -> None:
    bank = PatchBank(np.zeros((2, 1, 8, 8), np.int16))
    with pytest.raises(ValueError, match="3 coefficients a range for 2 patches"):
        Texture(np.zeros((3, 2, 2), np.int16), bank)
    for shape in ((2, 1, 6, 6), (2, 1, 8, 4)):
        with pytest.raises(ValueError, match="a multiple of 4 expected"):
            PatchBank(np.zeros(shape, np.int16))
