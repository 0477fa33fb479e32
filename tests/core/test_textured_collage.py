"""Collages with a texture, at all scales and in regions."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from neural_collage.core.affine import offset_at
from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.region import offset_at_pixels, offset_in_window
from neural_collage.core.resample import area_resample
from tests.core.collages import Recipe, close, crop, integer_texture, iterate, windows_of
from tests.threads import threads

NEAR = 2e-6  # a texture is in single precision


# Canvases of 32 x 48 pixels, larger than some of the images.
TEXTURED = [
    Recipe(32, 48, (8,), step=8, channels=3),
    Recipe(30, 43, (16, 8, 4), step=8, channels=3, sources=2, patches=2, shared=False),
    Recipe(32, 48, (4,), step=2, channels=3),
    Recipe(32, 48, (8,), channels=3, sources=0),  # texture and biases only
]


def textured(recipe: Recipe, dtype: torch.dtype = torch.float64) -> Collage:
    collage = recipe.make(dtype)
    partition = collage.partition
    texture = integer_texture(partition.canvas_height // 8, partition.canvas_width // 8)
    return replace(collage, texture=texture)


def near(got: Tensor, expected: Tensor) -> None:
    """Equal but for the rounding of the texture, amplified at most a few times by the map."""
    torch.testing.assert_close(got, expected, atol=4 * NEAR, rtol=0)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("recipe", TEXTURED, ids=str)
def test_the_decode_agrees_with_200_full_size_iterations(recipe: Recipe, scale: int) -> None:
    collage = textured(recipe)
    near(collage.decode(scale), iterate(collage, 200, scale))


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("recipe", TEXTURED, ids=str)
def test_averaging_a_larger_decode_gives_the_smaller_one(recipe: Recipe, scale: int) -> None:
    collage = textured(recipe)
    near(pool(collage.decode(2 * scale), 2), collage.decode(scale))


def test_without_sources_the_texture_is_added_to_the_bias() -> None:
    collage = textured(TEXTURED[-1])
    assert collage.texture is not None
    for scale in (1, 2):
        plain = replace(collage, texture=None).decode(scale)
        close(collage.decode(scale), plain + collage.texture.canvas(Fraction(scale)).double())


@pytest.mark.parametrize("scale", [1, 2, 4, 16])
@pytest.mark.parametrize("recipe", TEXTURED, ids=str)
def test_a_region_is_a_crop_of_the_image(recipe: Recipe, scale: int) -> None:
    collage = textured(recipe)
    whole = collage.decode(scale)
    height, width = whole.shape[1:]
    decoder = PyramidDecoder(collage)
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
        octave = 1  # at 1/2, image sides or domain corners are not whole pixels
    close(image, area_resample(collage.decode(octave), *image.shape[1:]))


def test_offsets_of_windows_and_pixels_are_those_of_the_canvas() -> None:
    collage = textured(TEXTURED[1])
    for scale in (Fraction(1), Fraction(4)):
        offset = offset_at(collage, scale)
        for window in windows_of(*offset.shape[1:]):
            close(offset_in_window(collage, scale, window), crop(offset, window))
        rows, columns = (torch.randint(0, n, (50,)) for n in offset.shape[1:])
        close(offset_at_pixels(collage, scale, rows, columns), offset[:, rows, columns])


def test_gradients_agree_with_finite_differences_beside_a_texture() -> None:
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
    images = [collage.decode(scale) for scale in (0.7, 1, 2)]
    with threads(2):
        again = [collage.decode(scale) for scale in (0.7, 1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(images, again, strict=True))


def test_a_texture_of_another_size_or_with_other_channels_is_refused() -> None:
    collage = Recipe(32, 48, (8,), step=8, channels=3).make()
    with pytest.raises(ValueError, match=r"texture of \(32, 40\) pixels .* canvas of \(32, 48\)"):
        replace(collage, texture=integer_texture(4, 5))
    with pytest.raises(ValueError, match="the texture has 2 channels"):
        replace(collage, texture=integer_texture(4, 6, channels=2))
    with pytest.raises(ValueError, match=r"texture of \(48, 32\).*; the texture has 1 channels"):
        replace(collage, texture=integer_texture(6, 4, channels=1))
