"""What the last layer of a generative model says of pixels: distributions over levels.

Bernoulli for black and white; for more levels the discretised mixture of logistic distributions of
PixelCNN++ (Salimans et al. 2017, arXiv 1701.05517), in which green depends on red, and blue on
both. A picture in [0, 1] has 2**bits levels, level / (2**bits - 1).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_NARROWEST = -7.0  # logarithm of the smallest logistic scale, where levels span 2


@dataclass(frozen=True)
class LikelihoodConfig:
    """Which distribution the pixels of a picture have.

    Raises ValueError, naming every problem.

    Attributes:
        kind: "bernoulli" for black and white, or "logistic_mixture".
        channels: of the picture, 1 or 3.
        mixtures: components of a mixture.
        bits: of the levels of a mixture.
    """

    kind: Literal["bernoulli", "logistic_mixture"] = "bernoulli"
    channels: int = 1
    mixtures: int = 10
    bits: int = 8

    def __post_init__(self) -> None:
        problems = []
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
        """Parameters per pixel."""
        if self.kind == "bernoulli":
            return self.channels
        return self.mixtures * (3 * self.channels + 1 if self.channels == 3 else 3)


class Likelihood(ABC):
    """A distribution of pictures (b, c, h, w) by parameters (b, planes, h, w); has no weights."""

    @abstractmethod
    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], picture: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        """The logarithm of the probability of each picture, in nats."""

    @abstractmethod
    def mean(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        """The picture to look at, in [0, 1]: the expected one, at any resolution."""

    def picture(
        self, parameters: Float[Tensor, "b p h w"], scale: float = 1.0
    ) -> Float[Tensor, "b c h w"]:
        """The picture to look at of parameters at a scale, in [0, 1].

        Probabilities between 0 and 1 are edges. They are shown as wide in pixels of that scale as
        they are in pixels at scale 1, where this is `mean`; not that many times as wide.
        """
        return self.mean(parameters)

    @abstractmethod
    def sample(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        """A picture of the distribution."""


@final
class Bernoulli(Likelihood):
    """Pixels are 1 with the probability sigmoid(parameter), else 0."""

    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], picture: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        losses = functional.binary_cross_entropy_with_logits(
            parameters.float(), picture, reduction="none"
        )
        return -losses.flatten(1).sum(1)

    def mean(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        return parameters.sigmoid()

    def picture(
        self, parameters: Float[Tensor, "b p h w"], scale: float = 1.0
    ) -> Float[Tensor, "b c h w"]:
        return (max(scale, 1.0) * parameters).sigmoid()

    def sample(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        return torch.bernoulli(parameters.sigmoid())


@final
class LogisticMixture(Likelihood):
    """Each pixel's channels are a mixture of logistic distributions, rounded to levels.

    Parameters of a pixel: the logits of the components, then means and logarithms of scales of
    each channel, then, of three channels, how green leans on red, and blue on red and on green.
    The outermost levels take all that lies beyond them, so that probabilities sum to 1.
    """

    def __init__(self, config: LikelihoodConfig) -> None:
        self.config = config

    def log_prob(
        self, parameters: Float[Tensor, "b p h w"], picture: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, " b"]:
        logits, means, log_scales, leanings = self._split(parameters.float())
        value = (2 * picture - 1)[:, None]
        means = _lean(means, leanings, value.expand_as(means))
        inverse, half = (-log_scales).exp(), 1 / (2**self.config.bits - 1)
        above, below = (value + half - means) * inverse, (value - half - means) * inverse
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)): nothing cancels
        gap = torch.log(-torch.expm1(-2 * half * inverse))
        left, right = functional.logsigmoid(above), functional.logsigmoid(-below)
        levels = torch.where(
            value < half - 1, left, torch.where(value > 1 - half, right, left + right + gap)
        )
        mixed = (levels.sum(2) + logits.log_softmax(1)).logsumexp(1)
        return mixed.flatten(1).sum(1)

    def mean(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        logits, means, _, leanings = self._split(parameters.float())
        means = _lean(means.clamp(-1, 1), leanings, None).clamp(-1, 1)
        expected = (means * logits.softmax(1)[:, :, None]).sum(1)
        return (expected + 1) / 2

    def sample(self, parameters: Float[Tensor, "b p h w"]) -> Float[Tensor, "b c h w"]:
        logits, means, log_scales, leanings = self._split(parameters.float())
        chosen = (logits + _gumbel(logits)).argmax(1, keepdim=True)[:, :, None]

        def of_chosen(values: Tensor) -> Tensor:
            return values.gather(1, chosen.expand(-1, -1, *values.shape[2:]))

        uniform = torch.rand_like(of_chosen(means)).clamp(1e-5, 1 - 1e-5)
        noise = of_chosen(log_scales).exp() * uniform.logit()
        leaning = None if leanings is None else of_chosen(leanings)
        top = 2**self.config.bits - 1
        channels: list[Tensor] = []
        for c, mean in enumerate(of_chosen(means).unbind(2)):
            if leaning is not None:
                mean = mean + sum(
                    leaning[:, :, _LEANS.index((c, k))] * channels[k] for k in range(c)
                )
            level = ((mean + noise[:, :, c] + 1) / 2 * top).round().clamp(0, top)
            channels.append(2 * level / top - 1)
        return (torch.cat(channels, 1) + 1) / 2

    def _split(
        self, parameters: Float[Tensor, "b p h w"]
    ) -> tuple[
        Float[Tensor, "b k h w"],
        Float[Tensor, "b k c h w"],
        Float[Tensor, "b k c h w"],
        Float[Tensor, "b k 3 h w"] | None,
    ]:
        """Logits, means, logarithms of scales, and leanings of the components."""
        k, c = self.config.mixtures, self.config.channels
        sizes = [k, k * c, k * c] + ([k * 3] if c == 3 else [])
        logits, means, log_scales, *leanings = parameters.split(sizes, 1)
        return (
            logits,
            means.unflatten(1, (k, c)),
            log_scales.unflatten(1, (k, c)).clamp_min(_NARROWEST),
            leanings[0].unflatten(1, (k, 3)).tanh() if leanings else None,
        )


_LEANS = [(1, 0), (2, 0), (2, 1)]
"""Channel, and channel that it leans on, of each leaning."""


def _lean(means: Tensor, leanings: Tensor | None, value: Tensor | None) -> Tensor:
    """Means given the channels before them, or, if value is None, given their expectations."""
    if leanings is None:
        return means
    channels = list(means.unbind(2))
    for number, (c, k) in enumerate(_LEANS):
        known = channels[k] if value is None else value[:, :, k]
        channels[c] = channels[c] + leanings[:, :, number] * known
    return torch.stack(channels, 2)


def _gumbel(like: Tensor) -> Tensor:
    return -torch.log(-torch.rand_like(like).clamp(1e-7, 1 - 1e-7).log())


def make_likelihood(config: LikelihoodConfig) -> Likelihood:
    """The distribution that a config describes."""
    return Bernoulli() if config.kind == "bernoulli" else LogisticMixture(config)


def bits_per_dimension(nats: Tensor, dimensions: int) -> Tensor:
    """Nats of a picture as bits per pixel and channel."""
    return nats / (dimensions * math.log(2))
