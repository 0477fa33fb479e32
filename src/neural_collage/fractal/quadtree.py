"""The rate-distortion quadtree: for every block the cheapest variant, then bottom-up merging."""

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
    CONTRAST_LEVELS,
    SIZES,
    BoolArray,
    IntArray,
    PlaneGeometry,
)
from neural_collage.fractal.rates import LARGEST, Rates

DETAIL_ROUNDING = 0.4  # below one half: a detail has to earn its bits


class Decision(NamedTuple):
    """A quadtree: split flags of the full grids, and how many domains each block would use."""

    splits: list[BoolArray]
    n_links: list[IntArray]


def decide(
    levels: Sequence[BlockCandidates],
    geometry: PlaneGeometry,
    step: float,
    lagrangian: float,
    rates: Rates,
) -> Decision:
    """The quadtree of least squared error + lagrangian * bits, under additive prices."""
    variants = [_cheapest_variant(level, geometry, step, lagrangian, rates) for level in levels]
    splits: list[BoolArray] = []
    below = variants[-1].cost.view(geometry.grid(SIZES[-1]))
    for index in reversed(range(len(SIZES) - 1)):
        rows, columns = geometry.grid(SIZES[index])
        rough, details = _detail_cost(levels, index, step, lagrangian, rates)
        flag = lagrangian * rates.split[SIZES[index]].to(below)[rough.to(below.device)]
        whole = variants[index].cost.view(rows, columns) + flag[..., 0]
        quarters = below.view(rows, 2, columns, 2).sum((1, 3))
        quarters = quarters + details.to(below) + flag[..., 1]
        splits.insert(0, (quarters < whole).cpu().numpy())
        below = torch.minimum(quarters, whole)
    return Decision(splits, [variant.n_links.cpu().numpy() for variant in variants])


class _Variant(NamedTuple):
    cost: Float[Tensor, " r"]
    n_links: Int64[Tensor, " r"]


def _cheapest_variant(
    level: BlockCandidates, geometry: PlaneGeometry, step: float, lagrangian: float, rates: Rates
) -> _Variant:
    """For every block, no domain or the first few of its links."""
    size = level.size
    plain = quantise(level.plain, size, step, lagrangian, rates)
    price = rates.links[size].to(plain.cost)
    best = plain.cost + lagrangian * price[0]
    n_links = torch.zeros_like(plain.last)
    bits = torch.zeros_like(best)
    for count, link in enumerate(level.links, start=1):
        contrast_bits = rates.contrast[size].to(best)[link.contrast + CONTRAST_LEVELS]
        bits = bits + contrast_bits + rates.isometry + _address_bits(level, geometry).to(best)
        coded = quantise(link.remainder, size, step, lagrangian, rates)
        cost = coded.cost + lagrangian * (price[count] + bits)
        better = (cost < best) & (link.contrast != 0)
        best = torch.where(better, cost, best)
        n_links = torch.where(better, count, n_links)
    return _Variant(best, n_links)


def _address_bits(level: BlockCandidates, geometry: PlaneGeometry) -> Float[Tensor, " r"]:
    y, x = np.indices(geometry.grid(level.size)).reshape(2, -1) * level.size
    _, _, rows, columns = geometry.pools(level.size, y, x)
    return torch.from_numpy(np.log2(np.maximum(rows * columns, 1))).float()


def _detail_cost(
    levels: Sequence[BlockCandidates], index: int, step: float, lagrangian: float, rates: Rates
) -> tuple[Int64[Tensor, "rows columns"], Float[Tensor, "rows columns"]]:
    """Roughness class of each block of a size, and the cost of its Haar details if it is split.

    From the unquantised means, which the coded ones follow to within a step.
    """
    sums, magnitude = _detail_magnitudes(levels, index, step)
    classes = np.zeros(sums.shape, np.int64)
    if index:
        _, parents = _detail_magnitudes(levels, index - 1, step)
        total = _rounded(parents).sum(-1).astype(np.int64)
        classes = rough_class(total).repeat(2, 0).repeat(2, 1)
    quantised = _rounded(magnitude)
    table = rates.detail.numpy()
    bits = table[detail_context(index, classes), np.minimum(quantised, LARGEST).astype(np.int64)]
    error = ((magnitude - quantised) * step) ** 2
    cost = torch.from_numpy((error + lagrangian * bits).sum(-1)).float()
    return torch.from_numpy(classes), cost


def _detail_magnitudes(
    levels: Sequence[BlockCandidates], index: int, step: float
) -> tuple[np.ndarray, np.ndarray]:
    sums, details = haar(levels[index + 1].means)
    return sums, np.abs(details - predict_details(sums)) / step


def _rounded(magnitude: np.ndarray) -> np.ndarray:
    return np.floor(magnitude + DETAIL_ROUNDING)
