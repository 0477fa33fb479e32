"""Refinement: iterative encoding of one picture, with the format and the decoder unchanged.

The analysis transform predicts latents in one pass, and RDOQ treats them one at a time as if
patches did not overlap. Since they do, others can compensate the error of a latent. This is
iterative thresholding (Daubechies, Defrise & De Mol 2004) with RDOQ in place of the threshold: a
gradient step on the squared error of the decoded picture, then quantisation; the best is kept.

A visual error is not quadratic, and what RDOQ left out is not given back by its gradient. There the
gradient changes latents before they are quantised, in steps that are halved until the cost falls.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.lapped import synthesise
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import Compressor, bits_per_squared_error
from neural_collage.models.compression.decoder_model import CENTRE, STEP_BITS
from neural_collage.models.compression.distortion.mixture import SQUARED, distortion

STEP_SIZE = 0.7
"""Step size, relative to the exact step of an isolated patch; at first, for a visual error."""
PATIENCE = 6
"""Steps without an improvement that end refinement: in a row; for a visual error, all of them."""


def refine(
    model: CodecModel,
    values: Float[Tensor, "a rows columns"],
    planes: Float[Tensor, "3 h w"],
    quality: int,
    iterations: int,
    quantise: Callable[[Tensor], tuple[Tensor, float]],
) -> Float[Tensor, "a rows columns"]:
    """Latents whose cost, bits + lambda * distortion, is at most that of the given ones.

    values: latents, not rounded. planes: the picture, of whole ranges. iterations: at most; fewer
    if nothing changes or improves. quantise: from latents to quantised latents and their bits.
    """
    steps = (model.steps[quality - 1].float() * 2.0**-STEP_BITS)[:, None, None]
    bits_per_error = bits_per_squared_error(quality)
    curvature = model.worth(values, quality) * steps
    curvature *= model.compressor.patches.detach().square().sum((1, 2, 3))[:, None, None]
    is_quadratic = model.config.shares == SQUARED
    best, least, previous, without_gain = values, float("inf"), None, 0
    origin, change, step_size = values, torch.zeros_like(values), STEP_SIZE
    for _ in range(iterations + 1):
        decoded, bits = quantise(values)
        if previous is not None and torch.equal(decoded, previous) and is_quadratic:
            break
        previous = decoded
        error, descent = _error_and_descent(decoded * steps, planes, model.compressor)
        cost = bits + bits_per_error * error
        if cost < least:
            best, least = values, cost
            without_gain = 0 if is_quadratic else without_gain
        else:
            without_gain += 1
            step_size /= 1 if is_quadratic else 2
            if without_gain == PATIENCE:
                break
        if is_quadratic:
            origin, change = decoded, descent / curvature
        elif values is best:
            origin, change = best, descent / curvature
        values = origin + step_size * change
    return best


def _error_and_descent(
    coefficients: Float[Tensor, "a rows columns"],
    planes: Float[Tensor, "3 h w"],
    compressor: Compressor,
) -> tuple[float, Float[Tensor, "a rows columns"]]:
    """The error of coefficients as a sum over samples in [0, 1], and minus half its gradient."""
    with torch.inference_mode(False), torch.enable_grad():
        moved = coefficients.clone().requires_grad_()
        decoded = synthesise(moved[None], compressor.patches.detach()) + CENTRE
        mean = distortion(decoded, planes[None].clone(), compressor.config.shares)
        error = mean.sum() * planes.numel() / 255**2
        (gradient,) = torch.autograd.grad(error, moved)
    return float(error.detach()), -gradient / 2
