import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.geometry import CONTRASTS, PlaneGeometry
from tests.fractal.codes import RECIPES, CodeRecipe, blank_code

STEP = 20.0
by_size = pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.height}x{r.width}")


def canvas(code: PlaneCode, scale: Fraction) -> Tensor:
    return PyramidDecoder(code.to_collage(STEP)).canvas(scale)[0]


def cosine(order: int, cells: int) -> Tensor:
    """Averages of cos(pi order t) over equal cells of [0, 1], by fine sampling."""
    time = (torch.arange(200 * cells, dtype=torch.float64) + 0.5) / (200 * cells)
    return torch.cos(math.pi * order * time).view(cells, 200).mean(1)


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1), Fraction(2)], ids=str)
@pytest.mark.parametrize("size", [32, 16, 8, 4])
def test_a_coefficient_decodes_to_its_cosine_at_every_scale(size: int, scale: Fraction) -> None:
    u, v = (3, 2) if size == 4 else (5, 7)
    code = blank_code(PlaneGeometry(32, 64, 4), size, root=40)
    code.coefficients[1, u, v], code.last[1] = 3, u + v
    decoded = canvas(code, scale)
    cells, flat = int(size * scale), STEP * 40 / 32 / 255
    wave_u, wave_v = cosine(u, size), cosine(v, size)
    norm = float(wave_u.norm() * wave_v.norm())  # orthonormal on the pixels of scale 1
    expected = torch.outer(cosine(u, cells), cosine(v, cells)) * (3 * STEP / 255 / norm) + flat
    block = decoded[:cells, cells : 2 * cells]
    torch.testing.assert_close(block.double(), expected, atol=2e-5, rtol=0)
    torch.testing.assert_close(decoded[:cells, :cells], torch.full_like(block, flat))


def test_a_blank_code_decodes_to_a_constant() -> None:
    decoded = canvas(blank_code(PlaneGeometry(1, 1, 16), 8, root=-6), Fraction(1))
    torch.testing.assert_close(decoded, torch.full((32, 32), -6 * STEP / 32 / 255))


@by_size
def test_the_collage_has_the_contrasts_and_domains_of_the_code(
    recipe: CodeRecipe, rng: np.random.Generator
) -> None:
    code = recipe.make(rng)
    collage = code.to_collage(STEP)
    assert (collage.height, collage.width) == (recipe.height, recipe.width)
    assert collage.pooling == (3 if recipe.lattice == 12 else 2)
    contrasts = CONTRASTS[np.abs(code.contrasts)]
    assert collage.contraction() == pytest.approx(contrasts.sum(1).max())
    assert (collage.contraction() < 1) is not recipe.wide
    sources = collage.domains_per_range
    assert sources == (code.contrasts != 0).any(0).sum()
    signed = np.sign(code.contrasts) * contrasts
    np.testing.assert_array_equal(collage.weights[0].numpy(), signed[:, :sources].astype("f4"))
    for r, (y, x, size) in enumerate(collage.partition.blocks.tolist()):
        for k in range(sources):
            if code.contrasts[r, k]:
                corner_y, corner_x = code.geometry.domain_corners(
                    size, np.array([y]), np.array([x]), code.addresses[r, k : k + 1]
                )
                assert collage.domains[r, k].tolist() == [corner_y[0], corner_x[0]]
            else:
                assert collage.domains[r, k].tolist() == [0, 0]


def test_unused_columns_of_domains_are_dropped(rng: np.random.Generator) -> None:
    code = CodeRecipe(64, 64, domains_per_range=3, matched=0).make(rng)
    assert code.to_collage(STEP).domains_per_range == 0
    code = CodeRecipe(64, 64, domains_per_range=1, matched=1).make(rng)
    wider = replace(
        code,
        contrasts=np.pad(code.contrasts, ((0, 0), (0, 2))),
        addresses=np.pad(code.addresses, ((0, 0), (0, 2))),
        isometries=np.pad(code.isometries, ((0, 0), (0, 2))),
    )
    assert wider.to_collage(STEP).domains_per_range == 1
    assert torch.equal(canvas(wider, Fraction(1)), canvas(code, Fraction(1)))


@by_size
def test_coefficients_and_contrasts_do_not_change_the_means(
    recipe: CodeRecipe, rng: np.random.Generator
) -> None:
    code = replace(recipe, wild=0).make(rng)
    plain = replace(
        code,
        coefficients=np.zeros_like(code.coefficients),
        contrasts=np.zeros_like(code.contrasts),
    )
    full, bare = (canvas(c, Fraction(1)) for c in (code, plain))
    for y, x, n in code.partition().blocks.tolist():
        torch.testing.assert_close(
            full[y : y + n, x : x + n].mean(),
            bare[y : y + n, x : x + n].mean(),
            atol=1e-4,
            rtol=0,
        )
