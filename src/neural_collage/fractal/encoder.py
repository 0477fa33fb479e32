"""The fractal encoder of one plane: rounds of decisions, each on the decode of the one before.

Domains are searched, fitted and priced as the decoder will see them, not as they are in the
original: in the closed loop, an error of a domain is an error of the ranges that copy it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.blocks import pad_to_multiple, pool
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.errors import NotConvergedError
from neural_collage.fractal.brightness import descend, haar, predict_details
from neural_collage.fractal.candidates import BlockCandidates, analyse, find_domains, fit_domains
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.coefficients import quantise
from neural_collage.fractal.effort import Effort, Round
from neural_collage.fractal.geometry import (
    MAX_CONTRAST,
    ORDER,
    SIZES,
    BoolArray,
    IntArray,
    PlaneGeometry,
)
from neural_collage.fractal.matching import Matches
from neural_collage.fractal.quadtree import DETAIL_ROUNDING, decide
from neural_collage.fractal.rates import Rates
from neural_collage.fractal.statistics import Counter, Counts
from neural_collage.fractal.syntax import code_plane


@dataclass(frozen=True, eq=False)
class _Plane:
    """What is encoded, and at which price; see `encode_plane`."""

    image: Float[Tensor, "h w"]
    step: float
    error_per_bit: float
    prior: Counts

    def geometry(self, round_: Round) -> PlaneGeometry:
        """The canvas with the lattice of a round."""
        height, width = self.image.shape
        return PlaneGeometry(height, width, round_.lattice, round_.wide)


@dataclass(frozen=True, eq=False)
class _Trial:
    """A code, its J, the statistics of the entropy coder after it, and its decode."""

    code: PlaneCode
    cost: float
    counts: Counts
    canvas: Float[Tensor, "1 H W"]


def encode_plane(
    image: Float[Tensor, "h w"], step: float, error_per_bit: float, prior: Counts, effort: Effort
) -> PlaneCode:
    """Encode one plane: of the codes of all rounds, that of the least J = D + error_per_bit * R.

    image: in units of 1/255. step: the quantiser step in the same units. error_per_bit: the
    squared error worth one bit. prior: initial statistics of the entropy coder. D is the squared
    error of the decoded plane, R the length of the coded one.

    A round whose biases the decoder could not solve for is passed over.
    """
    plane = _Plane(image, step, error_per_bit, prior)
    canvas = pad_to_multiple(image[None], SIZES[0])
    blocks = [analyse(canvas, size) for size in SIZES]
    found: dict[tuple[int, int], Matches | None] = {}
    code = _decide(plane, blocks, plane.geometry(effort.rounds[0]), prior)
    if len(effort.rounds) == 1:
        return code
    best = latest = _try(plane, code)
    for round_ in effort.rounds[1:]:
        geometry = plane.geometry(round_)
        if geometry.pooling != latest.code.geometry.pooling:
            latest = best
        pooled = pool(latest.canvas, geometry.pooling)[0]
        candidates = [
            _with_domains(part, pooled, geometry, found)
            if part.size in round_.match_sizes
            else part
            for part in blocks
        ]
        # the statistics of a code without domains would make the first ones too expensive
        told = not round_.match_sizes or latest.code.contrasts.any()
        counts = latest.counts if told else prior
        try:
            latest = _try(plane, _decide(plane, candidates, geometry, counts))
        except NotConvergedError:
            continue
        best = min(best, latest, key=lambda trial: trial.cost)
    return best.code


def _with_domains(
    blocks: BlockCandidates,
    pooled: Float[Tensor, "H W"],
    geometry: PlaneGeometry,
    found: dict[tuple[int, int], Matches | None],
) -> BlockCandidates:
    """The blocks with domains fitted to a pooled decode; each size is searched only once.

    found: the domains of each lattice and size that were searched before.
    """
    key = geometry.lattice, blocks.size
    if key not in found:
        found[key] = find_domains(blocks, pooled, geometry)
    domains = found[key]
    if domains is None:
        return blocks
    return replace(blocks, fit=fit_domains(blocks, domains, pooled, geometry))


def _try(plane: _Plane, code: PlaneCode) -> _Trial:
    """Count and decode a code; raises NotConvergedError as the decoder would."""
    counter = Counter({name: counts.copy() for name, counts in plane.prior.items()})
    code_plane(counter, code.geometry, code.contrasts.shape[1], code)
    image = plane.image
    canvas = PyramidDecoder(code.to_collage(plane.step)).canvas(Fraction(1)).to(image) * 255
    height, width = image.shape
    error = (canvas[0, :height, :width] - image).double().square().sum()
    cost = float(error) + plane.error_per_bit * sum(counter.bits.values())
    return _Trial(code, cost, counter.counts, canvas)


def _decide(
    plane: _Plane, candidates: Sequence[BlockCandidates], geometry: PlaneGeometry, counts: Counts
) -> PlaneCode:
    """The code that is cheapest by the rates of these counts."""
    step, error_per_bit, rates = plane.step, plane.error_per_bit, Rates.of(counts)
    decision = decide(candidates, geometry, step, error_per_bit, rates)
    active = np.ones(geometry.grid(SIZES[0]), bool)
    splits: list[BoolArray] = []
    domains, last, coefficients = [], [], []
    for blocks, split, matched in zip(
        candidates, [*decision.splits, None], decision.matched, strict=True
    ):
        split = np.zeros_like(active) if split is None else split & active
        leaves = np.flatnonzero(active & ~split)
        chosen = blocks.choose(leaves, matched[leaves])
        coded = quantise(chosen.spectrum, blocks.size, step, error_per_bit, rates)
        order = coded.values.shape[-1]
        values = np.zeros((len(leaves), ORDER, ORDER), np.int64)
        values[:, :order, :order] = coded.values.cpu().numpy()
        domains.append(chosen.domains)
        last.append(coded.last.cpu().numpy())
        coefficients.append(values)
        splits.append(split)
        active = split.repeat(2, 0).repeat(2, 1)
    roots, details = _quantise_means(candidates, splits[:-1], step)
    links = np.concatenate(domains, axis=1)[..., None]
    return PlaneCode(
        _least(geometry, links[0]),
        tuple(splits[:-1]),
        roots,
        details,
        np.concatenate(last),
        np.concatenate(coefficients),
        *links,
    )


def _least(geometry: PlaneGeometry, contrasts: IntArray) -> PlaneGeometry:
    """The geometry with wide contrasts, and domains of its own reduction, only if there are any."""
    if not contrasts.any():
        return PlaneGeometry(geometry.height, geometry.width, Round().lattice)
    return replace(geometry, wide=bool((np.abs(contrasts) > MAX_CONTRAST).any()))


def _quantise_means(
    candidates: Sequence[BlockCandidates], splits: Sequence[BoolArray], step: float
) -> tuple[IntArray, tuple[IntArray, ...]]:
    """The tree of means, with each depth predicted from the quantised means of the one before."""
    roots = np.rint(candidates[0].means / step).astype(np.int64)
    grid = roots.astype(np.float64) * step
    details = []
    for finer, split in zip(candidates[1:], splits, strict=True):
        _, exact = haar(finer.means)
        scaled = ((exact - predict_details(grid)) / step)[split]
        magnitude = np.floor(np.abs(scaled) + DETAIL_ROUNDING)
        detail = (np.sign(scaled) * magnitude).astype(np.int64)
        grid = descend(grid, split, detail, step)
        details.append(detail)
    return roots, tuple(details)
