"""Quality metrics on 8-bit RGB, the samples that are displayed."""

from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from neural_collage.core.metrics import psnr_of
from neural_collage.extras import needs_extra

Rgb: TypeAlias = UInt8[np.ndarray, "h w 3"]

MS_SSIM_MIN_SIDE = 11 * 2**4
"""Smallest side in pixels at which the 11 x 11 window fits into the coarsest of five scales."""


def rgb_samples(picture: Image.Image) -> Rgb:
    """The samples of a picture as RGB, without alpha."""
    return np.asarray(picture.convert("RGB"))


def psnr(reference: Rgb, test: Rgb) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; infinite if they are equal."""
    mse = np.mean((reference.astype(np.float64) - test) ** 2)
    return float(psnr_of(torch.tensor(mse), peak=255))


def ms_ssim(reference: Rgb, test: Rgb) -> float | None:
    """Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003), 1 for equal pictures.

    The five standard scales, averaged over R, G and B. None for a picture with a side below
    `MS_SSIM_MIN_SIDE` pixels, where the coarsest scale does not exist.

    Raises:
        MissingExtraError: torchmetrics is not installed.
    """
    if min(reference.shape[:2]) < MS_SSIM_MIN_SIDE:
        return None
    with needs_extra("bench"):
        from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    # (2, 3, h, w) in [0, 1]
    pictures = torch.from_numpy(np.stack([test, reference])).permute(0, 3, 1, 2) / 255
    similarity = multiscale_structural_similarity_index_measure(
        pictures[:1], pictures[1:], data_range=1.0
    )
    return float(similarity)
