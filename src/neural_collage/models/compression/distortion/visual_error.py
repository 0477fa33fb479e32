"""A visual error that gradients flow through: the maps of SSIMULACRA 2, weighted and summed.

SSIMULACRA 2 (Sneyers 2022, https://github.com/cloudinary/ssimulacra2) compares two pictures at six
scales in XYB, the opponent colours of JPEG XL, by three maps: of lost structural similarity, of
edges that were added and of edges that were lost. Their means and 4-norms, weighted such that they
follow what people saw, sum to an error, which `score_of` turns into the published score.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.models.compression.distortion.blur import gaussian_blur

SMALLEST_SIDE = 8
"""Scales with a shorter side are left out."""
_STABILISER = 0.0009
_BIAS = 0.0037930732552754493
_LEAST = 1e-24
"""Added to what a root is taken of, whose slope at zero is infinite."""


class _Weights(NamedTuple):
    """Of the map of similarity, of added and of lost edges."""

    similarity: float = 0.0
    added: float = 0.0
    lost: float = 0.0


X, Y, B = range(3)
_MEANS = {
    (4, X): _Weights(added=0.9677937080626833),
    (2, Y): _Weights(similarity=225.20515300849274),
    (3, Y): _Weights(similarity=176.39317598450694),
    (4, B): _Weights(95.1080498811086, 0.9863978034400682, 0.9834382792465353),
}
"""By scale and channel. Weights below 0.01 are left out: they change no score by 0.01."""
_NORMS = {
    (1, X): _Weights(similarity=1.1041726426657346),
    (2, X): _Weights(1.8422455520539298, 11.441172603757666),
    (3, X): _Weights(1.8787594979546387, 10.94906990605142),
    (4, X): _Weights(added=0.9981766977854967),
    (0, Y): _Weights(similarity=7.466890328078848, lost=17.445833984131262),
    (1, Y): _Weights(similarity=6.683678146179332, lost=1.027889937768264),
    (2, Y): _Weights(similarity=19.213238186143016),
    (3, Y): _Weights(24.43300999870476, 0.28520802612117757),
    (4, Y): _Weights(34.77906344483772, 44.835625328877896),
    (3, B): _Weights(8.826982764996862, 23.19243343998926),
    (4, B): _Weights(added=171.2667255897307, lost=0.9807858872435379),
}


def visual_error(
    test: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, " b"]:
    """The weighted error of pictures against references, 0 for equal ones.

    Both: gamma-encoded sRGB in [0, 1]; values outside are clipped, with the gradient of the clip.

    Raises:
        ValueError: a side is below `SMALLEST_SIDE`.
    """
    if min(test.shape[-2:]) < SMALLEST_SIDE:
        raise ValueError(f"{test.shape[-1]} x {test.shape[-2]} pixels are too few to compare")
    total = test.new_zeros(len(test))
    with torch.autocast(test.device.type, enabled=False):
        both = _linear(torch.stack([reference, test]).float().clamp(0, 1))
        for scale in range(1 + max(scale for scale, _ in (*_MEANS, *_NORMS))):
            if scale:
                both = functional.avg_pool2d(both.flatten(0, 1), 2).unflatten(0, (2, -1))
            if min(both.shape[-2:]) < SMALLEST_SIDE:
                break
            total = total + _error_at(scale, *_to_xyb(both))
    return total


def score_of(error: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """The score of an error: 100 for none, 90 where experts hardly see it, 30 for low quality."""
    scaled = 0.9562382616834844 * error
    curved = (
        2.326765642916932 * scaled
        - 0.020884521182843837 * scaled**2
        + 6.248496625763138e-05 * scaled**3
    )
    return 100 - 10 * curved.clamp_min(0) ** 0.6276336467831387


def _linear(gamma: Tensor) -> Tensor:
    """Light of sRGB samples."""
    return torch.where(gamma <= 0.04045, gamma / 12.92, ((gamma + 0.055) / 1.055) ** 2.4)


def _to_xyb(linear: Tensor) -> Tensor:
    """XYB colours (.., 3, h, w) of linear RGB, scaled to positive values of similar size."""
    absorbance = linear.new_tensor(
        [[0.30, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342268924547819, 0.20476744424496821, 0]]
    )
    absorbance[2, 2] = 1 - absorbance[2].sum()
    cones = torch.einsum("ij,...jhw->...ihw", absorbance, linear) + _BIAS
    first, second, third = (cones.clamp_min(0) ** (1 / 3) - _BIAS ** (1 / 3)).unbind(-3)
    x, y = (first - second) / 2, (first + second) / 2
    return torch.stack([14 * x + 0.42, y + 0.01, third - y + 0.55], -3)


def _error_at(scale: int, reference: Tensor, test: Tensor) -> Float[Tensor, " b"]:
    """The weighted error at one scale, of pictures (b, 3, h, w) in XYB."""
    channels = [c for c in (X, Y, B) if (scale, c) in _MEANS or (scale, c) in _NORMS]
    reference, test = reference[:, channels], test[:, channels]
    mean, square = gaussian_blur(torch.stack([reference, reference.square()]))
    test_mean, test_square, product = gaussian_blur(
        torch.stack([test, test.square(), reference * test])
    )
    same_means = 1 - (mean - test_mean).square()
    same_detail = 2 * (product - mean * test_mean) + _STABILISER
    detail = (square - mean.square()) + (test_square - test_mean.square()) + _STABILISER
    dissimilar = (1 - same_means * same_detail / detail).clamp_min(0)
    ratio = (1 + (test - test_mean).abs()) / (1 + (reference - mean).abs()) - 1
    maps = torch.stack([dissimilar, ratio.clamp_min(0), (-ratio).clamp_min(0)])  # (map, b, c, h, w)
    means = maps.mean((-2, -1))
    norms = (maps.pow(4).mean((-2, -1)) + _LEAST).pow(0.25) - _LEAST**0.25
    total = test.new_zeros(test.shape[0])
    for pooled, table in ((means, _MEANS), (norms, _NORMS)):
        weights = [table.get((scale, channel), _Weights()) for channel in channels]
        total = total + torch.einsum("cm,mbc->b", pooled.new_tensor(weights), pooled)
    return total
