from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.core.blocks import pad_to_multiple
from neural_collage.fractal.candidates import BlockCandidates, analyse
from neural_collage.fractal.effort import EFFORTS
from neural_collage.fractal.geometry import SIZES, BoolArray, PlaneGeometry
from neural_collage.fractal.quadtree import _cheapest_variant, _detail_cost, decide
from neural_collage.fractal.rates import Rates
from neural_collage.fractal.statistics import prior_counts
from tests.fractal.codes import uniform_splits
from tests.pictures import photo_crop, texture

LUMA = Rates.of(prior_counts("luma"))


def levels_of(image: Tensor, effort: int = 4) -> tuple[list[BlockCandidates], PlaneGeometry]:
    """image: (h, w), in units of 1/255."""
    geometry = PlaneGeometry(image.shape[0], image.shape[1], EFFORTS[effort].lattice)
    canvas = pad_to_multiple(image[None], SIZES[0])
    return [analyse(canvas, geometry, size, EFFORTS[effort]) for size in SIZES], geometry


def cost(
    splits: Sequence[BoolArray],
    levels: list[BlockCandidates],
    geometry: PlaneGeometry,
    step: float,
    lagrangian: float,
) -> float:
    """What `decide` minimises, added up over any quadtree."""
    total = 0.0
    alive = np.ones(geometry.grid(SIZES[0]), bool)
    for index, (level, size) in enumerate(zip(levels, SIZES, strict=True)):
        variant = _cheapest_variant(level, geometry, step, lagrangian, LUMA)
        here = variant.cost.view(geometry.grid(size)).double().numpy()
        if index == len(SIZES) - 1:
            return total + float(here[alive].sum())
        split = splits[index] & alive
        rough, details = _detail_cost(levels, index, step, lagrangian, LUMA)
        flags = lagrangian * LUMA.split[size][rough].double().numpy()
        total += float(here[alive & ~split].sum() + details.double().numpy()[split].sum())
        total += float(flags[..., 1][split].sum() + flags[..., 0][alive & ~split].sum())
        alive = split.repeat(2, 0).repeat(2, 1)
    raise AssertionError


@pytest.mark.parametrize("step", [10.0, 30.0, 100.0])
@pytest.mark.parametrize("picture", ["photo", "texture"])
def test_no_uniform_or_random_quadtree_is_cheaper(
    picture: str, step: float, rng: np.random.Generator
) -> None:
    image = photo_crop(96)[0] if picture == "photo" else texture(70, 130)[0]
    levels, geometry = levels_of(image * 255)
    lagrangian = 0.13 * step**2
    decision = decide(levels, geometry, step, lagrangian, LUMA)
    chosen = cost(decision.splits, levels, geometry, step, lagrangian)
    others = [uniform_splits(geometry, size) for size in SIZES]
    others += [
        tuple(rng.random(split.shape) < share for split in decision.splits)
        for share in (0.1, 0.5, 0.9)
    ]
    others += [  # the decision with a few flags turned
        tuple(split ^ (rng.random(split.shape) < 0.05) for split in decision.splits)
        for _ in range(3)
    ]
    for other in others:
        assert chosen <= cost(other, levels, geometry, step, lagrangian) * (1 + 1e-5)


def test_splits_follow_the_edges() -> None:
    image = torch.full((128, 128), 60.0)
    image[:, 70:] = 200
    levels, geometry = levels_of(image, effort=0)
    splits = decide(levels, geometry, 20.0, 0.13 * 400, LUMA).splits
    assert splits[0].any(0).tolist() == [False, False, True, False]


def test_a_flat_image_is_left_whole_and_without_domains() -> None:
    levels, geometry = levels_of(torch.full((96, 64), 77.0))
    decision = decide(levels, geometry, 20.0, 0.13 * 400, LUMA)
    assert not any(split.any() for split in decision.splits)
    assert not any(links.any() for links in decision.n_links)


def test_dearer_bits_buy_fewer_leaves_and_domains() -> None:
    levels, geometry = levels_of(photo_crop(128)[0] * 255)
    leaves, links = [], []
    for lagrangian in (1.0, 50.0, 1000.0, 1e6):
        decision = decide(levels, geometry, 20.0, lagrangian, LUMA)
        alive = np.ones(geometry.grid(SIZES[0]), bool)
        count = linked = 0
        for split, used in zip(
            [*decision.splits, np.zeros(geometry.grid(4), bool)], decision.n_links, strict=True
        ):
            leaf = alive & ~split
            count += int(leaf.sum())
            linked += int((used.reshape(leaf.shape)[leaf] > 0).sum())
            alive = (alive & split).repeat(2, 0).repeat(2, 1)
        leaves.append(count)
        links.append(linked)
    assert leaves == sorted(leaves, reverse=True)
    assert leaves[-1] == 16
    assert links[0] > links[-1] == 0


def test_a_block_that_a_domain_repeats_is_linked_to_it(rng: np.random.Generator) -> None:
    """Noise has no cheap cosines; a reduced copy of other noise is had for one address."""
    image = torch.from_numpy(rng.normal(128, 40, (64, 64))).float()
    image[:16, :16] = image[32:64, 32:64].view(16, 2, 16, 2).mean((1, 3))
    levels, geometry = levels_of(image)
    decision = decide(levels, geometry, 30.0, 0.13 * 900, LUMA)
    assert decision.n_links[1].reshape(4, 4)[0, 0] == 1
    link = levels[1].links[0]
    assert int(link.contrast[0]) == 7
    assert int(link.matches.isometry[0]) == 0
