from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.core.blocks import pad_to_multiple, pool
from neural_collage.fractal.candidates import BlockCandidates, analyse, find_domains, fit_domains
from neural_collage.fractal.geometry import POOLING, SIZES, BoolArray, PlaneGeometry
from neural_collage.fractal.quadtree import _cheapest_variant, _detail_cost, decide
from neural_collage.fractal.rates import Rates
from neural_collage.fractal.statistics import prior_counts
from tests.fractal.codes import uniform_splits
from tests.pictures import photo_crop, texture

LUMA = Rates.of(prior_counts("luma"))


def candidates_of(
    image: Tensor, match_sizes: tuple[int, ...] = (32, 16, 8)
) -> tuple[list[BlockCandidates], PlaneGeometry]:
    """image: (h, w), in units of 1/255. Domains are those of the image itself."""
    geometry = PlaneGeometry(image.shape[0], image.shape[1], 8)
    canvas = pad_to_multiple(image[None], SIZES[0])
    half = pool(canvas, POOLING)[0]
    candidates = []
    for size in SIZES:
        blocks = analyse(canvas, size)
        domains = find_domains(blocks, half, geometry) if size in match_sizes else None
        if domains is not None:
            blocks = replace(blocks, fit=fit_domains(blocks, domains, half, geometry))
        candidates.append(blocks)
    return candidates, geometry


def cost(
    splits: Sequence[BoolArray],
    candidates: list[BlockCandidates],
    geometry: PlaneGeometry,
    step: float,
    error_per_bit: float,
) -> float:
    """The cost that `decide` minimises, for any quadtree."""
    total = 0.0
    active = np.ones(geometry.grid(SIZES[0]), bool)
    for depth, (blocks, size) in enumerate(zip(candidates, SIZES, strict=True)):
        variant = _cheapest_variant(blocks, geometry, step, error_per_bit, LUMA)
        leaf_cost = variant.cost.view(geometry.grid(size)).double().numpy()
        if depth == len(SIZES) - 1:
            return total + float(leaf_cost[active].sum())
        split = splits[depth] & active
        rough, details = _detail_cost(candidates, depth, step, error_per_bit, LUMA)
        flags = error_per_bit * LUMA.split[size][rough].double().numpy()
        total += float(leaf_cost[active & ~split].sum() + details.double().numpy()[split].sum())
        total += float(flags[..., 1][split].sum() + flags[..., 0][active & ~split].sum())
        active = split.repeat(2, 0).repeat(2, 1)
    raise AssertionError


@pytest.mark.parametrize("step", [10.0, 30.0, 100.0])
@pytest.mark.parametrize("picture", ["photo", "texture"])
def test_no_uniform_or_random_quadtree_is_cheaper(
    picture: str, step: float, rng: np.random.Generator
) -> None:
    image = photo_crop(96)[0] if picture == "photo" else texture(70, 130)[0]
    candidates, geometry = candidates_of(image * 255)
    error_per_bit = 0.13 * step**2
    decision = decide(candidates, geometry, step, error_per_bit, LUMA)
    chosen = cost(decision.splits, candidates, geometry, step, error_per_bit)
    others = [uniform_splits(geometry, size) for size in SIZES]
    others += [
        tuple(rng.random(split.shape) < share for split in decision.splits)
        for share in (0.1, 0.5, 0.9)
    ]
    others += [  # the decision with a few flags inverted
        tuple(split ^ (rng.random(split.shape) < 0.05) for split in decision.splits)
        for _ in range(3)
    ]
    for other in others:
        assert chosen <= cost(other, candidates, geometry, step, error_per_bit) * (1 + 1e-5)


def test_splits_follow_the_edges() -> None:
    image = torch.full((128, 128), 60.0)
    image[:, 70:] = 200
    candidates, geometry = candidates_of(image, ())
    splits = decide(candidates, geometry, 20.0, 0.13 * 400, LUMA).splits
    assert splits[0].any(0).tolist() == [False, False, True, False]


def test_a_flat_image_is_left_whole_and_without_domains() -> None:
    candidates, geometry = candidates_of(torch.full((96, 64), 77.0))
    decision = decide(candidates, geometry, 20.0, 0.13 * 400, LUMA)
    assert not any(split.any() for split in decision.splits)
    assert not any(matched.any() for matched in decision.matched)


def test_a_larger_error_per_bit_gives_fewer_leaves_and_domains() -> None:
    candidates, geometry = candidates_of(photo_crop(128)[0] * 255)
    leaves, matched = [], []
    for error_per_bit in (1.0, 50.0, 1000.0, 1e6):
        decision = decide(candidates, geometry, 20.0, error_per_bit, LUMA)
        active = np.ones(geometry.grid(SIZES[0]), bool)
        n_leaves = n_matched = 0
        for split, used in zip(
            [*decision.splits, np.zeros(geometry.grid(4), bool)], decision.matched, strict=True
        ):
            leaf = active & ~split
            n_leaves += int(leaf.sum())
            n_matched += int(used.reshape(leaf.shape)[leaf].sum())
            active = (active & split).repeat(2, 0).repeat(2, 1)
        leaves.append(n_leaves)
        matched.append(n_matched)
    assert leaves == sorted(leaves, reverse=True)
    assert leaves[-1] == 16
    assert matched[0] > matched[-1] == 0


def test_a_reduced_copy_of_a_domain_is_matched_to_it(rng: np.random.Generator) -> None:
    """Noise costs many coefficients; a reduced copy of other noise only one address."""
    image = torch.from_numpy(rng.normal(128, 40, (64, 64))).float()
    image[:16, :16] = image[32:64, 32:64].view(16, 2, 16, 2).mean((1, 3))
    candidates, geometry = candidates_of(image)
    decision = decide(candidates, geometry, 30.0, 0.13 * 900, LUMA)
    assert decision.matched[1].reshape(4, 4)[0, 0]
    fit = candidates[1].fit
    assert fit is not None
    assert int(fit.contrast[0]) == 7
    assert int(fit.domains.isometry[0]) == 0
