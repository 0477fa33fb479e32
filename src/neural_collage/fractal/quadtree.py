"""The rate-distortion quadtree: the cheapest variant of every block, then bottom-up merging."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.fractal.brightness import haar, predict_details
from neural_collage.fractal.candidates import BlockCandidates
from neural_collage.fractal.coefficients import quantise
from neural_collage.fractal.contexts import detail_context, rough_class
from neural_collage.fractal.geometry import (
    MAX_CONTRAST,
    SIZES,
    BoolArray,
    IntArray,
    PlaneGeometry,
)
from neural_collage.fractal.rates import LARGEST, Rates

DETAIL_ROUNDING = 0.4  # below one half, as smaller magnitudes cost fewer bits


class Decision(NamedTuple):
    """A quadtree: split flags and numbers of domains of all blocks, whether leaves or not."""

    splits: list[BoolArray]
    n_domains: list[IntArray]


def decide(
    candidates: Sequence[BlockCandidates],
    geometry: PlaneGeometry,
    step: float,
    error_per_bit: float,
    rates: Rates,
) -> Decision:
    """The quadtree of least squared error + error_per_bit * bits, for additive rates."""
    variants = [
        _cheapest_variant(blocks, geometry, step, error_per_bit, rates) for blocks in candidates
    ]
    splits: list[BoolArray] = []
    below = variants[-1].cost.view(geometry.grid(SIZES[-1]))
    for depth in reversed(range(len(SIZES) - 1)):
        rows, columns = geometry.grid(SIZES[depth])
        rough, details = _detail_cost(candidates, depth, step, error_per_bit, rates)
        flag = error_per_bit * rates.split[SIZES[depth]].to(below)[rough.to(below.device)]
        whole = variants[depth].cost.view(rows, columns) + flag[..., 0]
        quarters = below.view(rows, 2, columns, 2).sum((1, 3))
        quarters = quarters + details.to(below) + flag[..., 1]
        splits.insert(0, (quarters < whole).cpu().numpy())
        below = torch.minimum(quarters, whole)
    return Decision(splits, [variant.n_domains.cpu().numpy() for variant in variants])


class _Variant(NamedTuple):
    cost: Float[Tensor, " r"]
    n_domains: Int64[Tensor, " r"]


def _cheapest_variant(
    candidates: BlockCandidates,
    geometry: PlaneGeometry,
    step: float,
    error_per_bit: float,
    rates: Rates,
) -> _Variant:
    """For every block, no domain or the first few of its matches."""
    size = candidates.size
    plain = quantise(candidates.plain, size, step, error_per_bit, rates)
    count_bits = rates.n_domains[size].to(plain.cost)
    best = plain.cost + error_per_bit * count_bits[0]
    n_domains = torch.zeros_like(plain.last)
    bits = torch.zeros_like(best)
    for count, match in enumerate(candidates.matches, start=1):
        contrast_bits = rates.contrast[size].to(best)[match.contrast + MAX_CONTRAST]
        bits = bits + contrast_bits + rates.isometry + _address_bits(candidates, geometry).to(best)
        coded = quantise(match.residual, size, step, error_per_bit, rates)
        cost = coded.cost + error_per_bit * (count_bits[count] + bits)
        better = (cost < best) & (match.contrast != 0)
        best = torch.where(better, cost, best)
        n_domains = torch.where(better, count, n_domains)
    return _Variant(best, n_domains)


def _address_bits(candidates: BlockCandidates, geometry: PlaneGeometry) -> Float[Tensor, " r"]:
    size = candidates.size
    y, x = np.indices(geometry.grid(size)).reshape(2, -1) * size
    _, _, rows, columns = geometry.pools(size, y, x)
    return torch.from_numpy(np.log2(np.maximum(rows * columns, 1))).float()


def _detail_cost(
    candidates: Sequence[BlockCandidates],
    depth: int,
    step: float,
    error_per_bit: float,
    rates: Rates,
) -> tuple[Int64[Tensor, "rows columns"], Float[Tensor, "rows columns"]]:
    """Roughness class of each block of a size, and the cost of its Haar details if it is split.

    Computed from the unquantised means, which the coded ones approximate to within a step.
    """
    sums, magnitude = _detail_magnitudes(candidates, depth, step)
    classes = np.zeros(sums.shape, np.int64)
    if depth:
        _, parents = _detail_magnitudes(candidates, depth - 1, step)
        total = _rounded(parents).sum(-1).astype(np.int64)
        classes = rough_class(total).repeat(2, 0).repeat(2, 1)
    quantised = _rounded(magnitude)
    table = rates.detail.numpy()
    bits = table[detail_context(depth, classes), np.minimum(quantised, LARGEST).astype(np.int64)]
    error = ((magnitude - quantised) * step) ** 2
    cost = torch.from_numpy((error + error_per_bit * bits).sum(-1)).float()
    return torch.from_numpy(classes), cost


def _detail_magnitudes(
    candidates: Sequence[BlockCandidates], depth: int, step: float
) -> tuple[np.ndarray, np.ndarray]:
    sums, details = haar(candidates[depth + 1].means)
    return sums, np.abs(details - predict_details(sums)) / step


def _rounded(magnitude: np.ndarray) -> np.ndarray:
    return np.floor(magnitude + DETAIL_ROUNDING)
