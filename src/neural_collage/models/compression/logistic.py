"""The rate of a quantised logistic distribution, the entropy model's for every latent."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from neural_collage.models.compression.integer_entropy import SMALLEST_SCALE

LARGEST_SCALE = 64.0
"""Of the scales, in quantiser steps; `SMALLEST_SCALE` is the other bound."""


def logistic_bits(deviation: Tensor, log_scale: Tensor) -> Tensor:
    """-log2 of the mass of a logistic distribution within half a step of a deviation.

    deviation: from the mean, in steps. log_scale: logarithm of the scale in steps, clamped to the
    bounds above.
    """
    low, high = math.log(SMALLEST_SCALE), math.log(LARGEST_SCALE)
    inverse_scale = torch.exp(-_InwardClamp.apply(log_scale, low, high))  # type: ignore[no-untyped-call]
    above, below = (deviation + 0.5) * inverse_scale, (deviation - 0.5) * inverse_scale
    # s(above) - s(below), with s the sigmoid, is s(above) s(-below) (1 - exp(below - above))
    log_mass = (
        functional.logsigmoid(above)
        + functional.logsigmoid(-below)
        + torch.log(-torch.expm1(-inverse_scale))
    )
    return -log_mass / math.log(2)


class _InwardClamp(torch.autograd.Function):
    """Clamp; outside the bounds pass only gradients that point back inside.

    With none, a value outside could never return; with all, the scales of latents that are always
    zero would drift away without limit.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(values)
        ctx.bounds = low, high
        return values.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (values,), (low, high), (gradient,) = ctx.saved_tensors, ctx.bounds, gradients
        outward = ((values < low) & (gradient > 0)) | ((values > high) & (gradient < 0))
        return torch.where(outward, 0, gradient), None, None
