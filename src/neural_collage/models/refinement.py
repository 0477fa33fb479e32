"""Refining the code of one picture: the file format unchanged, better numbers in it.

The encoder's network guesses coefficients; whoever rounds them then trades bits against error one
coefficient at a time, as if patches did not overlap. They do, so what rounding did to one can be
mended by another. Iterative thresholding (Daubechies, Defrise & De Mol 2004), with the codec's own
rounding in the place of the threshold: move coefficients along the gradient of the squared error of
what was decoded, round again, and keep the best.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.core.lapped import synthesise
from neural_collage.models.codec_model import STEP_BITS, CodecModel
from neural_collage.models.compressor import CENTRE, lagrangian
from neural_collage.models.ladder import level_of

PACE = 0.5
"""Of the step that would mend the error of a coefficient whose patch met no others."""


def refine(
    model: CodecModel,
    values: Float[Tensor, "a rows columns"],
    planes: Float[Tensor, "3 h w"],
    quality: int,
    iterations: int,
    quantise: Callable[[Tensor], tuple[Tensor, float]],
) -> Float[Tensor, "a rows columns"]:
    """Values that `quantise` turns into a better code than the ones given; in steps.

    planes: the picture, of whole ranges. quantise: coefficients as decoded, and the bits they take.
    """
    import os
    pace=float(os.environ.get('PACE', PACE))
    patches = model.compressor.patches.detach()
    steps = (model.steps[quality - 1].float() * 2.0**-STEP_BITS)[:, None, None]
    worth = float(lagrangian(torch.tensor(level_of(quality)))) * 255**2 / 3
    energy = patches.square().sum((1, 2, 3))[:, None, None]
    best, least = values, float("inf")
    with torch.inference_mode():
        for iteration in range(iterations + 1):
            decoded, bits = quantise(values)
            error = planes - CENTRE - synthesise((decoded * steps)[None], patches)[0]
            cost = bits + worth * float(error.square().sum())
            if os.environ.get('V'): print(iteration, cost, bits)
            if cost < least:
                best, least = values, cost
            pull = correlate(error, patches) / (energy * steps)
            values = decoded + pace * pull
    return best


def correlate(
    image: Float[Tensor, "c h w"], patches: Float[Tensor, "a c m m"]
) -> Float[Tensor, "a rows columns"]:
    """Inner products with the patch of every range: the adjoint of synthesis."""
    half = patches.shape[-1] // 2
    result: Tensor = functional.conv2d(image[None], patches, stride=half, padding=half // 2)[0]
    return result
