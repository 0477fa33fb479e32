"""What a decision costs in bits, from the counts that drive the entropy coder."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.fractal.geometry import (
    CONTRAST_LEVELS,
    DIAGONAL,
    SIZES,
    IntArray,
    last_diagonal,
)
from neural_collage.fractal.statistics import Counts
from neural_collage.fractal.syntax import ESCAPE, N_BAND, N_NEAR, N_OWN

_SIGN = 1.0
LARGEST = 64  # magnitudes beyond are priced as this one


def _bits(counts: IntArray) -> Float[Tensor, "..."]:
    """Ideal code lengths along the last axis."""
    counts = np.maximum(counts, 1)
    return torch.from_numpy(np.log2(counts.sum(-1, keepdims=True) / counts)).float()


def _with_escape(bits: Float[Tensor, "*c 16"]) -> Float[Tensor, "*c 65"]:
    """Prices of signed magnitudes 0..LARGEST: sign and Exp-Golomb continuation included."""
    excess = torch.arange(LARGEST - ESCAPE + 1)
    continuation = 2 * torch.floor(torch.log2(excess + 1.0)) + 1
    large = bits[..., ESCAPE:] + continuation
    priced = torch.cat([bits[..., :ESCAPE], large], -1)
    return priced + torch.cat([torch.zeros(1), torch.full((LARGEST,), _SIGN)])


@dataclass(frozen=True, eq=False)
class Rates:
    """Code lengths in bits for one kind of plane.

    coefficient: by size, (own class, band, magnitude); the context of the surroundings averaged.
    last: by size, (last diagonal,). links: by size, (number of domains,).
    contrast: by size, (level + 7,). split: by size, (roughness class, flag).
    detail: by size, (roughness class, magnitude) for horizontal and vertical, then diagonal.
    """

    coefficient: dict[int, Float[Tensor, "o b m"]]
    last: dict[int, Float[Tensor, " d"]]
    links: dict[int, Float[Tensor, " k"]]
    contrast: dict[int, Float[Tensor, " c"]]
    split: dict[int, Float[Tensor, "r 2"]]
    detail: dict[int, Float[Tensor, "r2 m"]]
    isometry: float = 3.0

    @classmethod
    def of(cls, counts: Counts) -> "Rates":
        """Prices under given counts."""
        coefficient, last, links, contrast, split, detail = ({} for _ in range(6))
        for size in SIZES:
            table = counts[f"magnitude{size}"].reshape(N_OWN, N_NEAR, 2, N_BAND, ESCAPE + 1)
            coefficient[size] = _with_escape(_bits(table.sum((1, 2))))
            last[size] = _bits(counts[f"last{size}"].sum(0))[: last_diagonal(size) + 1]
            links[size] = _bits(counts[f"links{size}"].sum(0))
            flat = _bits(counts[f"contrast{size}"].sum(0))
            contrast[size] = torch.cat(
                [flat[:CONTRAST_LEVELS], torch.zeros(1), flat[CONTRAST_LEVELS:]]
            )
            split[size] = _bits(counts[f"split{size}"].reshape(5, 4, 2).sum(0))
            detail[size] = _with_escape(_bits(counts[f"detail{size}"]))
        return cls(coefficient, last, links, contrast, split, detail)


def own_class(magnitude: Float[Tensor, "r q q"]) -> Tensor:
    """The class of the own-block context of every coefficient, as in the syntax."""
    padded = torch.nn.functional.pad(magnitude, (2, 0, 2, 0))
    q = magnitude.shape[-1]
    own = (
        2 * (padded[:, 1 : q + 1, 2:] + padded[:, 2:, 1 : q + 1])
        + padded[:, 1 : q + 1, 1 : q + 1]
        + padded[:, :q, 2:]
        + padded[:, 2:, :q]
    )
    edges = torch.tensor([1, 2, 3, 5, 8, 14], dtype=own.dtype, device=own.device)
    return torch.bucketize(own, edges, right=True)


def band(order: int) -> Tensor:
    """The band of every coefficient, as in the syntax."""
    diagonal = torch.from_numpy(DIAGONAL[:order, :order])
    return ((diagonal - 1).clamp_min(0) // 2).clamp_max(N_BAND - 1)
