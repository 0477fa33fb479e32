"""Likelihoods of pixels: discrete distributions of intensities.

Bernoulli for binary images; coverage for outlines; for more intensities the discretised mixture of
logistic distributions of PixelCNN++ (Salimans et al. 2017, arXiv 1701.05517), in which green
depends on red, and blue on both. Images in [0, 1] have 2**bits intensity levels, n / (2**bits - 1).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.arguments import choice_problems

LikelihoodKind = Literal["bernoulli", "coverage", "logistic_mixture"]

_MIN_LOG_SCALE = -7.0  # of the logistic scales, relative to intensities in [-1, 1]


@dataclass(frozen=True)
class LikelihoodConfig:
    """Configuration of the distribution of pixels.

    Raises ValueError, listing every problem, if a field is out of range.

    Attributes:
        kind: "bernoulli" for binary images, "coverage" for the share of each pixel that lies inside
            of an outline, or "logistic_mixture".
        channels: channels of the image, 1 or 3.
        mixtures: number of components of a mixture.
        bits: bits per pixel and channel of a mixture, 1 to 8.
    """

    kind: LikelihoodKind = "bernoulli"
    channels: int = 1
    mixtures: int = 10
    bits: int = 8

    def __post_init__(self) -> None:
        problems = choice_problems("kind", self.kind, get_args(LikelihoodKind))
        if self.channels not in (1, 3):
            problems.append(f"channels must be 1 or 3, not {self.channels}")
        if self.mixtures < 1:
            problems.append(f"mixtures must be at least 1, not {self.mixtures}")
        if not 1 <= self.bits <= 8:
            problems.append(f"bits must be 1 to 8, not {self.bits}")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def planes(self) -> int:
        """Number of parameters per pixel."""
        if self.kind != "logistic_mixture":
            return self.channels
        return self.mixtures * (3 * self.channels + 1 if self.channels == 3 else 3)


class Likelihood(ABC):
    """A distribution of images (b, c, h, w) given parameters (b, planes, h, w)."""

    @abstractmethod
    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], image: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        """The logarithm of the probability of each image in [0, 1], in nats."""

    @abstractmethod
    def mean(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        """The expected image in [0, 1], at any resolution."""

    def steepened(
        self, parameters: Float[Tensor, "b p h w"], scale: float
    ) -> Float[Tensor, "b p h w"]:
        """Parameters that were rendered at a scale, as those of pictures of that resolution.

        Where images are black and white, values in between are edges: above scale 1 their slopes
        are multiplied by the scale, so that edges stay as wide in output pixels as at scale 1.
        Other likelihoods return the parameters as they are.
        """
        return parameters

    def picture(
        self, parameters: Float[Tensor, "b p h w"], scale: float = 1.0
    ) -> Float[Tensor, "b c h w"]:
        """The image in [0, 1] to display for parameters rendered at a scale: steepened, `mean`."""
        return self.mean(self.steepened(parameters, scale))

    @abstractmethod
    def sample(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        """A sample of the distribution, images in [0, 1]."""


@final
class Bernoulli(Likelihood):
    """Pixels are 1 with the probability sigmoid(parameter), else 0."""

    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], image: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        losses = functional.binary_cross_entropy_with_logits(
            parameters.float(), image, reduction="none"
        )
        return -losses.flatten(1).sum(1)

    def mean(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        return parameters.sigmoid()

    def steepened(
        self, parameters: Float[Tensor, "b p h w"], scale: float
    ) -> Float[Tensor, "b p h w"]:
        return max(scale, 1.0) * parameters

    def sample(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        return torch.bernoulli(parameters.sigmoid())


@final
class Coverage(Likelihood):
    """A random point of a pixel lies inside of an outline with a probability that is its parameter.

    Images are the share of each pixel that is inside, and `log_prob` is the mean over points, the
    cross-entropy. Shares average over pixels, and so do parameters, unlike logits: a collage at any
    scale agrees with the one at scale 1. Parameters below 1/16 or above 15/16 are mapped to
    probabilities by exponentials that continue the line, so that every real number is valid.
    """

    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], image: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        inside = parameters.float()
        logs = image * _log_share(inside) + (1 - image) * _log_share(1 - inside)
        return logs.flatten(1).sum(1)

    def mean(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        return _log_share(parameters.float()).exp()

    def steepened(
        self, parameters: Float[Tensor, "b p h w"], scale: float
    ) -> Float[Tensor, "b p h w"]:
        return 0.5 + max(scale, 1.0) * (parameters - 0.5)

    def sample(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        return torch.bernoulli(self.mean(parameters))


_TAIL = 1 / 16
"""Parameters of `Coverage` that are probabilities themselves: from here to 1 minus this."""


def _log_share(parameters: Tensor) -> Tensor:
    """The logarithm of the probability in (0, 1) of a parameter of `Coverage`."""
    low = math.log(_TAIL) + (parameters - _TAIL) / _TAIL
    high = torch.log1p(-_TAIL * torch.exp((1 - _TAIL - parameters).clamp_max(0) / _TAIL))
    middle = parameters.clamp(_TAIL, 1 - _TAIL).log()
    tail = torch.where(parameters < _TAIL, low, high)
    return torch.where((parameters < _TAIL) | (parameters > 1 - _TAIL), tail, middle)


@final
class LogisticMixture(Likelihood):
    """Each pixel is a mixture of logistic distributions of its channels, rounded to levels.

    Parameters of a pixel: the logits of the components; means, then logarithms of scales of each
    channel; with three channels, the coefficients of red in the mean of green, and of red and
    green in the mean of blue. The outermost levels include the tails, so that probabilities sum
    to 1.
    """

    def __init__(self, config: LikelihoodConfig) -> None:
        self.config = config

    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], image: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        logits, means, log_scales, coefficients = self._split(parameters.float())
        value = (2 * image - 1)[:, None]
        means = _conditional_means(means, coefficients, value.expand_as(means))
        inverse, half = (-log_scales).exp(), 1 / (2**self.config.bits - 1)
        above, below = (value + half - means) * inverse, (value - half - means) * inverse
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), without cancellation
        gap = torch.log(-torch.expm1(-2 * half * inverse))
        left, right = functional.logsigmoid(above), functional.logsigmoid(-below)
        log_probs = torch.where(
            value < half - 1, left, torch.where(value > 1 - half, right, left + right + gap)
        )
        mixed = (log_probs.sum(2) + logits.log_softmax(1)).logsumexp(1)
        return mixed.flatten(1).sum(1)

    def mean(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        logits, means, _, coefficients = self._split(parameters.float())
        means = _conditional_means(means.clamp(-1, 1), coefficients, None).clamp(-1, 1)
        expected = (means * logits.softmax(1)[:, :, None]).sum(1)
        return (expected + 1) / 2

    def sample(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        logits, means, log_scales, coefficients = self._split(parameters.float())
        chosen = (logits + _gumbel(logits)).argmax(1, keepdim=True)[:, :, None]

        def of_chosen(values: Tensor) -> Tensor:
            return values.gather(1, chosen.expand(-1, -1, *values.shape[2:]))

        uniform = torch.rand_like(of_chosen(means)).clamp(1e-5, 1 - 1e-5)
        noise = of_chosen(log_scales).exp() * uniform.logit()
        coefficient = None if coefficients is None else of_chosen(coefficients)
        max_level = 2**self.config.bits - 1
        channels: list[Tensor] = []
        for c, mean in enumerate(of_chosen(means).unbind(2)):
            if coefficient is not None:
                mean = mean + sum(
                    coefficient[:, :, _CHANNEL_PAIRS.index((c, k))] * channels[k] for k in range(c)
                )
            level = ((mean + noise[:, :, c] + 1) / 2 * max_level).round().clamp(0, max_level)
            channels.append(2 * level / max_level - 1)
        return (torch.cat(channels, 1) + 1) / 2

    def _split(
        self, parameters: Float[Tensor, "b p h w"]
    ) -> tuple[
        Float[Tensor, "b k h w"],
        Float[Tensor, "b k c h w"],
        Float[Tensor, "b k c h w"],
        Float[Tensor, "b k 3 h w"] | None,
    ]:
        """Logits, means, logarithms of scales, and channel coefficients of the components."""
        k, c = self.config.mixtures, self.config.channels
        sizes = [k, k * c, k * c] + ([k * 3] if c == 3 else [])
        logits, means, log_scales, *coefficients = parameters.split(sizes, 1)
        return (
            logits,
            means.unflatten(1, (k, c)),
            log_scales.unflatten(1, (k, c)).clamp_min(_MIN_LOG_SCALE),
            coefficients[0].unflatten(1, (k, 3)).tanh() if coefficients else None,
        )


_CHANNEL_PAIRS = [(1, 0), (2, 0), (2, 1)]
"""Channel, and earlier channel that its mean depends on, of each coefficient."""


def _conditional_means(means: Tensor, coefficients: Tensor | None, value: Tensor | None) -> Tensor:
    """Means given the value of earlier channels, or, if it is None, given their means."""
    if coefficients is None:
        return means
    channels = list(means.unbind(2))
    for number, (c, k) in enumerate(_CHANNEL_PAIRS):
        earlier = channels[k] if value is None else value[:, :, k]
        channels[c] = channels[c] + coefficients[:, :, number] * earlier
    return torch.stack(channels, 2)


def _gumbel(like: Tensor) -> Tensor:
    return -torch.log(-torch.rand_like(like).clamp(1e-7, 1 - 1e-7).log())


def make_likelihood(config: LikelihoodConfig) -> Likelihood:
    """The likelihood of a config."""
    if config.kind == "logistic_mixture":
        return LogisticMixture(config)
    return Bernoulli() if config.kind == "bernoulli" else Coverage()


def bits_per_dimension(nats: Tensor, dimensions: int) -> Tensor:
    """Nats per image to bits per dimension (pixel and channel)."""
    return nats / (dimensions * math.log(2))
