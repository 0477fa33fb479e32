"""Time-domain lapped transforms: blocks that overlap by filtering across their edges.

Tran, Liang & Tu 2003, "Lapped transform via time-domain pre- and post-processing" (IEEE
Transactions on Signal Processing 51:6). A pre-filter across each edge between blocks moves what
neighbours share into their averages; a block transform follows. On the synthesis side the basis
functions of that transform become post-filtered windows of twice the block size, which overlap.
Pre- and post-filter are inverse to each other.
"""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.cosines import orthonormal_cosines

STRETCH = 1.5
"""Amplification of the slope across an edge before the transform; 1 keeps patches orthonormal.

The coding gain of an AR(0.95) source in blocks of 16 is 9.92 dB; 9.76 dB at 1, and 9.46 dB without
overlap.
"""


def prefiltered(image: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b c h w"]:
    """The pre-filtered image, to be cut into blocks of `size` pixels; h and w are whole blocks.

    The image is continued by its mirror image, which the filter does not change at the edges:
    `core.lapped.synthesise` of the blocks with `lapped_windows` returns the image.
    """
    return _along_rows(_along_rows(image, size).mT, size).mT


def lapped_windows(blocks: Float[Tensor, "a c n n"]) -> Float[Tensor, "a c m m"]:
    """Post-filtered windows (m = 2 n) of basis functions on blocks of pre-filtered pixels."""
    n = blocks.shape[-1]
    backward = _filters(n)[1].to(blocks)
    spread = torch.block_diag(backward, backward)[:, n // 2 : n // 2 + n]
    windows: Tensor = spread @ blocks @ spread.mT
    return windows


def _along_rows(image: Tensor, size: int) -> Tensor:
    if image.shape[-1] == size:  # no edge between blocks
        return image
    first, between, last = image.split([size // 2, image.shape[-1] - size, size // 2], -1)
    about_edges = between.unflatten(-1, (-1, size))
    return torch.cat([first, (about_edges @ _filters(size)[0].to(image).mT).flatten(-2), last], -1)


@cache
def _filters(size: int) -> tuple[Float[Tensor, "n n"], Float[Tensor, "n n"]]:
    """The filter of the `size` samples about an edge, and its inverse, in double precision."""
    half = size // 2
    same = torch.eye(half, dtype=torch.float64)
    turned = same.flip(0)
    butterfly = torch.cat([torch.cat([same, turned], 1), torch.cat([turned, -same], 1)])
    stretch = torch.ones(half, dtype=torch.float64)
    stretch[0] = STRETCH
    rotation = (
        turned
        @ orthonormal_cosines(half).mT
        @ torch.diag(stretch)
        @ orthonormal_cosines(half, 0.5)
        @ turned
    )
    forward = butterfly @ torch.block_diag(same, rotation) @ butterfly / 2
    return forward, torch.linalg.inv(forward)
