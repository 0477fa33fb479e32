"""Likelihoods of pixels: discrete distributions of intensities.

Bernoulli for binary images; coverage for outlines; for more intensities the discretised mixture of
logistic distributions of PixelCNN++ (Salimans et al. 2017, arXiv 1701.05517), in which green
depends on red, and blue on both; here its mean is a parameter. Images in [0, 1] have 2**bits
intensity levels, n / (2**bits - 1).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.arguments import choice_problems

LikelihoodKind = Literal["bernoulli", "coverage", "logistic_mixture"]

_MIN_LOG_SCALE = -7.0  # of the logistic scales, relative to intensities in [-1, 1]
_DEVIATION = 1 / 16
"""Standard deviation of the normal distributions by which `divergence` compares means in [-1, 1]:
eight levels of 255, about what a mixture of photographs has."""


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
        return self.channels + self.mixtures * (3 * self.channels + 1 if self.channels == 3 else 3)


class Likelihood(ABC):
    """A distribution of images (b, c, h, w) given parameters (b, planes, h, w).

    The first c planes determine the expected image: `mean`, `steepened`, `picture` and `divergence`
    take these alone, too.
    """

    @abstractmethod
    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], image: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        """The logarithm of the probability of each image in [0, 1], in nats."""

    @abstractmethod
    def mean(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        """The expected image in [0, 1], at any resolution."""

    def divergence(
        self, parameters: Float[Tensor, "b p h w"], reference: Float[Tensor, "b p h w"]
    ) -> Float[Tensor, " b"]:
        """How much expected images differ from those of a reference, in nats; 0 or more.

        The Kullback-Leibler divergence from the distributions of the reference; for mixtures that
        between normal distributions about their means, of one small deviation.
        """
        expected = self.mean(reference)
        return self.log_prob(reference, expected) - self.log_prob(parameters, expected)

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

    The parameters of a pixel, for images in [-1, 1]: its mean m; the logits of the components; the
    deviations d of their means, then logarithms of scales, of each channel; with three channels,
    the coefficients a of red in the mean of green, and of red and green in the mean of blue. With
    probabilities p of the components, those have the means m + d - sum(p d), and green of a red r,
    of a component with the means (m_r, m_g, m_b), has the mean m_g + a (r - m_r).

    The mean of the mixture is thus m, linear in the parameters, whatever the others are: an
    enlarged collage of parameters shows the enlarged collage of means. Means outside of [-1, 1]
    and the tails, which belong to the outermost levels, are the exceptions.
    """

    def __init__(self, config: LikelihoodConfig) -> None:
        self.config = config

    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], image: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        logits, means, log_scales, coefficients = self._components(parameters.float())
        value = (2 * image - 1)[:, None]
        if coefficients is not None:
            rest = (value - means).unbind(2)
            means = torch.stack(_conditional(means.unbind(2), coefficients, rest), 2)
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
        return (parameters[:, : self.config.channels].float() / 2 + 0.5).clamp(0, 1)

    def divergence(
        self, parameters: Float[Tensor, "b p h w"], reference: Float[Tensor, "b p h w"]
    ) -> Float[Tensor, " b"]:
        means, expected = (
            each[:, : self.config.channels].float() for each in (parameters, reference)
        )
        return ((means - expected) / _DEVIATION).square().flatten(1).sum(1) / 2

    def sample(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        logits, means, log_scales, coefficients = self._components(parameters.float())
        chosen = (logits + _gumbel(logits)).argmax(1, keepdim=True)[:, :, None]

        def of_chosen(values: Tensor) -> Tensor:
            return values.gather(1, chosen.expand(-1, -1, *values.shape[2:]))

        uniform = torch.rand_like(of_chosen(means)).clamp(1e-5, 1 - 1e-5)
        noises = (of_chosen(log_scales).exp() * uniform.logit()).unbind(2)
        centres = of_chosen(means).unbind(2)
        coefficient = None if coefficients is None else of_chosen(coefficients)
        max_level = 2**self.config.bits - 1
        channels: list[Tensor] = []
        for c, noise in enumerate(noises):
            mean = centres[c]
            if coefficient is not None:
                rest = [channels[k] - centres[k] for k in range(c)]
                mean = _conditional(centres[: c + 1], coefficient, rest)[c]
            level = ((mean + noise + 1) / 2 * max_level).round().clamp(0, max_level)
            channels.append(2 * level / max_level - 1)
        return (torch.cat(channels, 1) + 1) / 2

    def _components(
        self, parameters: Float[Tensor, "b p h w"]
    ) -> tuple[
        Float[Tensor, "b k h w"],
        Float[Tensor, "b k c h w"],
        Float[Tensor, "b k c h w"],
        Float[Tensor, "b k 3 h w"] | None,
    ]:
        """Logits, means, logarithms of scales, and channel coefficients of the components."""
        k, c = self.config.mixtures, self.config.channels
        sizes = [c, k, k * c, k * c] + ([k * 3] if c == 3 else [])
        mean, logits, deviations, log_scales, *coefficients = parameters.split(sizes, 1)
        deviations = deviations.unflatten(1, (k, c))
        centre = (deviations * logits.softmax(1)[:, :, None]).sum(1, keepdim=True)
        return (
            logits,
            mean[:, None] + deviations - centre,
            log_scales.unflatten(1, (k, c)).clamp_min(_MIN_LOG_SCALE),
            coefficients[0].unflatten(1, (k, 3)).tanh() if coefficients else None,
        )


_CHANNEL_PAIRS = [(1, 0), (2, 0), (2, 1)]
"""Channel, and earlier channel that its mean depends on, of each coefficient."""


def _conditional(
    means: Sequence[Tensor], coefficients: Tensor, rest: Sequence[Tensor]
) -> list[Tensor]:
    """Means of the channels given `rest`: by how much earlier ones are above their means."""
    shifted = list(means)
    for number, (c, k) in enumerate(_CHANNEL_PAIRS):
        if c < len(shifted):
            shifted[c] = shifted[c] + coefficients[:, :, number] * rest[k]
    return shifted


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
