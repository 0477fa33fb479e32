"""Diagonal normal distributions: priors and posteriors of the latents of a hierarchical VAE."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

_MAX_LOG_SCALE = 5.0  # soft limit on the magnitude of the logarithm of a scale


class Gaussian(NamedTuple):
    """Independent normal distributions, by mean and logarithm of the standard deviation."""

    mean: Float[Tensor, "*shape"]
    log_scale: Float[Tensor, "*shape"]

    def sample(self, temperature: float = 1.0) -> Float[Tensor, "*shape"]:
        """A sample; its deviation from the mean is multiplied by the temperature."""
        deviation = self.log_scale.exp() * torch.randn_like(self.mean)
        return torch.add(self.mean, deviation, alpha=temperature)

    def log_prob(self, value: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The logarithm of the density of each element."""
        standard = (value - self.mean) * (-self.log_scale).exp()
        return -0.5 * (standard.square() + math.log(2 * math.pi)) - self.log_scale

    def divergence(self, other: "Gaussian") -> Float[Tensor, "*shape"]:
        """The Kullback-Leibler divergence KL(self || other) of each element, in nats; 0 or more."""
        log_ratio = self.log_scale - other.log_scale
        shift = (self.mean - other.mean) * (-other.log_scale).exp()
        return 0.5 * ((2 * log_ratio).exp() + shift.square() - 1) - log_ratio


def gaussian_of(raw: Float[Tensor, "b c h w"], reference: Gaussian | None = None) -> Gaussian:
    """Means from the first half of the channels, logarithms of scales from the second.

    reference: a distribution to which both are then relative (Vahdat & Kautz 2020, NVAE).

    In at least single precision; logarithms are within 5 of 0, or of those of the reference.
    """
    mean, log_scale = raw.float().chunk(2, 1)
    log_scale = _MAX_LOG_SCALE * (log_scale / _MAX_LOG_SCALE).tanh()
    if reference is None:
        return Gaussian(mean, log_scale)
    return Gaussian(reference.mean + mean, reference.log_scale + log_scale)
