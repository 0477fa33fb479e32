"""The fractal encoder of one plane: domain search, decision, and fitting to decoded domains."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core.blocks import pad_to_multiple, pool
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.errors import NotConvergedError
from neural_collage.fractal.brightness import descend, haar, predict_details
from neural_collage.fractal.candidates import BlockCandidates, analyse, corner_tensor, fit_contrast
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.coefficients import quantise, spectrum
from neural_collage.fractal.effort import Effort
from neural_collage.fractal.geometry import (
    ORDER,
    POOLING,
    SIZES,
    BoolArray,
    IntArray,
    PlaneGeometry,
)
from neural_collage.fractal.matching import centred_domains
from neural_collage.fractal.quadtree import DETAIL_ROUNDING, Decision, decide
from neural_collage.fractal.rates import Rates
from neural_collage.fractal.statistics import Counter, Counts
from neural_collage.fractal.syntax import code_plane


def encode_plane(
    image: Float[Tensor, "h w"], step: float, error_per_bit: float, prior: Counts, effort: Effort
) -> PlaneCode:
    """Encode one plane.

    image: in units of 1/255. step: the quantiser step in the same units. error_per_bit: the
    squared error worth one bit, as in J = D + error_per_bit * R. prior: initial statistics of the
    entropy coder.

    The code's collage always contracts, since the contrasts of a range sum below 1. If its biases
    cannot be solved for nevertheless, the plane is coded without domains.
    """
    geometry = PlaneGeometry(image.shape[0], image.shape[1], effort.lattice)
    canvas = pad_to_multiple(image[None], SIZES[0])
    candidates = [analyse(canvas, geometry, size, effort) for size in SIZES]
    original = pool(canvas, POOLING)[0]
    rates = Rates.of(prior)
    for remaining in reversed(range(effort.passes)):
        decision = decide(candidates, geometry, step, error_per_bit, rates)
        code = _structure(candidates, geometry, decision, step, effort.domains_per_range)
        code = _fit_coefficients(
            code, candidates, original, step, error_per_bit, rates, refit=False
        )
        if remaining:
            rates = Rates.of(_count(code, prior))
    if not code.contrasts.any():
        return code
    try:
        for _ in range(effort.refits):
            decoded = PyramidDecoder(code.to_collage(step)).canvas(Fraction(1)).to(canvas) * 255
            half = pool(decoded, POOLING)[0]
            code = _fit_coefficients(code, candidates, half, step, error_per_bit, rates, refit=True)
        code.to_collage(step)  # raises if the decoder could not solve for the biases
    except NotConvergedError:
        return encode_plane(image, step, error_per_bit, prior, effort.without_matching())
    return code


def _count(code: PlaneCode, prior: Counts) -> Counts:
    """The statistics after this code."""
    counter = Counter({name: counts.copy() for name, counts in prior.items()})
    code_plane(counter, code.geometry, code.contrasts.shape[1], code)
    return counter.counts


def _structure(
    candidates: Sequence[BlockCandidates],
    geometry: PlaneGeometry,
    decision: Decision,
    step: float,
    domains_per_range: int,
) -> PlaneCode:
    """A code with the decided quadtree, means and domains, but without coefficients."""
    active = np.ones(geometry.grid(SIZES[0]), bool)
    splits: list[BoolArray] = []
    domains = []
    for depth, (blocks, n_domains) in enumerate(zip(candidates, decision.n_domains, strict=True)):
        finest = depth == len(decision.splits)
        split = np.zeros_like(active) if finest else decision.splits[depth] & active
        leaf = np.flatnonzero(active & ~split)
        chosen = np.zeros((3, len(leaf), domains_per_range), np.int64)
        for k, match in enumerate(blocks.matches):
            fields = (match.contrast, match.domains.address, match.domains.isometry)
            used = n_domains[leaf] > k
            chosen[:, :, k] = [np.where(used, field.cpu().numpy()[leaf], 0) for field in fields]
        domains.append(chosen)
        if not finest:
            splits.append(split)
            active = split.repeat(2, 0).repeat(2, 1)
    roots, details = _quantise_means(candidates, splits, step)
    contrasts, addresses, isometries = np.concatenate(domains, axis=1)
    return PlaneCode(
        geometry,
        tuple(splits),
        roots,
        details,
        np.zeros(len(contrasts), np.int64),
        np.zeros((len(contrasts), ORDER, ORDER), np.int64),
        contrasts,
        addresses,
        isometries,
    )


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


def _fit_coefficients(
    code: PlaneCode,
    candidates: Sequence[BlockCandidates],
    half: Float[Tensor, "H W"],
    step: float,
    error_per_bit: float,
    rates: Rates,
    *,
    refit: bool,
) -> PlaneCode:
    """Quantise the coefficients of all leaves, given their domains.

    half: the pooled canvas that the domains are read from. refit: fit the contrasts to it as
    well, except where the result is 0: the numbers of domains are already decided.
    """
    partition = code.partition()
    contrasts, last = code.contrasts.copy(), code.last.copy()
    coefficients = np.zeros_like(code.coefficients)
    candidates_of = {blocks.size: blocks for blocks in candidates}
    for group in partition.groups:
        part, blocks = group.ranges, candidates_of[group.size].blocks
        columns = code.geometry.grid(group.size)[1]
        residual = blocks[(group.grid_rows * columns + group.grid_columns).to(half.device)]
        for k in range(contrasts.shape[1]):
            ranges = part.start + np.flatnonzero(contrasts[part, k])
            rows = torch.from_numpy(ranges - part.start).to(half.device)
            domains = _domains(code, partition.blocks[ranges], ranges, k, half, group.size)
            contrast = torch.from_numpy(contrasts[ranges, k]).to(half.device)
            if refit:
                spent = np.abs(contrasts[ranges]).sum(1) - np.abs(contrasts[ranges, k])
                fitted = fit_contrast(
                    residual[rows], domains, torch.from_numpy(spent).to(half.device)
                )
                contrast = torch.where(fitted == 0, contrast, fitted)
                contrasts[ranges, k] = contrast.cpu().numpy()
            residual[rows] -= domains * (contrast / 8)[:, None, None]
        coded = quantise(spectrum(residual), group.size, step, error_per_bit, rates)
        q = coded.values.shape[-1]
        last[part] = coded.last.cpu().numpy()
        coefficients[part, :q, :q] = coded.values.cpu().numpy()
    return replace(code, contrasts=contrasts, last=last, coefficients=coefficients)


def _domains(
    code: PlaneCode,
    blocks: Int64[Tensor, "n 3"],
    ranges: IntArray,
    k: int,
    half: Float[Tensor, "H W"],
    size: int,
) -> Float[Tensor, "n s s"]:
    """The zero-mean k-th domains of some ranges of one size, read from a pooled canvas."""
    y, x, _ = blocks.numpy().T
    address = torch.from_numpy(code.addresses[ranges, k])
    corners = corner_tensor(code.geometry, size, y, x, address).to(half.device)
    isometries = torch.from_numpy(code.isometries[ranges, k]).to(half.device)
    return centred_domains(half, corners, isometries, size)
