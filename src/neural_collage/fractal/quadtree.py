"""The rate-distortion quadtree: the cheapest variant of every block, then bottom-up merging."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.fractal.brightness import haar, predict_details
from neural_collage.fractal.candidates import BlockCandidates, block_corners
from neural_collage.fractal.coefficients import least_cost
from neural_collage.fractal.contexts import detail_context, rough_class
from neural_collage.fractal.geometry import (
    SIZES,
    WIDEST,
    BoolArray,
    PlaneGeometry,
)
from neural_collage.fractal.rates import LARGEST, Rates

DETAIL_ROUNDING = 0.4  # below one half, as smaller magnitudes cost fewer bits


class Decision(NamedTuple):
    """A quadtree: split flags of all blocks, and which have a domain, whether leaves or not."""

    splits: list[BoolArray]
    matched: list[BoolArray]


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
    return Decision(splits, [variant.matched.cpu().numpy() for variant in variants])


class _Variant(NamedTuple):
    cost: Float[Tensor, " r"]
    matched: Bool[Tensor, " r"]


def _cheapest_variant(
    candidates: BlockCandidates,
    geometry: PlaneGeometry,
    step: float,
    error_per_bit: float,
    rates: Rates,
) -> _Variant:
    """For every block, no domain or the one that was fitted."""
    size, fit = candidates.size, candidates.fit
    plain = least_cost(candidates.plain, size, step, error_per_bit, rates)
    count_bits = rates.n_domains[size].to(plain)
    plain = plain + error_per_bit * count_bits[0]
    if fit is None:
        return _Variant(plain, torch.zeros_like(plain, dtype=torch.bool))
    bits = count_bits[1] + rates.contrast[size].to(plain)[fit.contrast + WIDEST]
    bits = bits + rates.isometry + _address_bits(candidates, geometry).to(plain)
    with_domain = least_cost(fit.residual, size, step, error_per_bit, rates)
    with_domain = with_domain + error_per_bit * bits
    matched = (with_domain < plain) & (fit.contrast != 0)
    return _Variant(torch.where(matched, with_domain, plain), matched)


def _address_bits(candidates: BlockCandidates, geometry: PlaneGeometry) -> Float[Tensor, " r"]:
    size = candidates.size
    _, _, rows, columns = geometry.pools(size, *block_corners(geometry, size))
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
