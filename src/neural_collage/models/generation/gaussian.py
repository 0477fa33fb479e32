"""Diagonal normal distributions: what a hierarchical VAE believes of its latents."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

_WIDEST = 5.0  # of the logarithm of a scale, approached smoothly


class Gaussian(NamedTuple):
    """Independent normal distributions; mean and logarithm of the standard deviation, alike."""

    mean: Float[Tensor, "*shape"]
    log_scale: Float[Tensor, "*shape"]

    def sample(self, temperature: float = 1.0) -> Float[Tensor, "*shape"]:
        """A sample of which the deviation from the mean is multiplied by a temperature."""
        deviation = self.log_scale.exp() * torch.randn_like(self.mean)
        return torch.add(self.mean, deviation, alpha=temperature)

    def log_prob(self, value: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The logarithm of the density of each number."""
        standard = (value - self.mean) * (-self.log_scale).exp()
        return -0.5 * (standard.square() + math.log(2 * math.pi)) - self.log_scale

    def divergence(self, other: "Gaussian") -> Float[Tensor, "*shape"]:
        """The Kullback-Leibler divergence KL(self || other) of each number, in nats; 0 or more."""
        log_ratio = self.log_scale - other.log_scale
        shift = (self.mean - other.mean) * (-other.log_scale).exp()
        return 0.5 * ((2 * log_ratio).exp() + shift.square() - 1) - log_ratio


def gaussian_of(raw: Float[Tensor, "b c h w"], around: Gaussian | None = None) -> Gaussian:
    """Means from the first half of the channels, logarithms of scales from the second.

    around: both are then relative to those of this distribution (Vahdat & Kautz 2020, NVAE).

    At least single precision; the logarithms stay within 5 of those they are relative to.
    """
    mean, log_scale = raw.float().chunk(2, 1)
    log_scale = _WIDEST * (log_scale / _WIDEST).tanh()
    if around is None:
        return Gaussian(mean, log_scale)
    return Gaussian(around.mean + mean, around.log_scale + log_scale)
