"""Lapped textures: synthesis, windows, scales and exactness."""

from fractions import Fraction

import jaxtyping
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neural_collage.core import lapped as tensors
from neural_collage.core.arrays import lapped as arrays
from neural_collage.core.blocks import pool
from neural_collage.core.interpolation import enlarge
from neural_collage.core.lapped import LappedTexture, synthesise
from tests.core.collages import close, crop, integer_texture, windows_of
from tests.threads import threads

SCALES = [Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2), Fraction(4), Fraction(8)]
NEAR = 2e-6  # single precision


@pytest.mark.parametrize(("rows", "columns", "size"), [(1, 1, 2), (3, 5, 4), (4, 2, 6)])
def test_the_sum_of_patches_is_a_transposed_convolution(rows: int, columns: int, size: int) -> None:
    """Folded back at the edges, as in the mirrored extension of the image."""
    coefficients = torch.randn(2, 3, rows, columns, dtype=torch.float64)
    patches = torch.randn(3, 2, 2 * size, 2 * size, dtype=torch.float64)
    expected = functional.conv_transpose2d(coefficients, patches, stride=size)
    for dim, length in ((-2, rows * size), (-1, columns * size)):
        position = torch.arange(-size // 2, length + size // 2)
        inside = torch.minimum(position.abs() - (position < 0).long(), 2 * length - 1 - position)
        shape = list(expected.shape)
        shape[dim] = length
        expected = expected.new_zeros(shape).index_add(dim, inside, expected)
    close(synthesise(coefficients, patches), expected)


def test_gradients_of_synthesis_agree_with_finite_differences() -> None:
    coefficients = torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    patches = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(synthesise, (coefficients, patches))


def test_the_canvas_is_the_synthesis_times_the_unit() -> None:
    texture = integer_texture()
    summed = synthesise(texture.coefficients[None].double(), texture.patches.double())[0]
    expected = summed * texture.unit
    assert texture.canvas(Fraction(1)).dtype == torch.float32
    assert torch.equal(texture.canvas(Fraction(1)), expected.float())
    assert 0.3 < float(expected.std()) < 3


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize(("rows", "columns", "size"), [(5, 7, 4), (1, 3, 4), (2, 1, 8)])
def test_a_window_is_a_crop_of_the_canvas(
    scale: Fraction, rows: int, columns: int, size: int
) -> None:
    """Exactly equal, since sums of integers and halving are exact."""
    texture = integer_texture(rows, columns, size, channels=2, count=2)
    canvas = texture.canvas(scale)
    assert tuple(canvas.shape[1:]) == texture.size(scale)
    for window in windows_of(*canvas.shape[1:]):
        assert torch.equal(texture.window(scale, window), crop(canvas, window)), window


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1), Fraction(2)], ids=str)
def test_windows_are_independent_of_the_height_of_strips(
    scale: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    texture = integer_texture()
    canvas = texture.canvas(scale)
    for ranges in (1, 7, 20):
        monkeypatch.setattr(arrays, "_CELLS_AT_ONCE", ranges)
        for window in windows_of(*canvas.shape[1:]):
            assert torch.equal(texture.window(scale, window), crop(canvas, window)), window


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("tile", [5, 128])
def test_pixels_are_those_of_the_canvas(
    scale: Fraction, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensors, "_TILE", tile * max(1, int(scale)))
    texture = integer_texture(3, 4)
    canvas = texture.canvas(scale)
    rows, columns = (torch.randint(0, n, (60,)) for n in canvas.shape[1:])
    rows[0], columns[0] = canvas.shape[1] - 1, canvas.shape[2] - 1
    assert torch.equal(texture.pixels(scale, rows, columns), canvas[:, rows, columns])
    assert texture.pixels(scale, rows[:0], columns[:0]).shape == (3, 0)


@pytest.mark.parametrize("scale", SCALES[:-1], ids=str)
def test_the_average_of_the_next_octave_is_the_canvas(scale: Fraction) -> None:
    texture = integer_texture()
    larger = pool(texture.canvas(2 * scale), 2)
    torch.testing.assert_close(larger, texture.canvas(scale), atol=NEAR, rtol=0)


def test_averaging_an_enlarged_image_restores_it() -> None:
    image = torch.randn(3, 9, 12, dtype=torch.float64)
    larger = enlarge(image)
    assert larger.shape == (3, 10, 16)
    close(pool(larger, 2), image[:, 2:-2, 2:-2])


def averages(degree: int, cells: int, start: float, width: float) -> Tensor:
    """Averages of x ** degree over consecutive cells."""
    edges = start + width * torch.arange(cells + 1, dtype=torch.float64)
    return (edges ** (degree + 1)).diff() / ((degree + 1) * width)


@pytest.mark.parametrize("degree", range(6))
def test_polynomials_up_to_degree_four_are_reproduced(degree: int) -> None:
    """From their averages over pixels, in each direction; those of degree five are not."""
    other = 4 - min(degree, 4)
    start, h, w = -0.6, 7, 10
    coarse = averages(degree, h, start, 0.1)[:, None] * averages(other, w, start, 0.1)
    inside = start + 2 * 0.1
    fine = (
        averages(degree, 2 * (h - 4), inside, 0.05)[:, None]
        * averages(other, 2 * (w - 4), inside, 0.05)
    )  # fmt: skip
    difference = float((enlarge(coarse[None])[0] - fine).abs().max())
    assert difference < 1e-15 if degree < 5 else difference > 1e-9


@pytest.mark.parametrize("scale", [Fraction(1), Fraction(2), Fraction(4)], ids=str)
def test_affine_coefficients_give_no_edges_between_ranges(scale: Fraction) -> None:
    """With tent-shaped patches the image is affine, too, across all ranges."""
    n, rows, columns = 8, 5, 6
    tent = 1 - (torch.arange(2 * n) + 0.5 - n).abs() / n
    y, x = torch.arange(rows)[:, None], torch.arange(columns)
    texture = LappedTexture((0.3 * y - 0.2 * x)[None], (tent[:, None] * tent)[None, None])
    margin = int(2 * n * scale)  # half a range without neighbours, and the reach of interpolation
    inside = texture.canvas(scale)[0, margin:-margin, margin:-margin].double()
    for direction, slope in ((0, 0.3), (1, -0.2)):
        steps = inside.diff(dim=direction)
        torch.testing.assert_close(
            steps, torch.full_like(steps, slope / n / scale), atol=1e-6, rtol=0
        )


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_a_constant_texture_does_not_fade_at_the_edges(scale: Fraction) -> None:
    n = 8
    tent = 1 - (torch.arange(2 * n) + 0.5 - n).abs() / n
    texture = LappedTexture(torch.full((1, 2, 3), 0.7), (tent[:, None] * tent)[None, None])
    canvas = texture.canvas(scale)
    torch.testing.assert_close(canvas, torch.full_like(canvas, 0.7), atol=1e-6, rtol=0)


def test_integer_textures_are_independent_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_CELLS_AT_ONCE", 30)  # several strips, which run side by side
    texture = integer_texture(9, 11, count=64)
    for scale in (Fraction(1, 4), Fraction(1), Fraction(2)):
        canvas = texture.canvas(scale)
        with threads(2):
            assert torch.equal(texture.canvas(scale), canvas)


def test_integer_textures_are_independent_of_the_order_of_patches() -> None:
    texture = integer_texture(count=64)
    order = torch.randperm(64)
    shuffled = LappedTexture(texture.coefficients[order], texture.patches[order], texture.unit)
    assert torch.equal(shuffled.canvas(Fraction(2)), texture.canvas(Fraction(2)))


@pytest.mark.parametrize(
    "scale", [Fraction(3), Fraction(3, 2), Fraction(1, 3), Fraction(1, 16), Fraction(2, 3)], ids=str
)
def test_scales_at_which_a_texture_is_undefined_are_refused(scale: Fraction) -> None:
    texture = integer_texture(size=8)
    assert not texture.is_exact(scale)
    with pytest.raises(ValueError, match=f"a power of two .* not {scale}"):
        texture.canvas(scale)
    assert texture.is_exact(Fraction(1, 8))


def test_parts_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="3 coefficients a range for 2 patches"):
        LappedTexture(torch.zeros(3, 2, 2), torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match="patches of 6 pixels: a multiple of 4 expected"):
        LappedTexture(torch.zeros(2, 2, 2), torch.zeros(2, 1, 6, 6))
