"""Rates of the encoder's decisions in bits, estimated from the counts of the entropy coder."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.fractal.contexts import N_BAND, N_NEAR, N_OWN, N_ROUGH, OWN_EDGES, band_of
from neural_collage.fractal.geometry import (
    DIAGONAL,
    MAX_CONTRAST,
    ORDER,
    SIZES,
    IntArray,
    last_diagonal,
)
from neural_collage.fractal.statistics import Counts
from neural_collage.fractal.symbols import ESCAPE

_SIGN_BITS = 1.0
LARGEST = 64  # larger magnitudes are assigned the rate of this one


def _bits(counts: IntArray) -> Float[Tensor, "..."]:
    """Ideal code lengths along the last axis."""
    counts = np.maximum(counts, 1)
    return torch.from_numpy(np.log2(counts.sum(-1, keepdims=True) / counts)).float()


def _with_escape(bits: Float[Tensor, "*c 16"]) -> Float[Tensor, "*c 65"]:
    """Code lengths of signed magnitudes 0..LARGEST, with sign and Exp-Golomb continuation."""
    excess = torch.arange(LARGEST - ESCAPE + 1)
    continuation = 2 * torch.floor(torch.log2((excess + 1).float())) + 1
    large = bits[..., ESCAPE:] + continuation
    unsigned = torch.cat([bits[..., :ESCAPE], large], -1)
    return unsigned + torch.cat([unsigned.new_zeros(1), unsigned.new_full((LARGEST,), _SIGN_BITS)])


@dataclass(frozen=True, eq=False)
class Rates:
    """Code lengths in bits for one kind of plane.

    coefficient: by size, (own class, band, magnitude), averaged over other parts of the context.
    last: by size, (last diagonal,). n_domains: by size, (number of domains,).
    contrast: by size, (index of the contrast + WIDEST,), as where contrasts may be wide.
    split: by size, (roughness class, flag).
    detail: (context of the syntax, magnitude).
    """

    coefficient: dict[int, Float[Tensor, "o b m"]]
    last: dict[int, Float[Tensor, " d"]]
    n_domains: dict[int, Float[Tensor, " k"]]
    contrast: dict[int, Float[Tensor, " c"]]
    split: dict[int, Float[Tensor, "r 2"]]
    detail: Float[Tensor, "x m"]
    isometry: float = 3.0

    @classmethod
    def of(cls, counts: Counts) -> "Rates":
        """Code lengths for given counts."""
        shape = (len(SIZES), N_OWN, N_NEAR, 2, N_BAND, ESCAPE + 1)
        coefficient = _with_escape(_bits(counts["magnitude"].reshape(shape).sum((2, 3))))
        last = counts["last"].reshape(len(SIZES), -1, 2 * ORDER - 1).sum(1)
        n_domains = counts["links"].reshape(len(SIZES), -1, 4).sum(1)
        split = counts["split"].reshape(len(SIZES) - 1, 5, N_ROUGH, 2).sum(1)
        contrast = _bits(counts["contrast"]).split(MAX_CONTRAST, 1)
        unused = contrast[0].new_zeros(len(SIZES), 1)
        excess = _bits(counts["excess"])
        widest = contrast[0][:, :1] + excess.flip(1), contrast[1][:, -1:] + excess
        return cls(
            dict(zip(SIZES, coefficient, strict=True)),
            {s: _bits(c[: last_diagonal(s) + 1]) for s, c in zip(SIZES, last, strict=True)},
            dict(zip(SIZES, _bits(n_domains), strict=True)),
            dict(
                zip(
                    SIZES,
                    torch.cat(
                        [widest[0], contrast[0][:, 1:], unused, contrast[1][:, :-1], widest[1]], 1
                    ),
                    strict=True,
                )
            ),
            dict(zip(SIZES, _bits(split), strict=False)),
            _with_escape(_bits(counts["detail"])),
        )


def own_class(magnitude: Float[Tensor, "r q q"]) -> Tensor:
    """Class of the whole magnitudes next to every coefficient in its block, as in the syntax."""
    padded = torch.nn.functional.pad(magnitude, (2, 0, 2, 0))
    q = magnitude.shape[-1]
    own = (
        2 * (padded[:, 1 : q + 1, 2:] + padded[:, 2:, 1 : q + 1])
        + padded[:, 1 : q + 1, 1 : q + 1]
        + padded[:, :q, 2:]
        + padded[:, 2:, :q]
    )
    edges = torch.tensor(OWN_EDGES)
    classes = torch.bucketize(torch.arange(OWN_EDGES[-1] + 1), edges, right=True)
    return classes.to(own.device)[own.clamp_max(OWN_EDGES[-1]).long()]


def band(order: int) -> Tensor:
    """Frequency band of every coefficient, as in the syntax; 0 for the unused mean."""
    return torch.from_numpy(band_of(np.maximum(DIAGONAL[:order, :order], 1)))
