"""Cosine coefficients of the ranges, and their rate-distortion optimised quantisation (RDOQ)."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from neural_collage.fractal.geometry import DIAGONAL, last_diagonal
from neural_collage.fractal.patches import cosine_transform
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
    parts = [_quantise(part, size, step, error_per_bit, rates) for part in _in_chunks(spectrum)]
    return Quantised(*(torch.cat(field) for field in zip(*parts, strict=True)))


def least_cost(
    spectrum: Spectrum, size: int, step: float, error_per_bit: float, rates: Rates
) -> Float[Tensor, " r"]:
    """The cost of every range as `quantise` chooses it."""
    parts = [
        _energy(part) + _magnitudes(part, size, step, error_per_bit, rates)[1].min(1).values
        for part in _in_chunks(spectrum)
    ]
    return torch.cat(parts)


def _in_chunks(spectrum: Spectrum) -> Iterator[Spectrum]:
    return map(Spectrum, *(field.split(_CHUNK) for field in spectrum))


def _quantise(
    spectrum: Spectrum, size: int, step: float, error_per_bit: float, rates: Rates
) -> Quantised:
    magnitude, cost = _magnitudes(spectrum, size, step, error_per_bit, rates)
    best = cost.min(1)
    q = magnitude.shape[-1]
    diagonals = torch.from_numpy(DIAGONAL[:q, :q]).to(magnitude.device)
    magnitude = magnitude * (diagonals <= best.indices[:, None, None])
    magnitude[:, 0, 0] = 0
    last = (magnitude.ne(0) * diagonals).amax((1, 2))  # drop an all-zero tail
    values = (magnitude * spectrum.coefficients.sign()).int()
    return Quantised(values, last, _energy(spectrum) + best.values)


def _energy(spectrum: Spectrum) -> Float[Tensor, " r"]:
    """The squared error without coefficients."""
    return spectrum.coefficients.square().sum((1, 2)) + spectrum.remainder


def _magnitudes(
    spectrum: Spectrum, size: int, step: float, error_per_bit: float, rates: Rates
) -> tuple[Float[Tensor, "r q q"], Float[Tensor, "r d"]]:
    """The magnitude of every coefficient, and what truncation after each diagonal adds in cost."""
    scaled = (spectrum.coefficients / step).abs()
    q = scaled.shape[-1]
    rounded = torch.floor(scaled + 0.5)
    code_lengths = rates.coefficient[size].to(scaled)
    n_magnitudes = code_lengths.shape[-1]
    own = own_class(torch.floor(scaled + _CONTEXT_ROUNDING))
    context = own.to(scaled) * code_lengths.shape[1] + band(q).to(scaled)
    row = context * n_magnitudes  # a float, which is faster and exact
    code_lengths = code_lengths.flatten()

    def cost_of(magnitude: Tensor) -> Tensor:
        bits = code_lengths[(row + magnitude.clamp_max(LARGEST)).long()]
        return (scaled - magnitude).square() * step**2 + error_per_bit * bits

    lower = (rounded - 1).clamp_min(0)
    cost, cost_lower = cost_of(rounded), cost_of(lower)
    magnitude = torch.where(cost_lower < cost, lower, rounded)
    relative_cost = torch.minimum(cost, cost_lower) - scaled.square() * step**2
    diagonals = torch.from_numpy(DIAGONAL[:q, :q]).to(scaled.device).flatten()
    per_diagonal = scaled.new_zeros(len(scaled), last_diagonal(size) + 1)
    per_diagonal.index_add_(1, diagonals, relative_cost.flatten(1))
    per_diagonal[:, 0] = 0
    return magnitude, per_diagonal.cumsum(1) + error_per_bit * rates.last[size].to(scaled)
