"""From the raw numbers of a network to the weights of a contractive map."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.core.blocks import cut
from neural_collage.core.resample import cosine_cells
from neural_collage.models.operator_config import OperatorConfig


def round_to_step(values: Float[Tensor, "*n"], step: float | None) -> Float[Tensor, "*n"]:
    """The nearest multiples of a step, with the gradient of the identity (straight-through)."""
    if step is None:
        return values
    return values + (torch.round(values / step) * step - values).detach()


def own_sources(
    config: OperatorConfig, links: Int64[Tensor, "#b r k"] | None, device: torch.device
) -> Bool[Tensor, "#b 1 #r k"]:
    """Which of the weights belong to domains of the image itself, and which to patches."""
    if links is None:
        return (torch.arange(config.n_sources, device=device) < config.n_own)[None, None, None]
    return (links < config.n_own)[:, None]


def effective_weights(
    config: OperatorConfig, raw: Float[Tensor, "b cw r k"], links: Int64[Tensor, "#b r k"] | None
) -> Float[Tensor, "b cw r k"]:
    """The weights of the map, as `OperatorConfig.mixing` and `patch_share` say."""
    select = _select(config, links, raw.device)
    if config.mixing == "softmax":
        weights = raw.softmax(-1)
        weights = select(config.bound * weights, weights)
    elif config.mixing == "bounded":
        total = select(raw, 0).abs().sum(-1, keepdim=True)
        weights = select(raw * (config.bound / total.clamp_min(config.bound)), raw)
    else:
        weights = raw
    if config.patch_share is None:
        return weights
    share = config.patch_share
    return select((1 - share) * weights, share * weights)


def contraction_bound(
    config: OperatorConfig, weights: Float[Tensor, "b cw r k"], links: Tensor | None
) -> Float[Tensor, " b"]:
    """A bound on the sup norm of the linear part of each map, from its effective weights."""
    own = _select(config, links, weights.device)(weights, 0)
    return own.abs().sum(-1).flatten(1).amax(1)


def _select(
    config: OperatorConfig, links: Tensor | None, device: torch.device
) -> Callable[[Tensor, Tensor | float], Tensor]:
    """Takes the first argument for weights of own domains, the second for those of patches."""
    if not config.n_patches:
        return lambda own, patches: own
    mask = own_sources(config, links, device)
    return lambda own, patches: torch.where(mask, own, patches)


def cosine_patches(count: int, channels: int, size: int) -> Float[Tensor, "a c p p"]:
    """The first non-constant cosines in order of frequency, as patches of unit mean square.

    In grey first, then, after size**2 - 1 of them, in the differences of the channels.

    Raises ValueError for more than there are.
    """
    waves = cosine_cells(size, size).float()
    frequencies = sorted(
        ((u, v) for u in range(size) for v in range(size) if u or v),
        key=lambda uv: (uv[0] ** 2 + uv[1] ** 2, uv),
    )
    if count > channels * len(frequencies):
        raise ValueError(f"{channels} channels of {size}x{size} pixels have no {count} cosines")
    mixes = cosine_cells(channels, channels).float()
    patches = [
        mixes[:, mix, None, None] * waves[:, u, None] * waves[:, v]
        for mix in range(channels)
        for u, v in frequencies
    ][:count]
    if not patches:
        return torch.zeros(0, channels, size, size)
    stacked = torch.stack(patches)
    return stacked / stacked.square().mean((1, 2, 3), keepdim=True).sqrt()


def cut_patches(config: OperatorConfig, style: Float[Tensor, "c h w"]) -> Float[Tensor, "a c p p"]:
    """The first n_patches blocks of a style image; ValueError if it has fewer."""
    count, channels, size, _ = config.patches_shape
    height, width = (n - n % size for n in style.shape[-2:])
    blocks = cut(style[:, :height, :width], size).transpose(0, 1)
    if len(style) != channels or len(blocks) < count:
        raise ValueError(
            f"a style image of {tuple(style.shape)} has {len(blocks)} patches of {size} pixels in "
            f"{len(style)} channels, {count} in {channels} are needed"
        )
    return blocks[:count].clone()
