"""Candidates of the rate-distortion decision: all blocks, with and without a domain."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core.blocks import cut
from neural_collage.fractal.coefficients import Spectrum, spectrum
from neural_collage.fractal.geometry import (
    CONTRASTS,
    MAX_CONTRAST,
    BoolArray,
    FloatArray,
    IntArray,
    PlaneGeometry,
)
from neural_collage.fractal.matching import Matches, centred_domains, match


@dataclass(frozen=True, eq=False)
class DomainFit:
    """A domain for each block, the index of its contrast, and the spectrum of the residual."""

    domains: Matches
    contrast: Int64[Tensor, " r"]
    residual: Spectrum


class Choice(NamedTuple):
    """Spectra of chosen ranges; and contrasts, addresses, isometries (3, r), 0 without a domain."""

    spectrum: Spectrum
    domains: IntArray


@dataclass(frozen=True, eq=False)
class BlockCandidates:
    """All blocks of one size, in raster order.

    blocks: pixels in units of 1/255. means: orthonormal coefficients of their means, as a grid.
    plain: spectrum of a block without domain. fit: with one, if domains were searched.
    """

    size: int
    blocks: Float[Tensor, "r n n"]
    means: FloatArray
    plain: Spectrum
    fit: DomainFit | None = None

    def choose(self, blocks: IntArray, matched: BoolArray) -> Choice:
        """What is coded for some of the blocks; matched: whether with a domain, for each."""
        rows = torch.from_numpy(blocks).to(self.blocks.device)
        plain = Spectrum(*(field[rows] for field in self.plain))
        if self.fit is None:
            return Choice(plain, np.zeros((3, len(blocks)), np.int64))
        with_domain = torch.from_numpy(matched).to(rows.device)
        residual = Spectrum(*(field[rows] for field in self.fit.residual))
        fields = (self.fit.contrast, self.fit.domains.address, self.fit.domains.isometry)
        return Choice(
            Spectrum(
                torch.where(with_domain[:, None, None], residual.coefficients, plain.coefficients),
                torch.where(with_domain, residual.remainder, plain.remainder),
            ),
            np.stack([np.where(matched, field[rows].cpu().numpy(), 0) for field in fields]),
        )


def analyse(canvas: Float[Tensor, "1 H W"], size: int) -> BlockCandidates:
    """Cut a canvas into blocks of one size, without domains."""
    blocks = cut(canvas[0], size)
    coefficients = blocks.double().mean((1, 2)) * size
    means = coefficients.view(canvas.shape[1] // size, -1).cpu().numpy()
    return BlockCandidates(size, blocks, means, spectrum(blocks))


def find_domains(
    candidates: BlockCandidates, pooled: Float[Tensor, "H W"], geometry: PlaneGeometry
) -> Matches | None:
    """The best domain of every block in a pooled canvas; None if domains do not fit the canvas."""
    size = candidates.size
    y, x = block_corners(geometry, size)
    if not all(side.all() for side in geometry.pools(size, y, x)[2:]):
        return None
    return match(pooled, candidates.blocks, y, x, geometry, size)


def fit_domains(
    candidates: BlockCandidates,
    domains: Matches,
    pooled: Float[Tensor, "H W"],
    geometry: PlaneGeometry,
) -> DomainFit:
    """Domains as they are in a pooled canvas, with their least-squares contrasts."""
    blocks, size = candidates.blocks, candidates.size
    corners = corner_tensor(geometry, size, *block_corners(geometry, size), domains.address)
    pixels = centred_domains(pooled, corners // geometry.pooling, domains.isometry, size)
    contrast = torch.where(domains.product == 0, 0, fit_contrast(blocks, pixels, geometry.wide))
    values = contrast.sign() * torch.from_numpy(CONTRASTS).to(pixels)[contrast.abs()]
    residual = blocks - pixels * values[:, None, None]
    return DomainFit(domains, contrast, spectrum(residual))


def block_corners(geometry: PlaneGeometry, size: int) -> tuple[IntArray, IntArray]:
    """Corners (y, x) of all blocks of one size, in raster order."""
    y, x = np.indices(geometry.grid(size)).reshape(2, -1) * size
    return y, x


def corner_tensor(
    geometry: PlaneGeometry, size: int, y: IntArray, x: IntArray, address: Int64[Tensor, " r"]
) -> Int64[Tensor, "r 2"]:
    """Corners of the domains at `address`, on the device of the addresses."""
    corners = geometry.domain_corners(size, y, x, address.cpu().numpy())
    return torch.from_numpy(np.stack(corners, 1)).to(address.device)


def fit_contrast(
    blocks: Float[Tensor, "r n n"], domains: Float[Tensor, "r n n"], wide: bool = False
) -> Int64[Tensor, " r"]:
    """Indices of the contrasts next to the least-squares ones, for zero-mean domains."""
    energy = domains.square().sum((1, 2)).clamp_min(1e-6)
    exact = (blocks * domains).sum((1, 2)) / energy
    allowed = torch.from_numpy(CONTRASTS if wide else CONTRASTS[: MAX_CONTRAST + 1]).to(exact)
    nearest = torch.bucketize(exact.abs(), (allowed[1:] + allowed[:-1]) / 2)
    return nearest * exact.sign().long()
