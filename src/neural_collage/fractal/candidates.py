"""Candidates of the rate-distortion decision: spectra and domain matches of all blocks."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core.blocks import cut, pool
from neural_collage.fractal.coefficients import Spectrum, spectrum
from neural_collage.fractal.effort import Effort
from neural_collage.fractal.geometry import (
    MAX_CONTRAST,
    POOLING,
    FloatArray,
    IntArray,
    PlaneGeometry,
)
from neural_collage.fractal.matching import Matches, centred_domains, match


@dataclass(frozen=True, eq=False)
class DomainMatch:
    """The k-th domain of every block, its contrast in eighths, and the spectrum of the residual."""

    domains: Matches
    contrast: Int64[Tensor, " r"]
    residual: Spectrum


@dataclass(frozen=True, eq=False)
class BlockCandidates:
    """All blocks of one size, in raster order.

    blocks: pixels in units of 1/255. means: orthonormal coefficients of their means, as a grid.
    plain: spectrum of a block without domain. matches: domains, each fitted to the residual of the
    ones before.
    """

    size: int
    blocks: Float[Tensor, "r n n"]
    means: FloatArray
    plain: Spectrum
    matches: tuple[DomainMatch, ...]


def analyse(
    canvas: Float[Tensor, "1 H W"], geometry: PlaneGeometry, size: int, effort: Effort
) -> BlockCandidates:
    """Cut a canvas into blocks of one size, and search domains for them."""
    blocks = cut(canvas[0], size)
    coefficients = blocks.double().mean((1, 2)) * size
    means = coefficients.view(geometry.grid(size)).cpu().numpy()
    matches: tuple[DomainMatch, ...] = ()
    if size in effort.match_sizes:
        matches = _find_matches(canvas, geometry, size, blocks, effort.domains_per_range)
    return BlockCandidates(size, blocks, means, spectrum(blocks), matches)


def _find_matches(
    canvas: Float[Tensor, "1 H W"],
    geometry: PlaneGeometry,
    size: int,
    blocks: Float[Tensor, "r n n"],
    domains_per_range: int,
) -> tuple[DomainMatch, ...]:
    rows, columns = geometry.grid(size)
    y, x = np.indices((rows, columns)).reshape(2, -1) * size
    if geometry.pools(size, y, x)[2].min() < 1 or geometry.pools(size, y, x)[3].min() < 1:
        return ()  # domains of this size do not fit the canvas
    half = pool(canvas, POOLING)[0]
    residual = blocks
    spent = torch.zeros(len(blocks), dtype=torch.int64, device=blocks.device)
    matches = []
    for _ in range(domains_per_range):
        best = match(half, residual, y, x, geometry, size)
        corners = corner_tensor(geometry, size, y, x, best.address)
        domains = centred_domains(half, corners, best.isometry, size)
        contrast = fit_contrast(residual, domains, spent)
        contrast = torch.where(best.product == 0, 0, contrast)
        spent = spent + contrast.abs()
        residual = residual - domains * (contrast / 8)[:, None, None]
        matches.append(DomainMatch(best, contrast, spectrum(residual)))
    return tuple(matches)


def corner_tensor(
    geometry: PlaneGeometry, size: int, y: IntArray, x: IntArray, address: Int64[Tensor, " r"]
) -> Int64[Tensor, "r 2"]:
    """Corners of the domains at `address`, on the device of the addresses."""
    corners = geometry.domain_corners(size, y, x, address.cpu().numpy())
    return torch.from_numpy(np.stack(corners, 1)).to(address.device)


def fit_contrast(
    blocks: Float[Tensor, "r n n"], domains: Float[Tensor, "r n n"], spent: Int64[Tensor, " r"]
) -> Int64[Tensor, " r"]:
    """Least-squares contrasts in eighths, clipped such that those of a range sum below 1.

    domains: zero-mean. spent: sum of the magnitudes of the range's other contrasts, in eighths.
    """
    energy = domains.square().sum((1, 2)).clamp_min(1e-6)
    eighths = (8 * (blocks * domains).sum((1, 2)) / energy).round().long()
    limit = MAX_CONTRAST - spent
    return torch.maximum(torch.minimum(eighths, limit), -limit)
