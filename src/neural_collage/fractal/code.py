"""The fractal code of one plane: the integers of a file, and the collage that they represent.

Brightness is coded as a tree of means (Haar details below each split block), contrast and domain
as indices, the residual as quantised cosine coefficients. Domains enter with their mean removed
(Oien & Lepsoy 1994), so that means, contrasts and coefficients are independent of each other.
"""

from dataclasses import dataclass

import numpy as np
import torch

from neural_collage.core.collage import Collage
from neural_collage.core.partition import Partition
from neural_collage.fractal.brightness import calibrate, leaf_means
from neural_collage.fractal.geometry import (
    CONTRASTS,
    ORDER,
    POOLING,
    SIZES,
    BoolArray,
    IntArray,
    PlaneGeometry,
)
from neural_collage.fractal.patches import patch_amplitudes, patch_bank


@dataclass(frozen=True, eq=False)
class PlaneCode:
    """The integers of one plane; per-range arrays follow the order of `partition`.

    splits: full grids of split flags of sizes 32, 16, 8.
    roots: (rows, columns) quantised means of the 32-pixel blocks.
    details: (n, 3) quantised Haar details of the split blocks of sizes 32, 16, 8.
    last: (r,) highest coded diagonal of cosine coefficients, 0 for none.
    coefficients: (r, 8, 8) quantised cosine coefficients; [0, 0] is unused.
    contrasts: (r, k) signed indices of contrasts, -7..7, or -11..11 if they may be wide; 0 means
        no domain.
    addresses, isometries: (r, k) index of the domain in the range's pool, and its isometry.
    """

    geometry: PlaneGeometry
    splits: tuple[BoolArray, ...]
    roots: IntArray
    details: tuple[IntArray, ...]
    last: IntArray
    coefficients: IntArray
    contrasts: IntArray
    addresses: IntArray
    isometries: IntArray

    def partition(self) -> Partition:
        """The ranges."""
        return Partition.quadtree(
            self.geometry.height,
            self.geometry.width,
            SIZES,
            [torch.from_numpy(split) for split in self.splits],
        )

    def to_collage(self, step: float) -> Collage:
        """The collage of this code.

        step: the quantiser step in units of 1/255.

        Raises NotContractiveError if the contrasts of a range sum to 1 or more, unless they may be
        wide, and NotConvergedError if the biases cannot be solved for; both are possible in damaged
        files.
        """
        partition = self.partition()
        blocks = partition.blocks.numpy()
        domains_per_range = int((self.contrasts != 0).sum(1).max())
        contrasts, addresses = (
            self.contrasts[:, :domains_per_range],
            self.addresses[:, :domains_per_range],
        )
        corners = np.zeros((*addresses.shape, 2), np.int64)
        weights = torch.zeros(len(partition), ORDER * ORDER, dtype=torch.float32)
        scaled = torch.from_numpy(self.coefficients).float() * (step / 255)
        for group in partition.groups:
            r = group.ranges
            y, x = blocks[r, 0, None], blocks[r, 1, None]
            used = contrasts[r] != 0
            domain_y, domain_x = self.geometry.domain_corners(group.size, y, x, addresses[r])
            corners[r] = np.where(used[..., None], np.stack([domain_y, domain_x], -1), 0)
            q = min(ORDER, group.size)
            values = torch.zeros(r.stop - r.start, ORDER, ORDER, dtype=torch.float32)
            values[:, :q, :q] = scaled[r, :q, :q] * patch_amplitudes(group.size)
            weights[r] = values.flatten(1)
        collage = Collage(
            partition,
            torch.from_numpy(corners),
            torch.from_numpy(self.isometries[:, :domains_per_range]),
            torch.from_numpy(np.sign(contrasts) * CONTRASTS[np.abs(contrasts)]).float()[None],
            torch.zeros(1, len(partition), dtype=torch.float32),
            patch_bank(),
            weights[None],
            self.geometry.pooling,
        )
        if not self.geometry.wide:
            collage.require_contractive()
        means = leaf_means(self.roots, self.splits, self.details, step / 255)
        # reduced by 3, scale 1 is not an octave of the coarsest one, and is iterated, too
        needs_means = self.geometry.pooling != POOLING or collage.contraction() >= 1
        return calibrate(collage, means[None], keep=needs_means)
