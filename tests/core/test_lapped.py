"""Textures of overlapping patches, alone and as a part of a collage."""

from dataclasses import replace
from fractions import Fraction

import jaxtyping
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neural_collage.core import lapped
from neural_collage.core.affine import offset_at
from neural_collage.core.blocks import Window, pool
from neural_collage.core.collage import Collage
from neural_collage.core.lapped import LappedTexture, enlarge, synthesise
from neural_collage.core.pyramid import Decoder
from neural_collage.core.region import offset_at_pixels, offset_in_window
from neural_collage.core.resample import area_resample
from tests.core.collages import Recipe, close, iterate
from tests.threads import threads

SCALES = [Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2), Fraction(4), Fraction(8)]
NEAR = 2e-6  # a texture is in single precision


def whole_numbers(
    rows: int = 5, columns: int = 7, size: int = 8, channels: int = 3, count: int = 4, seed: int = 0
) -> LappedTexture:
    """A texture of random 16-bit numbers, with values of about 1."""
    rng = torch.Generator().manual_seed(seed)
    m, most = 2 * size, 1 << 15
    coefficients = torch.randint(-most, most, (count, rows, columns), generator=rng)
    patches = torch.randint(-most, most, (count, channels, m, m), generator=rng)
    return LappedTexture(coefficients.short(), patches.short(), 2.0**-31)


def windows_of(height: int, width: int) -> list[Window]:
    """Corners, edges, single pixels, the whole, and parts off the grid of ranges."""
    h, w = max(1, height // 3), max(1, width // 4)
    return [
        Window(0, 0, h, w),
        Window(0, width - w, h, w),
        Window(height - h, 0, h, w),
        Window(height - 1, width - 1, 1, 1),
        Window(0, 0, 1, 1),
        Window(height // 2, width // 2, 1, 1),
        Window(height // 5, width // 3, max(1, height // 2), max(1, width // 9)),
        Window(height // 2, 0, 1, width),
        Window(0, width // 2, height, 1),
        Window(min(1, height - 1), min(1, width - 1), max(1, height - 2), max(1, width - 2)),
        Window(0, 0, height, width),
    ]


def crop(image: Tensor, window: Window) -> Tensor:
    top, left, height, width = window
    return image[..., top : top + height, left : left + width]


@pytest.mark.parametrize(("rows", "columns", "size"), [(1, 1, 2), (3, 5, 4), (4, 2, 6)])
def test_the_sum_of_patches_is_a_transposed_convolution(rows: int, columns: int, size: int) -> None:
    """Of coefficients that go on beyond the edges of the picture."""
    coefficients = torch.randn(2, 3, rows, columns, dtype=torch.float64)
    patches = torch.randn(3, 2, 2 * size, 2 * size, dtype=torch.float64)
    continued = functional.pad(coefficients, (1, 1, 1, 1), mode="replicate")
    summed = functional.conv_transpose2d(continued, patches, stride=size)
    margin = size + size // 2
    close(
        synthesise(coefficients, patches),
        crop(summed, Window(margin, margin, rows * size, columns * size)),
    )


def test_the_sum_of_patches_has_the_gradient_of_a_linear_map() -> None:
    coefficients = torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    patches = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(synthesise, (coefficients, patches))


def test_a_canvas_is_the_sum_times_the_unit() -> None:
    texture = whole_numbers()
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
    """To the last bit, because the numbers are whole and halving them is exact."""
    texture = whole_numbers(rows, columns, size, channels=2, count=2)
    canvas = texture.canvas(scale)
    assert tuple(canvas.shape[1:]) == texture.size(scale)
    for window in windows_of(*canvas.shape[1:]):
        assert torch.equal(texture.window(scale, window), crop(canvas, window)), window


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1), Fraction(2)], ids=str)
def test_strips_of_any_height_make_the_same_canvas(
    scale: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    texture = whole_numbers()
    canvas = texture.canvas(scale)
    for ranges in (1, 7, 20):
        monkeypatch.setattr(lapped, "_RANGES_AT_ONCE", ranges)
        for window in windows_of(*canvas.shape[1:]):
            assert torch.equal(texture.window(scale, window), crop(canvas, window)), window


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("tile", [5, 128])
def test_pixels_are_those_of_the_canvas(
    scale: Fraction, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lapped, "_TILE", tile * max(1, int(scale)))
    texture = whole_numbers(3, 4)
    canvas = texture.canvas(scale)
    rows, columns = (torch.randint(0, n, (60,)) for n in canvas.shape[1:])
    rows[0], columns[0] = canvas.shape[1] - 1, canvas.shape[2] - 1
    assert torch.equal(texture.pixels(scale, rows, columns), canvas[:, rows, columns])
    assert texture.pixels(scale, rows[:0], columns[:0]).shape == (3, 0)


@pytest.mark.parametrize("scale", SCALES[:-1], ids=str)
def test_the_average_of_the_next_octave_is_the_canvas(scale: Fraction) -> None:
    texture = whole_numbers()
    larger = pool(texture.canvas(2 * scale), 2)
    torch.testing.assert_close(larger, texture.canvas(scale), atol=NEAR, rtol=0)


def test_enlarging_keeps_averages() -> None:
    image = torch.randn(3, 9, 12, dtype=torch.float64)
    larger = enlarge(image)
    assert larger.shape == (3, 10, 16)
    close(pool(larger, 2), image[:, 2:-2, 2:-2])


def averages(degree: int, cells: int, start: float, width: float) -> Tensor:
    """Of x ** degree over cells in a row."""
    edges = start + width * torch.arange(cells + 1, dtype=torch.float64)
    return (edges ** (degree + 1)).diff() / ((degree + 1) * width)


@pytest.mark.parametrize("degree", range(6))
def test_polynomials_to_the_fourth_degree_are_continued(degree: int) -> None:
    """Given by their averages over pixels, in each direction; the fifth degree is not."""
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
def test_coefficients_that_change_evenly_leave_no_edges_between_ranges(scale: Fraction) -> None:
    """Tent-shaped patches make an affine picture of affine coefficients, across all ranges."""
    n, rows, columns = 8, 5, 6
    tent = 1 - (torch.arange(2 * n) + 0.5 - n).abs() / n
    y, x = torch.arange(rows)[:, None], torch.arange(columns)
    texture = LappedTexture((0.3 * y - 0.2 * x)[None], (tent[:, None] * tent)[None, None])
    margin = int(2 * n * scale)  # half a range without neighbours, and what interpolation sees
    inside = texture.canvas(scale)[0, margin:-margin, margin:-margin].double()
    for direction, slope in ((0, 0.3), (1, -0.2)):
        steps = inside.diff(dim=direction)
        torch.testing.assert_close(
            steps, torch.full_like(steps, slope / n / scale), atol=1e-6, rtol=0
        )


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_nothing_fades_at_the_edge_of_the_picture(scale: Fraction) -> None:
    n = 8
    tent = 1 - (torch.arange(2 * n) + 0.5 - n).abs() / n
    texture = LappedTexture(torch.full((1, 2, 3), 0.7), (tent[:, None] * tent)[None, None])
    canvas = texture.canvas(scale)
    torch.testing.assert_close(canvas, torch.full_like(canvas, 0.7), atol=1e-6, rtol=0)


def test_whole_numbers_do_not_depend_on_threads() -> None:
    texture = whole_numbers(9, 11, count=64)
    for scale in (Fraction(1, 4), Fraction(1), Fraction(2)):
        canvas = texture.canvas(scale)
        with threads(2):
            assert torch.equal(texture.canvas(scale), canvas)


def test_whole_numbers_do_not_depend_on_the_order_of_patches() -> None:
    texture = whole_numbers(count=64)
    order = torch.randperm(64)
    shuffled = LappedTexture(texture.coefficients[order], texture.patches[order], texture.unit)
    assert torch.equal(shuffled.canvas(Fraction(2)), texture.canvas(Fraction(2)))


@pytest.mark.parametrize(
    "scale", [Fraction(3), Fraction(3, 2), Fraction(1, 3), Fraction(1, 16), Fraction(2, 3)], ids=str
)
def test_scales_without_a_texture_are_refused(scale: Fraction) -> None:
    texture = whole_numbers(size=8)
    assert not texture.is_exact(scale)
    with pytest.raises(ValueError, match=f"not at {scale}"):
        texture.canvas(scale)
    assert texture.is_exact(Fraction(1, 8))


def test_parts_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="3 coefficients a range for 2 patches"):
        LappedTexture(torch.zeros(3, 2, 2), torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match="patches of 6 pixels: a multiple of 4 expected"):
        LappedTexture(torch.zeros(2, 2, 2), torch.zeros(2, 1, 6, 6))


# A texture in a collage: canvases of 32 x 48 pixels, which images may fall short of.
TEXTURED = [
    Recipe(32, 48, (8,), step=8, channels=3),
    Recipe(30, 43, (16, 8, 4), step=8, channels=3, sources=2, patches=2, shared=False),
    Recipe(32, 48, (4,), step=2, channels=3),
    Recipe(32, 48, (8,), channels=3, sources=0),  # the texture and biases alone
]


def textured(recipe: Recipe, dtype: torch.dtype = torch.float64) -> Collage:
    collage = recipe.make(dtype)
    partition = collage.partition
    texture = whole_numbers(partition.canvas_height // 8, partition.canvas_width // 8)
    return replace(collage, texture=texture)


def near(got: Tensor, expected: Tensor) -> None:
    """Equal but for the rounding of the texture, which the map does not let grow beyond a few."""
    torch.testing.assert_close(got, expected, atol=4 * NEAR, rtol=0)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("recipe", TEXTURED, ids=str)
def test_the_decode_is_what_200_full_size_iterations_reach(recipe: Recipe, scale: int) -> None:
    collage = textured(recipe)
    near(collage.decode(scale), iterate(collage, 200, scale))


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("recipe", TEXTURED, ids=str)
def test_averaging_a_larger_decode_gives_the_decode(recipe: Recipe, scale: int) -> None:
    collage = textured(recipe)
    near(pool(collage.decode(2 * scale), 2), collage.decode(scale))


def test_a_texture_alone_is_added_to_the_bias() -> None:
    collage = textured(TEXTURED[-1])
    assert collage.texture is not None
    for scale in (1, 2):
        plain = replace(collage, texture=None).decode(scale)
        close(collage.decode(scale), plain + collage.texture.canvas(Fraction(scale)).double())


@pytest.mark.parametrize("scale", [1, 2, 4, 16])
@pytest.mark.parametrize("recipe", TEXTURED, ids=str)
def test_a_region_is_a_crop_of_the_picture(recipe: Recipe, scale: int) -> None:
    collage = textured(recipe)
    whole = collage.decode(scale)
    height, width = whole.shape[1:]
    decoder = Decoder(collage)
    for x, y, w, h in (
        (0, 0, 9, 5),
        (width - 7, height - 11, 7, 11),
        (width // 3, height // 2, 13, 1),
        (width // 2 + 1, height // 3, 3, 14),
    ):
        near(decoder.decode(scale, (x, y, w, h)), whole[:, y : y + h, x : x + w])


@pytest.mark.parametrize(("scale", "octave"), [(0.3, 0.5), (0.75, 1), (1.7, 2), (3, 4)])
@pytest.mark.parametrize("recipe", TEXTURED, ids=str)
def test_other_scales_are_averaged_from_the_next_octave(
    recipe: Recipe, scale: float, octave: float
) -> None:
    collage = textured(recipe)
    image = collage.decode(scale)
    if octave < 1 and ((recipe.width * octave) % 1 or collage.lattice == 1):
        octave = 1  # at half of it, sides of the image or domains are not whole pixels
    close(image, area_resample(collage.decode(octave), *image.shape[1:]))


def test_offsets_of_windows_and_pixels_are_those_of_the_canvas() -> None:
    collage = textured(TEXTURED[1])
    for scale in (Fraction(1), Fraction(4)):
        offset = offset_at(collage, scale)
        for window in windows_of(*offset.shape[1:]):
            close(offset_in_window(collage, scale, window), crop(offset, window))
        rows, columns = (torch.randint(0, n, (50,)) for n in offset.shape[1:])
        close(offset_at_pixels(collage, scale, rows, columns), offset[:, rows, columns])


def test_gradients_of_the_parameters_go_past_the_texture() -> None:
    collage = textured(Recipe(16, 16, (8,), step=4, channels=3, sources=2))

    def decode(weights: Tensor, bias: Tensor) -> Tensor:
        return replace(collage, weights=weights, bias=bias).decode()[:, ::5, ::7]

    parameters = [p.clone().requires_grad_() for p in (collage.weights, collage.bias)]
    assert torch.autograd.gradcheck(decode, parameters, check_undefined_grad=False)


def test_a_moved_collage_keeps_its_texture() -> None:
    collage = textured(TEXTURED[0])
    for moved in (collage.to("cpu"), collage.to(dtype=torch.float32), collage.to("cpu", None)):
        assert moved.texture is not None
        assert moved.texture.unit == 2.0**-31
        torch.testing.assert_close(moved.decode().double(), collage.decode(), atol=1e-5, rtol=0)


def test_pixels_do_not_depend_on_threads() -> None:
    collage = textured(TEXTURED[1], torch.float32)
    pictures = [collage.decode(scale) for scale in (0.7, 1, 2)]
    with threads(2):
        again = [collage.decode(scale) for scale in (0.7, 1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(pictures, again, strict=True))


def test_a_texture_of_another_size_or_with_other_channels_is_refused() -> None:
    collage = Recipe(32, 48, (8,), step=8, channels=3).make()
    with pytest.raises(ValueError, match=r"texture of \(32, 40\) pixels .* canvas of \(32, 48\)"):
        replace(collage, texture=whole_numbers(4, 5))
    with pytest.raises(ValueError, match="the texture has 2 channels"):
        replace(collage, texture=whole_numbers(4, 6, channels=2))
    with pytest.raises(ValueError, match=r"texture of \(48, 32\).*; the texture has 1 channels"):
        replace(collage, texture=whole_numbers(6, 4, channels=1))
