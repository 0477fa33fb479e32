"""The fractal encoder of one plane: search, decide, and settle on what the decoder will see."""

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
from neural_collage.fractal.matching import domain_blocks
from neural_collage.fractal.quadtree import DETAIL_ROUNDING, Decision, decide
from neural_collage.fractal.rates import Rates
from neural_collage.fractal.statistics import Counter, Counts
from neural_collage.fractal.syntax import code_plane


def encode_plane(
    image: Float[Tensor, "h w"], step: float, lagrangian: float, prior: Counts, effort: Effort
) -> PlaneCode:
    """Encode one plane.

    image: in units of 1/255. step: the quantiser step in the same units. lagrangian: the squared
    error that one bit is worth. prior: the statistics that the entropy coder starts from.

    The code's collage always contracts: contrasts of a range sum below 1, and should its
    brightness not settle all the same, the plane is coded without domains.
    """
    geometry = PlaneGeometry(image.shape[0], image.shape[1], effort.lattice)
    canvas = pad_to_multiple(image[None], SIZES[0])
    levels = [analyse(canvas, geometry, size, effort) for size in SIZES]
    original = pool(canvas, POOLING)[0]
    rates = Rates.of(prior)
    for remaining in reversed(range(effort.passes)):
        decision = decide(levels, geometry, step, lagrangian, rates)
        code = _structure(levels, geometry, decision, step, effort.n_sources)
        code = _settle(code, levels, original, step, lagrangian, rates, refit=False)
        if remaining:
            rates = Rates.of(_count(code, prior))
    if not code.contrasts.any():
        return code
    try:
        for _ in range(effort.refits):
            decoded = PyramidDecoder(code.to_collage(step)).canvas(Fraction(1)).to(canvas) * 255
            half = pool(decoded, POOLING)[0]
            code = _settle(code, levels, half, step, lagrangian, rates, refit=True)
        code.to_collage(step)  # a code that does not settle is never handed out
    except NotConvergedError:
        return encode_plane(image, step, lagrangian, prior, effort.without_matching())
    return code


def _count(code: PlaneCode, prior: Counts) -> Counts:
    """The statistics after this code."""
    counter = Counter({name: counts.copy() for name, counts in prior.items()})
    code_plane(counter, code.geometry, code.contrasts.shape[1], code)
    return counter.counts


def _structure(
    levels: Sequence[BlockCandidates],
    geometry: PlaneGeometry,
    decision: Decision,
    step: float,
    n_sources: int,
) -> PlaneCode:
    """A code with the decided quadtree, means and domains, and no texture yet."""
    alive = np.ones(geometry.grid(SIZES[0]), bool)
    splits: list[BoolArray] = []
    links = []
    for index, (level, n_links) in enumerate(zip(levels, decision.n_links, strict=True)):
        last_level = index == len(decision.splits)
        split = np.zeros_like(alive) if last_level else decision.splits[index] & alive
        leaf = np.flatnonzero(alive & ~split)
        chosen = np.zeros((3, len(leaf), n_sources), np.int64)
        for k, link in enumerate(level.links):
            fields = (link.contrast, link.matches.address, link.matches.isometry)
            used = n_links[leaf] > k
            chosen[:, :, k] = [np.where(used, field.cpu().numpy()[leaf], 0) for field in fields]
        links.append(chosen)
        if not last_level:
            splits.append(split)
            alive = split.repeat(2, 0).repeat(2, 1)
    roots, details = _quantise_means(levels, splits, step)
    contrasts, addresses, isometries = np.concatenate(links, axis=1)
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
    levels: Sequence[BlockCandidates], splits: Sequence[BoolArray], step: float
) -> tuple[IntArray, tuple[IntArray, ...]]:
    """The tree of means, each level predicted from the quantised one above."""
    roots = np.rint(levels[0].means / step).astype(np.int64)
    grid = roots.astype(np.float64) * step
    details = []
    for level, split in zip(levels[1:], splits, strict=True):
        _, wanted = haar(level.means)
        scaled = ((wanted - predict_details(grid)) / step)[split]
        magnitude = np.floor(np.abs(scaled) + DETAIL_ROUNDING)
        detail = (np.sign(scaled) * magnitude).astype(np.int64)
        grid = descend(grid, split, detail, step)
        details.append(detail)
    return roots, tuple(details)


def _settle(
    code: PlaneCode,
    levels: Sequence[BlockCandidates],
    half: Float[Tensor, "H W"],
    step: float,
    lagrangian: float,
    rates: Rates,
    *,
    refit: bool,
) -> PlaneCode:
    """Code the texture of all leaves, given their domains.

    half: the pooled canvas that the domains are read from. refit: fit the contrasts to it as
    well; a domain is never dropped, since its bits are a decision already made.
    """
    partition = code.partition()
    contrasts, last = code.contrasts.copy(), code.last.copy()
    coefficients = np.zeros_like(code.coefficients)
    level_of = {level.size: level for level in levels}
    for group in partition.groups:
        part, level = group.ranges, level_of[group.size]
        columns = code.geometry.grid(group.size)[1]
        residual = level.blocks[(group.grid_rows * columns + group.grid_columns).to(half.device)]
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
        coded = quantise(spectrum(residual), group.size, step, lagrangian, rates)
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
    """The k-th domains of some ranges of one size, zero-mean, as read from a pooled canvas."""
    y, x, _ = blocks.numpy().T
    address = torch.from_numpy(code.addresses[ranges, k])
    corners = corner_tensor(code.geometry, size, y, x, address).to(half.device)
    isometries = torch.from_numpy(code.isometries[ranges, k]).to(half.device)
    return domain_blocks(half, corners, isometries, size)
