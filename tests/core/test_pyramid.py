import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from neural_collage.core import isometry, pyramid
from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.fixed_point import Picard, fixed_point
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.resample import area_resample
from neural_collage.errors import NotContractiveError, NotConvergedError
from tests.core.collages import CASES, TINY, Recipe, close, iterate


@pytest.mark.parametrize("recipe", CASES, ids=str)
def test_the_decode_agrees_with_200_full_size_iterations(recipe: Recipe) -> None:
    collage = recipe.make(torch.float32)
    scale = collage.lattice.denominator  # 1, unless domain corners lie between pixels
    difference = collage.decode(scale) - iterate(collage, 200, scale)
    assert float(difference.abs().max()) < 1e-5


@pytest.mark.parametrize("recipe", CASES, ids=str)
def test_the_decode_is_a_fixed_point_of_the_map(recipe: Recipe) -> None:
    collage = recipe.make()
    decoder = PyramidDecoder(collage)
    for scale in (1 / collage.lattice, 3 / collage.lattice):
        canvas = decoder.canvas(scale)
        close(collage.step(canvas, scale), canvas)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("recipe", CASES, ids=str)
def test_averaging_a_larger_decode_gives_the_smaller_one(recipe: Recipe, factor: int) -> None:
    collage = recipe.make()
    close(pool(collage.decode(factor), factor), collage.decode())


@pytest.mark.parametrize("pooling", [2, 3])
def test_the_octave_above_copies_domains_without_reduction(pooling: int) -> None:
    collage = Recipe(18, 36, (6,), pooling=pooling, step=6).make()
    image, above = collage.decode(1), collage.decode(pooling)
    for r, (y, x, size) in enumerate((collage.partition.blocks * pooling).tolist()):
        v, u = collage.domains[r, 0].tolist()
        domain = isometry.apply(image[:, v : v + size, u : u + size], int(collage.isometries[r, 0]))
        expected = collage.weights[:, r, :, None] * domain + collage.bias[:, r, None, None]
        close(above[:, y : y + size, x : x + size], expected)


def fine_scale(collage: Collage, scale: float) -> int:
    """The least power of the pooling, from the pooling up, that is at least the scale."""
    octave = collage.pooling
    while octave < scale:
        octave *= collage.pooling
    return octave


@pytest.mark.parametrize("scale", [0.05, 0.3, 0.75, math.pi])
@pytest.mark.parametrize("recipe", TINY, ids=str)
def test_all_scales_have_the_same_mean(recipe: Recipe, scale: float) -> None:
    """That of an exact decode; sizes are rounded to the nearest pixel."""
    collage = recipe.make()
    image = collage.decode(scale)
    height, width = (max(1, math.floor(n * scale + 0.5)) for n in (recipe.height, recipe.width))
    assert image.shape == (recipe.channels, height, width)
    close(image.mean((1, 2)), collage.decode(fine_scale(collage, 1)).mean((1, 2)))


@pytest.mark.parametrize("recipe", TINY, ids=str)
def test_all_exact_scales_average_to_each_other(recipe: Recipe) -> None:
    decoder = PyramidDecoder(recipe.make())
    for start in (1, 3):
        low = start / recipe.lattice
        for factor in (2, 3):
            close(pool(decoder.canvas(low * factor), factor), decoder.canvas(low))


@pytest.mark.parametrize(
    ("recipe", "scale", "octave"),
    [
        (Recipe(16, 24, (4,), step=8), 0.26, 0.5),
        (Recipe(15, 24, (4,), step=8), 0.26, 1),  # at 0.5 the sides are not whole
        (Recipe(16, 24, (4,), step=8), 0.3, 0.5),
        (Recipe(16, 24, (4,), step=8), 0.9, 1),
        (Recipe(16, 24, (4,), step=8), 1.7, 2),
        (Recipe(16, 24, (4,), step=8, sources=2, patches=2), 2.7, 4),
        (Recipe(16, 24, (4,), step=8), 9, 16),  # exact, but would be solved at scale 9/4
        (Recipe(18, 27, (9,), pooling=3, step=9), 0.3, 1 / 3),
        (Recipe(18, 28, (9,), pooling=3, step=9), 0.3, 1),
        (Recipe(18, 27, (9,), pooling=3, step=9, channels=2), 2.7, 3),
        (Recipe(17, 27, (9,), pooling=3, step=9), 3.3, 9),
        (Recipe(32, 32, (1,), pooling=16, step=16), 2.7, 16),
        (Recipe(6, 9, (3,), step=6), 0.5, 2 / 3),
        (Recipe(6, 9, (3,), step=6), 1.5, 2),
        (Recipe(7, 8, (3,), step=6), 1.5, 2),
        (Recipe(7, 8, (3,), step=1), 0.9, 2),  # domain corners lie between pixels
    ],
    ids=str,
)
def test_scales_off_the_grid_are_averaged_from_the_next_octave(
    recipe: Recipe, scale: float, octave: float
) -> None:
    collage = recipe.make()
    image = collage.decode(scale)
    close(image, area_resample(collage.decode(octave), *image.shape[1:]))


def test_a_scale_that_keeps_blocks_whole_is_exact() -> None:
    """Between octaves, too: 3/4 and 3 are solved on their own grid, not resampled."""
    collage = Recipe(16, 24, (8,), step=16).make()
    decoder = PyramidDecoder(collage)
    for scale in (0.125, 0.375, 0.75, 1.5, 3, 6):
        close(collage.decode(scale), pool(decoder.canvas(Fraction(24)), int(24 / scale)))


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (0, "positive number, not 0"),
        (-1.0, "positive number, not -1"),
        (math.nan, "positive number, not nan"),
        (math.inf, "positive number, not inf"),
        (1e-9, "too small"),
        (1e30, "more pixels than can be counted"),
    ],
)
def test_an_invalid_scale_is_refused(scale: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(8, 8, (4,), step=4).make().decode(scale, (0, 0, 1, 1))


def test_the_fixed_point_is_independent_of_the_initial_image() -> None:
    collage = Recipe(40, 31, (8, 4), step=4, channels=2, sources=2, shared=False).make()
    z = 100 * torch.randn(2, 40, 32, dtype=torch.float64)
    for _ in range(150):
        z = collage.step(z)
    close(z[:, :, :31], collage.decode())


def test_constants_are_reproduced() -> None:
    """Weight w and bias (1 - w) v everywhere is the constant v."""
    collage = Recipe(20, 20, (8, 4), step=4).make()
    collage = replace(
        collage,
        weights=torch.full_like(collage.weights, -0.6),
        bias=torch.full_like(collage.bias, 1.6 * 0.25),
    )
    for scale in (0.4, 1, 3):
        image = collage.decode(scale)
        close(image, torch.full_like(image, 0.25))


@pytest.mark.parametrize(
    ("recipe", "scale", "size"),
    [
        (Recipe(64, 48, (16, 8), step=16), 4, (8, 6)),
        (Recipe(64, 48, (8,), step=8), 1, (16, 12)),
        (Recipe(64, 48, (8,), step=16), 3, (24, 18)),
        (Recipe(64, 48, (8,), step=8), 5, (80, 60)),  # a little more than the image
        (Recipe(64, 48, (8,), step=16), 67, (8, 6)),  # 67/8 would be far more than the image
        (Recipe(54, 27, (9,), pooling=3, step=27), 3, (6, 3)),
        (Recipe(64, 48, (8,), step=2), 1, (64, 48)),
    ],
    ids=str,
)
def test_only_the_coarsest_exact_scale_is_iterated(
    recipe: Recipe, scale: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def spy(function: Callable[[Tensor], Tensor], initial: Tensor, *options: Any) -> Any:
        sizes.append(tuple(initial.shape[1:]))
        return fixed_point(function, initial, *options)

    monkeypatch.setattr(pyramid, "fixed_point", spy)
    decoder = PyramidDecoder(recipe.make())
    decoder.decode(scale, (0, 0, 16, 16))
    assert sizes == [size]
    assert decoder.report is not None
    assert decoder.report.converged


def test_a_coarse_image_is_solved_once() -> None:
    decoder = PyramidDecoder(Recipe(64, 48, (16, 8), step=16).make())
    decoder.decode(1)
    first = decoder.report
    decoder.decode(4, (3, 3, 9, 9))
    assert decoder.report is first


def test_options_are_passed_to_the_solver() -> None:
    collage = Recipe(16, 16, (4,), step=4).make()
    with pytest.raises(NotConvergedError, match="after 2 steps"):
        collage.decode(solver=Picard(max_steps=2))
    loose, exact = collage.decode(solver=Picard(tolerance=0.1)), collage.decode()
    assert 0 < float((loose - exact).abs().max()) < 0.5
    with pytest.raises(NotContractiveError):
        PyramidDecoder(replace(collage, weights=2 * collage.weights))
