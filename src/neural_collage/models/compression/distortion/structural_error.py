"""The structural error: one minus MS-SSIM, which gradients flow through.

Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003) compares means, contrasts and
structures in windows at five scales, here in gamma-encoded RGB, as codecs are usually compared.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.models.compression.distortion.blur import gaussian_blur

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, the finest first; all compare contrast and structure, the last means."""
_SAME_MEANS, _SAME_DETAIL = 0.01**2, 0.03**2
_LEAST = 1e-4
"""The smallest similarity of a scale, whose power has a bounded slope."""


def structural_error(
    test: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, " b"]:
    """1 - MS-SSIM of pictures in [0, 1], 0 for equal ones.

    Edges are mirrored, so that five scales exist from 16 pixels a side on.

    Raises:
        ValueError: a side is below that.
    """
    if min(test.shape[-2:]) < 2 ** (len(WEIGHTS) - 1):
        raise ValueError(f"{test.shape[-1]} x {test.shape[-2]} pixels are too few to compare")
    similarity = test.new_ones(len(test), dtype=torch.float32)
    with torch.autocast(test.device.type, enabled=False):
        both = torch.stack([reference, test]).float()
        for scale, weight in enumerate(WEIGHTS):
            if scale:
                both = functional.avg_pool2d(both.flatten(0, 1), 2).unflatten(0, (2, -1))
            means, detail = _similarities(*both)
            same = detail * means if scale == len(WEIGHTS) - 1 else detail
            similarity = similarity * same.mean((1, 2, 3)).clamp_min(_LEAST) ** weight
    return 1 - similarity


def _similarities(reference: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """The similarity of means, and that of contrast and structure, around each sample."""
    mean, square = gaussian_blur(torch.stack([reference, reference.square()]))
    test_mean, test_square, product = gaussian_blur(
        torch.stack([test, test.square(), reference * test])
    )
    means = (2 * mean * test_mean + _SAME_MEANS) / (
        mean.square() + test_mean.square() + _SAME_MEANS
    )
    covariance = product - mean * test_mean
    variances = (square - mean.square()) + (test_square - test_mean.square())
    return means, (2 * covariance + _SAME_DETAIL) / (variances + _SAME_DETAIL)
