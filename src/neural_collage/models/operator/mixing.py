"""From the raw output of a network to the weights of a contractive map."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.models.operator.config import OperatorConfig


def round_to_step(values: Float[Tensor, "*n"], step: float | None) -> Float[Tensor, "*n"]:
    """The nearest multiples of a step, with the gradient of the identity (straight-through)."""
    if step is None:
        return values
    return values + (torch.round(values / step) * step - values).detach()


def own_sources(config: OperatorConfig, links: Int64[Tensor, "#b r k"]) -> Bool[Tensor, "#b 1 r k"]:
    """True where a link refers to a domain of the image, False where it refers to a patch."""
    return (links < config.n_own)[:, None]


def effective_weights(
    config: OperatorConfig, raw: Float[Tensor, "b cw r k"], links: Int64[Tensor, "#b r k"] | None
) -> Float[Tensor, "b cw r k"]:
    """The weights of the map, by the `mixing` and `patch_share` of the config."""
    if config.mixing == "softmax":
        raw = raw.softmax(-1)
    own, patches, join = _split(config, raw, links)
    if config.mixing == "softmax":
        own = config.bound * own
    elif config.mixing == "bounded":
        total = own.abs().sum(-1, keepdim=True)
        own = own * (config.bound / total.clamp_min(config.bound))
    if config.patch_share is not None:
        own, patches = (1 - config.patch_share) * own, config.patch_share * patches
    return join(own, patches)


def contraction_bound(
    config: OperatorConfig, weights: Float[Tensor, "b cw r k"], links: Tensor | None
) -> Float[Tensor, " b"]:
    """A bound on the sup norm of the linear part of each map, from its effective weights.

    The greatest sum of magnitudes of the domain weights of a range: an average of pixels is at
    most their greatest magnitude.
    """
    own, _, _ = _split(config, weights, links)
    return own.abs().sum(-1).flatten(1).amax(1)


def _split(
    config: OperatorConfig, weights: Tensor, links: Tensor | None
) -> tuple[Tensor, Tensor, Callable[[Tensor, Tensor], Tensor]]:
    """Weights of domains, weights of patches, and the function that joins the two."""
    if links is None:
        own, patches = weights.split([config.n_own, config.n_patch_sources], -1)
        return own, patches, lambda own, patches: torch.cat([own, patches], -1)
    mask = own_sources(config, links)
    return torch.where(mask, weights, 0), torch.where(mask, 0, weights), torch.add
