"""Cosine coefficients of the ranges, and their rate-distortion optimised quantisation (RDOQ)."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from neural_collage.fractal.geometry import DIAGONAL, cosine_transform, last_diagonal
from neural_collage.fractal.rates import LARGEST, Rates, band, own_class

_CHUNK = 1 << 14  # ranges at a time, which bounds the memory of the temporaries
_CONTEXT_ROUNDING = 0.35  # of contexts; below one half because quantisation lowers magnitudes


class Spectrum(NamedTuple):
    """Low-order cosine coefficients of blocks, and the energy of higher orders.

    The coefficient of the mean is zero, as brightness is coded separately.
    """

    coefficients: Float[Tensor, "r q q"]
    remainder: Float[Tensor, " r"]


def spectrum(blocks: Float[Tensor, "r n n"]) -> Spectrum:
    """The spectrum of square blocks."""
    transform = cosine_transform(blocks.shape[-1]).to(blocks)
    coefficients = transform @ blocks @ transform.T
    remainder = blocks.square().sum((1, 2)) - coefficients.square().sum((1, 2))
    coefficients[:, 0, 0] = 0
    return Spectrum(coefficients, remainder.clamp_min(0))


class Quantised(NamedTuple):
    """Quantised coefficients, last coded diagonal and cost of each range."""

    values: Int32[Tensor, "r q q"]
    last: Int64[Tensor, " r"]
    cost: Float[Tensor, " r"]


def quantise(
    spectrum: Spectrum, size: int, step: float, error_per_bit: float, rates: Rates
) -> Quantised:
    """Choose values and last diagonal of every range by squared error + error_per_bit * bits.

    Each coefficient is rounded, or moved one step further towards zero; then each range is
    truncated after the diagonal of least cost.
    """
    parts = [
        _quantise(Spectrum(coefficients, remainder), size, step, error_per_bit, rates)
        for coefficients, remainder in zip(
            spectrum.coefficients.split(_CHUNK), spectrum.remainder.split(_CHUNK), strict=True
        )
    ]
    return Quantised(*(torch.cat(field) for field in zip(*parts, strict=True)))


def _quantise(
    spectrum: Spectrum, size: int, step: float, error_per_bit: float, rates: Rates
) -> Quantised:
    scaled = (spectrum.coefficients / step).abs()
    q = scaled.shape[-1]
    rounded = torch.floor(scaled + 0.5)
    code_lengths = rates.coefficient[size].to(scaled)
    n_magnitudes = code_lengths.shape[-1]
    own = own_class(torch.floor(scaled + _CONTEXT_ROUNDING))
    context = own * code_lengths.shape[1] + band(q).to(scaled.device)
    row = context * n_magnitudes
    code_lengths = code_lengths.flatten()

    def cost_of(magnitude: Tensor) -> Tensor:
        bits = code_lengths[row + magnitude.clamp_max(LARGEST).long()]
        return (scaled - magnitude).square() * step**2 + error_per_bit * bits

    lower = (rounded - 1).clamp_min(0)
    cost, cost_lower = cost_of(rounded), cost_of(lower)
    reduce = cost_lower < cost
    magnitude = torch.where(reduce, lower, rounded)
    relative_cost = torch.minimum(cost, cost_lower) - scaled.square() * step**2
    diagonals = torch.from_numpy(DIAGONAL[:q, :q]).to(scaled.device).flatten()
    n_diagonals = last_diagonal(size) + 1
    per_diagonal = scaled.new_zeros(len(scaled), n_diagonals)
    per_diagonal.index_add_(1, diagonals, relative_cost.flatten(1))
    per_diagonal[:, 0] = 0
    total_cost = per_diagonal.cumsum(1) + error_per_bit * rates.last[size].to(scaled)
    last = total_cost.argmin(1)
    magnitude = magnitude * (diagonals.view(q, q) <= last[:, None, None])
    magnitude[:, 0, 0] = 0
    last = (magnitude.ne(0) * diagonals.view(q, q)).amax((1, 2))  # drop an all-zero tail
    values = (magnitude * spectrum.coefficients.sign()).int()
    energy = spectrum.coefficients.square().sum((1, 2)) + spectrum.remainder
    return Quantised(values, last, energy + total_cost.min(1).values)
