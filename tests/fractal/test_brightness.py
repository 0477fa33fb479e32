from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.fractal.brightness import (
    calibrate,
    descend,
    haar,
    inverse_haar,
    leaf_means,
    predict_details,
)
from neural_collage.fractal.geometry import SIZES
from tests.fractal.codes import RECIPES, CodeRecipe
from tests.pictures import texture


def test_haar_is_orthonormal_and_inverted(rng: np.random.Generator) -> None:
    grid = rng.normal(size=(6, 10))
    sums, details = haar(grid)
    assert (sums.shape, details.shape) == ((3, 5), (3, 5, 3))
    assert (sums**2).sum() + (details**2).sum() == pytest.approx((grid**2).sum())
    assert_allclose(inverse_haar(sums, details), grid, atol=1e-12)


def test_ramps_are_predicted_exactly_inside_and_constants_everywhere() -> None:
    y, x = np.mgrid[:16, :24]
    ramp = 3.0 * y - 2.0 * x + 7
    sums, details = haar(ramp)
    assert_allclose(predict_details(sums)[1:-1, 1:-1], details[1:-1, 1:-1], atol=1e-12)
    assert_allclose(predict_details(np.full((3, 4), 5.0)), 0)


def test_leaf_means_are_recovered_from_a_finely_quantised_tree(rng: np.random.Generator) -> None:
    code = CodeRecipe(60, 90).make(rng)
    image = texture(64, 96)[0].double().numpy()
    step = 1e-5
    grids = [
        image.reshape(64 // n, n, 96 // n, n).mean((1, 3)) * n for n in SIZES
    ]  # coefficients n * mean
    roots = np.rint(grids[0] / step).astype(np.int64)
    grid, details = roots * step, []
    for finer, split in zip(grids[1:], code.splits, strict=True):
        exact = (haar(finer)[1] - predict_details(grid))[split] / step
        details.append(np.rint(exact).astype(np.int64))
        grid = descend(grid, split, details[-1], step)
    means = leaf_means(roots, code.splits, details, step)
    expected_means = [
        image[y : y + n, x : x + n].mean() for y, x, n in code.partition().blocks.tolist()
    ]
    assert_allclose(means.numpy(), expected_means, atol=1e-5)


def test_an_unsplit_tree_has_the_means_of_its_roots() -> None:
    splits = [np.zeros((2 << depth, 3 << depth), bool) for depth in range(3)]
    details = [np.zeros((0, 3), np.int64)] * 3
    roots = np.arange(6).reshape(2, 3)
    means = leaf_means(roots, splits, details, 16.0)
    assert_allclose(means.numpy(), np.arange(6) / 2)  # a root's coefficient is 32 times its mean


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.height}x{r.width}")
def test_decoded_ranges_have_the_calibrated_means(
    recipe: CodeRecipe, rng: np.random.Generator
) -> None:
    collage = recipe.make(rng).to_collage(0.5)
    means = torch.rand(len(collage.partition))
    canvas = PyramidDecoder(calibrate(collage, means[None], keep=recipe.wide)).canvas(Fraction(1))[
        0
    ]
    found = [canvas[y : y + n, x : x + n].mean() for y, x, n in collage.partition.blocks.tolist()]
    tolerance = 1e-5 * max(1, float(canvas.abs().max()))
    torch.testing.assert_close(torch.stack(found), means, atol=tolerance, rtol=0)
