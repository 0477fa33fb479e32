"""Measures what errors of each latent are worth to the eye, at each rung of quality."""

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.lapped import synthesise
from neural_collage.models.compression.compressor import Compressor
from neural_collage.models.compression.decoder_model import RANGE
from neural_collage.models.compression.distortion.mixture import distortion

_LEAST = 0.02  # share of the unit of what is not squared, which noise may make negative


@torch.no_grad()
def measured_visibility(
    model: Compressor, crops: Float[Tensor, "n 3 h w"]
) -> Float[Tensor, "rungs a"]:
    """Logarithms of what an error is worth in each latent, relative to its squared error.

    Half a step of either sign is added to one latent of all ranges of the decoded crops at a time.
    The mean of what plus and minus it adds to the distortion is its curvature, which holds where
    the error itself has no preferred sign.
    """
    shares = model.config.shares
    rungs = torch.linspace(0, 1, model.config.rungs)
    generator = torch.Generator().manual_seed(0)
    grid = crops.shape[-2] // RANGE, crops.shape[-1] // RANGE
    worth = torch.empty(len(rungs), model.config.n_patches)
    for rung, level in enumerate(rungs):
        levels = level.expand(len(crops))
        decoded, steps = model(crops, levels, "rdoq").image, model.steps(levels)
        before = distortion(decoded, crops, shares)
        for latent in range(model.config.n_patches):
            signs = 2.0 * torch.randint(2, (len(crops), 1, *grid), generator=generator) - 1
            error = synthesise(
                signs / 2 * steps[:, latent, None, None, None], model.patches[latent, None]
            )
            both = [distortion(decoded + sign * error, crops, shares) for sign in (1, -1)]
            added = sum(both) / 2 - before
            worth[rung, latent] = (added / distortion(error, torch.zeros_like(error))).mean()
    return worth.clamp_min(shares.squared + (1 - shares.squared) * _LEAST).log()
