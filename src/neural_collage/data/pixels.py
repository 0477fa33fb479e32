"""Conversion of bytes to the input of networks: floats, fewer bits, or black and white."""

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor


def to_float(levels: UInt8[Tensor, "*shape"], bits: int = 8) -> Float[Tensor, "*shape"]:
    """Bytes to [0, 1], of which the `bits` most significant bits are kept.

    5 bits (Kingma & Dhariwal 2018, Glow) give 32 values, i / 31.
    """
    kept = levels if bits == 8 else levels >> (8 - bits)
    return kept.float().div_(2**bits - 1)


def binarise(
    levels: UInt8[ndarray, "n c h w"], seeds: Int64[ndarray, " n"]
) -> UInt8[ndarray, "n c h w"]:
    """A Bernoulli sample: a pixel is 255 with probability level / 255, else 0.

    Static binarisation (Salakhutdinov & Murray 2008) draws each image once, dynamic binarisation
    (Burda et al. 2015) for each use; the caller chooses by its seeds, one for each image.
    """
    generator, black_below = torch.Generator(), torch.empty(levels.shape, dtype=torch.uint8)
    for row, seed in zip(black_below, seeds.tolist(), strict=True):
        row.random_(0, 255, generator=generator.manual_seed(seed))
    return np.where(levels > black_below.numpy(), np.uint8(255), np.uint8(0))
