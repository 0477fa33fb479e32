from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from neural_collage.core.affine import RangeMeans, ScaledMap, scaled, whole
from neural_collage.core.blocks import pool
from neural_collage.core.partition import Partition
from tests.core.collages import CASES, Recipe, reference_step

WHOLE = [case for case in CASES if case.lattice.denominator == 1]


@pytest.mark.parametrize("recipe", WHOLE, ids=str)
def test_a_step_agrees_with_the_formula_range_by_range(recipe: Recipe) -> None:
    collage = recipe.make()
    partition = collage.partition
    z = torch.randn(
        collage.channels, partition.canvas_height, partition.canvas_width, dtype=torch.float64
    )
    torch.testing.assert_close(collage.step(z), reference_step(collage, z))


@pytest.mark.parametrize("recipe", CASES, ids=str)
def test_stepping_and_averaging_commute(recipe: Recipe) -> None:
    """The exact hierarchy: the average of a step is a step from the average at the lower scale."""
    collage = recipe.make()
    low = ScaledMap.of(collage, 1 / collage.lattice)
    for factor in (2, 3, 4):
        fine = ScaledMap.of(collage, factor / collage.lattice)
        z = torch.randn_like(fine.offset)
        torch.testing.assert_close(pool(fine.step(z), factor), low.step(pool(z, factor)))


@pytest.mark.parametrize("recipe", CASES, ids=str)
def test_all_indices_lie_inside_the_source(recipe: Recipe) -> None:
    for factor in (1, 2, 3):
        mapping = ScaledMap.of(recipe.make(), factor / recipe.lattice)
        last = max(0, mapping.source_height * mapping.source_width - 1)
        assert torch.equal(mapping.index, mapping.index.clamp(0, last))
        assert mapping.index.shape == (recipe.sources, mapping.offset[0].numel())


def test_shared_weights_act_as_equal_weights_of_all_channels() -> None:
    shared = Recipe(20, 31, (8, 4), step=4, channels=3, sources=2, patches=2).make()
    assert shared.patches is not None
    assert shared.patch_weights is not None
    spread = replace(
        shared,
        weights=shared.weights.expand(3, -1, -1),
        patches=shared.patches.expand(-1, 3, -1, -1),
        patch_weights=shared.patch_weights.expand(3, -1, -1),
    )
    assert torch.equal(shared.decode(2), spread.decode(2))


def test_patches_may_differ_between_channels_while_their_weights_are_shared() -> None:
    collage = Recipe(8, 8, (4,), step=4, channels=3, shared=False, patches=2).make()
    assert collage.patches is not None
    assert collage.patch_weights is not None
    collage = replace(collage, patch_weights=collage.patch_weights[:1])
    z = torch.rand(3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(collage.step(z), reference_step(collage, z))


def test_a_scale_off_the_lattice_is_refused() -> None:
    collage = Recipe(16, 16, (8,), step=8).make()
    assert ScaledMap.of(collage, Fraction(3, 8)).offset.shape == (1, 6, 6)
    with pytest.raises(ValueError, match="not a whole number of pixels"):
        ScaledMap.of(collage, Fraction(1, 16))


@pytest.mark.parametrize("shape", [(1, 16, 15), (1, 18, 16), (2, 16, 16), (1, 8, 8)])
def test_an_image_of_another_size_is_refused(shape: tuple[int, ...]) -> None:
    collage = Recipe(16, 16, (8,), step=8).make()
    with pytest.raises(ValueError, match=r"\(1, 8, 8\)"):
        collage.step(torch.zeros(shape, dtype=torch.float64))


def test_integral_fractions_are_converted_and_others_refused() -> None:
    assert whole(Fraction(6, 2)) == 3
    with pytest.raises(ValueError, match="3/2"):
        whole(Fraction(3, 2))


def test_lengths_are_multiplied_by_the_scale() -> None:
    assert scaled(torch.tensor([8, 16, 0]), Fraction(3, 8)).tolist() == [3, 6, 0]


def test_the_means_of_ranges_are_measured_and_set(rng: np.random.Generator) -> None:
    partition = Partition.quadtree(16, 24, (8, 4), [torch.tensor([[1, 0, 0], [0, 0, 1]]).bool()])
    ranges = RangeMeans.of(partition, Fraction(1, 2))
    image = torch.from_numpy(rng.random((2, 8, 12)))
    expected = [
        image[:, y // 2 : (y + n) // 2, x // 2 : (x + n) // 2].mean((1, 2))
        for y, x, n in partition.blocks.tolist()
    ]
    torch.testing.assert_close(ranges.measure(image), torch.stack(expected, 1))
    means = torch.from_numpy(rng.random((2, len(partition))))
    changed = ranges.set(image, means)
    torch.testing.assert_close(ranges.measure(changed), means)
    torch.testing.assert_close(changed[:, :2, :2].diff(), image[:, :2, :2].diff())


def test_a_step_sets_known_means() -> None:
    collage = Recipe(16, 16, (8,), step=8).make()
    z = torch.rand(1, 16, 16, dtype=torch.float64)
    means = torch.full_like(collage.bias, 0.25)
    step = replace(collage, means=means).step(z)
    ranges = RangeMeans.of(collage.partition, Fraction(1))
    torch.testing.assert_close(step, ranges.set(collage.step(z), means))
    torch.testing.assert_close(ranges.measure(step), means)
