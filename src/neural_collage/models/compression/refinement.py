"""Refining the code of one picture: the file format unchanged, better numbers in it.

The encoder's network guesses coefficients, and whoever rounds them trades bits against error one
coefficient at a time, as if patches did not overlap. They do, so what rounding did to one can be
mended by another. This is iterative thresholding (Daubechies, Defrise & De Mol 2004) with the
codec's own rounding in the place of the threshold: move coefficients along the gradient of the
squared error of what was decoded, round again, and keep the best. It ends when nothing changes, or
nothing gets better for some steps.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.lapped import synthesise
from neural_collage.models.compression.codec_model import STEP_BITS, CodecModel
from neural_collage.models.compression.compressor import CENTRE, worth_of_error

PACE = 0.7
"""Of the move that would mend the error of a coefficient whose patch met no others."""
PATIENCE = 6
"""Steps without a better code that are the last."""


def refine(
    model: CodecModel,
    values: Float[Tensor, "a rows columns"],
    planes: Float[Tensor, "3 h w"],
    quality: int,
    iterations: int,
    quantise: Callable[[Tensor], tuple[Tensor, float]],
) -> Float[Tensor, "a rows columns"]:
    """Values, in steps, that `quantise` turns into a code no worse than that of the ones given.

    Good is few bits plus little squared error, weighed as in training.

    planes: the picture, of whole ranges. quantise: coefficients as decoded, and the bits they take.
    """
    patches = model.compressor.patches.detach()
    steps = (model.steps[quality - 1].float() * 2.0**-STEP_BITS)[:, None, None]
    worth = worth_of_error(quality)
    energy = patches.square().sum((1, 2, 3))[:, None, None]
    best, least, unchanged, worse = values, float("inf"), None, 0
    for _ in range(iterations + 1):
        decoded, bits = quantise(values)
        if unchanged is not None and torch.equal(decoded, unchanged):
            break
        unchanged = decoded
        error, pull = _error_and_pull(decoded * steps, planes, patches)
        cost = bits + worth * error
        worse = 0 if cost < least else worse + 1
        if worse == 0:
            best, least = values, cost
        elif worse == PATIENCE:
            break
        values = decoded + PACE * pull / (energy * steps)
    return best


def _error_and_pull(
    coefficients: Float[Tensor, "a rows columns"],
    planes: Float[Tensor, "3 h w"],
    patches: Float[Tensor, "a 3 m m"],
) -> tuple[float, Float[Tensor, "a rows columns"]]:
    """The squared error of coefficients, and minus half its gradient."""
    with torch.inference_mode(False), torch.enable_grad():
        moved = coefficients.clone().requires_grad_()
        error = (planes.clone() - CENTRE - synthesise(moved[None], patches)[0]).square().sum()
        (gradient,) = torch.autograd.grad(error, moved)
    return float(error.detach()), -gradient / 2
