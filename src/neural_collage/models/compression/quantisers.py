"""Quantisers: how latents become symbols, and which rate training or evaluation charges for them.

A symbol is the deviation of a latent from the mean that the entropy model predicts, in whole steps.

    name          symbols           rate of               gradient of the rate
    noise         nearest           values + noise        through the noise (Balle et al. 2016)
    round         nearest           the symbols           straight-through
    rdoq          RDOQ              the symbols           straight-through
    relaxed-rdoq  RDOQ              the symbols           scales: of the symbols; means and latents:
                                                          of values + noise

Training starts with "noise" and ends with "relaxed-rdoq"; "round" and "rdoq" are for evaluation.
Quantised latents always pass gradients straight through.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.arguments import check_choice
from neural_collage.models.compression.logistic import logistic_bits

Quantisation = Literal["noise", "round", "rdoq", "relaxed-rdoq"]

DISTORTION_MULTIPLIERS = 2.5, 1.2
"""Distortion multipliers for RDOQ, of the first and of the last channel group.

Early groups condition later ones, which the rate of a single symbol ignores.
"""


def make_quantiser(
    quantisation: Quantisation, bits_per_squared_step: Float[Tensor, "b a #rows #columns"]
) -> "Quantiser":
    """The quantiser of a name.

    bits_per_squared_step: what RDOQ weighs the squared error of each latent with, see `rdoq`.

    Raises:
        ValueError: there is none of this name.
    """
    check_choice("quantisation", quantisation, get_args(Quantisation))
    if quantisation == "noise":
        return Noise()
    if quantisation == "round":
        return Round()
    return Rdoq(bits_per_squared_step, relaxed=quantisation == "relaxed-rdoq")


class Quantiser(ABC):
    """Rounds latents and charges their rate, one channel group at a time."""

    @abstractmethod
    def side(self, values: Tensor) -> Tensor:
        """The side information as the entropy model receives it."""

    def with_steps(self, gain: Float[Tensor, "b 1 rows columns"]) -> "Quantiser":
        """The quantiser for latents in steps that are larger by `gain` in each range."""
        return self

    @abstractmethod
    def symbols(self, deviation: Tensor, log_scale: Tensor, channels: slice) -> Tensor:
        """Whole numbers for the deviations of some channels from their means, in steps."""

    @abstractmethod
    def bits(self, quantised: Tensor, values: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        """The rate of each latent, given its quantised and its unquantised value."""

    def quantise(self, values: Tensor, mean: Tensor, log_scale: Tensor, channels: slice) -> Tensor:
        """The mean plus whole steps, with the gradient of the identity in `values`."""
        with torch.no_grad():
            change = mean + self.symbols(values - mean, log_scale, channels) - values
        return values + change


@final
class Noise(Quantiser):
    """Nearest symbols; the rate of values with uniform noise in place of rounding."""

    def side(self, values: Tensor) -> Tensor:
        return with_noise(values)

    def symbols(self, deviation: Tensor, log_scale: Tensor, channels: slice) -> Tensor:
        return deviation.round()

    def bits(self, quantised: Tensor, values: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        return logistic_bits(with_noise(values) - mean, log_scale)


@final
class Round(Quantiser):
    """Nearest symbols and their own rate."""

    def side(self, values: Tensor) -> Tensor:
        return values.round()

    def symbols(self, deviation: Tensor, log_scale: Tensor, channels: slice) -> Tensor:
        return deviation.round()

    def bits(self, quantised: Tensor, values: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        return logistic_bits(quantised - mean, log_scale)


@final
class Rdoq(Quantiser):
    """Symbols as the encoder of files chooses them, and their own rate.

    bits_per_squared_step: what a squared error of each latent is worth.
    relaxed: for training. Side information has noise. The rate is piecewise constant in means and
        latents, so their gradient is that of noisy values; and a latent that is never coded equals
        its own mean, which a rate of symbols would leave undetermined.
    """

    def __init__(
        self, bits_per_squared_step: Float[Tensor, "b a #rows #columns"], *, relaxed: bool
    ) -> None:
        self._weight = bits_per_squared_step
        self._relaxed = relaxed

    def side(self, values: Tensor) -> Tensor:
        return with_noise(values) if self._relaxed else values.round()

    def with_steps(self, gain: Float[Tensor, "b 1 rows columns"]) -> "Rdoq":
        return Rdoq(self._weight * gain.detach().square(), relaxed=self._relaxed)

    def symbols(self, deviation: Tensor, log_scale: Tensor, channels: slice) -> Tensor:
        return rdoq(
            deviation, self._weight[:, channels], lambda symbols: logistic_bits(symbols, log_scale)
        )

    def bits(self, quantised: Tensor, values: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        if not self._relaxed:
            return logistic_bits(quantised - mean, log_scale)
        scale_bits = logistic_bits((quantised - mean).detach(), log_scale)
        mean_bits = logistic_bits(with_noise(values) - mean, log_scale.detach())
        return scale_bits + mean_bits - mean_bits.detach()


def rdoq(deviation: Tensor, weight: Tensor, bits: Callable[[Tensor], Tensor]) -> Tensor:
    """Rate-distortion optimised quantisation, one latent at a time.

    The nearest whole numbers, or those one closer to 0 where that lowers weight * error^2 + bits.

    weight: bits that a squared error of one step is worth. bits: the rate of whole numbers.
    """
    nearest = deviation.round()
    smaller = nearest - nearest.sign()
    costs = [(deviation - choice).square() * weight + bits(choice) for choice in (nearest, smaller)]
    return torch.where(costs[1] < costs[0], smaller, nearest)


def distortion_multipliers(groups: Sequence[int]) -> Float[Tensor, " a"]:
    """`DISTORTION_MULTIPLIERS` of each latent, in equal steps from group to group."""
    of_groups = torch.linspace(*DISTORTION_MULTIPLIERS, len(groups), dtype=torch.float32)
    return of_groups.repeat_interleave(torch.tensor(groups))


def with_noise(values: Tensor) -> Tensor:
    """Uniform noise of one step, the stand-in for rounding in training (Balle et al. 2016)."""
    return values + torch.rand_like(values) - 0.5
