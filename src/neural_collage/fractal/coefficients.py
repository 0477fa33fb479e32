"""Texture: cosine coefficients of the ranges, quantised for the least rate-distortion cost."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from neural_collage.fractal.geometry import DIAGONAL, cosine_transform, last_diagonal
from neural_collage.fractal.rates import LARGEST, Rates, band, own_class

_CHUNK = 1 << 14  # ranges at a time, which bounds the memory of the temporaries
_SURVIVAL = 0.35  # for contexts, a magnitude of n + 0.65 and more counts as n + 1


class Spectrum(NamedTuple):
    """Blocks as their low-order cosine coefficients and the energy that these leave out.

    The coefficient of the mean is zero: brightness is coded elsewhere.
    """

    coefficients: Float[Tensor, "r q q"]
    remainder: Float[Tensor, " r"]


def spectrum(blocks: Float[Tensor, "r n n"]) -> Spectrum:
    """Analyse square blocks."""
    transform = cosine_transform(blocks.shape[-1]).to(blocks)
    coefficients = transform @ blocks @ transform.T
    remainder = blocks.square().sum((1, 2)) - coefficients.square().sum((1, 2))
    coefficients[:, 0, 0] = 0
    return Spectrum(coefficients, remainder.clamp_min(0))


class Quantised(NamedTuple):
    """Quantised coefficients, last coded diagonal and rate-distortion cost of each range."""

    values: Int32[Tensor, "r q q"]
    last: Int64[Tensor, " r"]
    cost: Float[Tensor, " r"]


def quantise(
    spectrum: Spectrum, size: int, step: float, lagrangian: float, rates: Rates
) -> Quantised:
    """Choose values and last diagonal of every range by squared error + lagrangian * bits.

    Each coefficient may be rounded or moved one step towards zero, then each range is cut after
    the diagonal where that is cheapest.
    """
    parts = [
        _quantise(Spectrum(coefficients, remainder), size, step, lagrangian, rates)
        for coefficients, remainder in zip(
            spectrum.coefficients.split(_CHUNK), spectrum.remainder.split(_CHUNK), strict=True
        )
    ]
    return Quantised(*(torch.cat(field) for field in zip(*parts, strict=True)))


def _quantise(
    spectrum: Spectrum, size: int, step: float, lagrangian: float, rates: Rates
) -> Quantised:
    scaled = (spectrum.coefficients / step).abs()
    q = scaled.shape[-1]
    rounded = torch.floor(scaled + 0.5)
    prices = rates.coefficient[size].to(scaled)
    n_magnitudes = prices.shape[-1]
    context = own_class(torch.floor(scaled + _SURVIVAL)) * prices.shape[1] + band(q).to(
        scaled.device
    )
    row = context * n_magnitudes
    prices = prices.flatten()

    def cost_of(magnitude: Tensor) -> Tensor:
        bits = prices[row + magnitude.clamp_max(LARGEST).long()]
        return (scaled - magnitude).square() * step**2 + lagrangian * bits

    lower = (rounded - 1).clamp_min(0)
    cost, cost_lower = cost_of(rounded), cost_of(lower)
    reduce = cost_lower < cost
    magnitude = torch.where(reduce, lower, rounded)
    gain = torch.minimum(cost, cost_lower) - scaled.square() * step**2
    diagonals = torch.from_numpy(DIAGONAL[:q, :q]).to(scaled.device).flatten()
    n_diagonals = last_diagonal(size) + 1
    per_diagonal = scaled.new_zeros(len(scaled), n_diagonals)
    per_diagonal.index_add_(1, diagonals, gain.flatten(1))
    per_diagonal[:, 0] = 0
    ends = per_diagonal.cumsum(1) + lagrangian * rates.last[size].to(scaled)
    last = ends.argmin(1)
    magnitude = magnitude * (diagonals.view(q, q) <= last[:, None, None])
    magnitude[:, 0, 0] = 0
    last = (magnitude.ne(0) * diagonals.view(q, q)).amax((1, 2))  # drop an all-zero tail
    values = (magnitude * spectrum.coefficients.sign()).int()
    energy = spectrum.coefficients.square().sum((1, 2)) + spectrum.remainder
    return Quantised(values, last, energy + ends.min(1).values)
