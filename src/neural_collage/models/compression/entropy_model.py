"""How likely each coefficient is: a mean-scale hyperprior, channel groups and a checkerboard.

A few numbers per 2 x 2 ranges are sent first (hyperprior: Balle et al. 2018; means: Minnen et al.
2018). They start a state per range. Groups of coefficients follow, the coarse ones first (Minnen &
Singh 2020), each in two passes, black ranges and white ones (He et al. 2021). What is known so far
adds to the state through a convolution per group, and a small network per pass turns the state
into the mean and the scale of each coefficient, a logistic distribution.

Everything is additive and rectified linear, so that `integer_entropy` can do the same in whole
numbers. This module is the float version that learns.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.models.compression.analysis_transform import compressed
from neural_collage.models.compression.checkerboard import checkerboard
from neural_collage.models.compression.ladder import Ladder

PASSES = 2
SLOPE = 1 / 8  # of the rectifier below zero
SIGNED_GROUPS = 2  # groups whose signs, too, say something about others
SMALLEST_SCALE, LARGEST_SCALE = 0.04, 64.0
RELUCTANCE = 2.5, 1.2
"""An error counts so many times as much when a number is rounded away from its nearest: one of the
first group, and one of the last.

What a coefficient tells the entropy model about later ones is lost, too, and is not in the price.
"""


class Rate(NamedTuple):
    """What a batch of coefficients costs and becomes.

    bits: (b,) of the coefficients; side_bits: (b,) of the hyperprior.
    quantised: the coefficients as a decoder gets them; gradients pass as if they were unrounded.
    """

    bits: Float[Tensor, " b"]
    side_bits: Float[Tensor, " b"]
    quantised: Float[Tensor, "b a rows columns"]


class Prediction(nn.Module):
    """Means and logarithmic scales of one pass over a group, from the state."""

    def __init__(self, width: int, size: int, rungs: int) -> None:
        super().__init__()
        self.shift = Ladder(rungs, torch.zeros(width))
        self.hidden = nn.Conv2d(width, width, 1)
        self.out = nn.Conv2d(width, 2 * size, 1)
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            self.out.bias.zero_()  # type: ignore[union-attr]

    def forward(self, state: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        shifted = functional.leaky_relu(state + self.shift(level)[..., None, None], SLOPE)
        hidden = functional.leaky_relu(self.hidden(shifted), SLOPE)
        with torch.autocast(state.device.type, enabled=False):
            mean, log_scale = self.out(hidden.float()).chunk(2, 1)
        return mean, log_scale


class EntropyModel(nn.Module):
    """The rate of coefficients in units of their steps; see the module.

    groups: sizes of the channel groups. width: of the state. side: channels of the hyperprior.
    """

    def __init__(self, groups: Sequence[int], width: int, side: int, rungs: int) -> None:
        super().__init__()
        self.groups = tuple(groups)
        n = sum(groups)
        self.side_analysis = nn.Sequential(
            nn.Conv2d(n, width, 1),
            nn.GELU(approximate="tanh"),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(approximate="tanh"),
            nn.Conv2d(width, side, 2, 2),
        )
        self.side_log_scale = Ladder(rungs, torch.zeros(side))
        self.side_synthesis = nn.Conv2d(side, 4 * width, 3, padding=1)
        self.start = Ladder(rungs, torch.zeros(width))
        self.contexts = nn.ModuleList(
            nn.Conv2d(size * (2 if g < SIGNED_GROUPS else 1), width, 3, padding=1, bias=False)
            for g, size in enumerate(groups)
        )
        self.predictions = nn.ModuleList(
            Prediction(width, size, rungs) for size in groups for _ in range(PASSES)
        )
        self.log_scale = Ladder(rungs, torch.zeros(n))

    def forward(
        self,
        values: Float[Tensor, "b a rows columns"],
        level: Float[Tensor, " b"],
        worth: Float[Tensor, "b a"] | None = None,
    ) -> Rate:
        """The rate of coefficients at some levels.

        worth: bits that the square of a step of error is worth. With it, symbols are decided as an
            encoder does, see `cheapest`, and the rate is theirs; while training, its gradient is
            as `_bits_of_decided` says. Without, values are rounded, and while training the rate is
            that of values with noise.
        """
        rows, columns = values.shape[-2:]
        side = self.side_values(values)
        side_scale = self.side_log_scale(level)[..., None, None]
        side = _noisy(side) if self.training else side.round()
        side_bits = logistic_bits(side.float(), side_scale).sum((1, 2, 3))
        unpacked = functional.pixel_shuffle(self.side_synthesis(side), 2)
        state = unpacked[..., :rows, :columns].float() + self.start(level)[..., None, None]
        base = self.log_scale(level)[..., None, None].split(self.groups, 1)
        prices = [None] * len(self.groups)
        if worth is not None:
            price = worth * reluctance(self.groups).to(worth)
            prices = price[..., None, None].split(self.groups, 1)
        black = checkerboard(rows, columns, values.device)
        bits = torch.zeros_like(side_bits)
        quantised = []
        for g, group in enumerate(values.split(self.groups, 1)):
            first = self.predictions[PASSES * g](state, level)
            early = _rounded(group, first[0], first[1] + base[g], prices[g])
            known = self.contexts[g](self.features(g, torch.where(black, early, 0)))
            second = self.predictions[PASSES * g + 1](state + known.float(), level)
            late = _rounded(group, second[0], second[1] + base[g], prices[g])
            mean, log_scale = (torch.where(black, a, b) for a, b in zip(first, second, strict=True))
            quantised.append(torch.where(black, early, late))
            if not self.training:
                spent = logistic_bits(quantised[-1] - mean, log_scale + base[g])
            elif worth is None:
                spent = logistic_bits(_noisy(group) - mean, log_scale + base[g])
            else:
                spent = _bits_of_decided(quantised[-1], group, mean, log_scale + base[g])
            bits = bits + spent.sum((1, 2, 3))
            if g + 1 < len(self.groups):
                state = state + self.contexts[g](self.features(g, quantised[-1])).float()
        return Rate(bits, side_bits, torch.cat(quantised, 1))

    def side_values(self, values: Float[Tensor, "b a rows columns"]) -> Float[Tensor, "b s r c"]:
        """The numbers of the hyperprior, one set per 2 x 2 ranges, not rounded."""
        rows, columns = values.shape[-2:]
        padded = functional.pad(values, (0, columns % 2, 0, rows % 2))
        side: Tensor = self.side_analysis(compressed(padded))
        return side

    def features(self, group: int, quantised: Tensor) -> Tensor:
        """What the coefficients of a group tell the others.

        Without gradient: as if rounding were not there, that would be wrong enough to drive
        coefficients, step by step, to where nobody wants them.
        """
        seen = compressed(quantised.detach())
        return torch.cat([seen, seen.abs()], 1) if group < SIGNED_GROUPS else seen.abs()


def logistic_bits(deviation: Tensor, log_scale: Tensor) -> Tensor:
    """-log2 of the mass of a logistic distribution within half a step of a deviation."""
    low, high = math.log(SMALLEST_SCALE), math.log(LARGEST_SCALE)
    narrowness = torch.exp(-_Bounded.apply(log_scale, low, high))  # type: ignore[no-untyped-call]
    above, below = (deviation + 0.5) * narrowness, (deviation - 0.5) * narrowness
    # s(above) - s(below), with s the sigmoid, is s(above) s(-below) (1 - exp(below - above))
    log_mass = (
        functional.logsigmoid(above)
        + functional.logsigmoid(-below)
        + torch.log(-torch.expm1(-narrowness))
    )
    return -log_mass / math.log(2)


def reluctance(groups: Sequence[int]) -> Float[Tensor, " a"]:
    """What the worth of an error of each coefficient is multiplied with, see `RELUCTANCE`.

    In equal steps from group to group.
    """
    of_groups = torch.linspace(*RELUCTANCE, len(groups), dtype=torch.float32)
    return of_groups.repeat_interleave(torch.tensor(groups))


def cheapest(deviation: Tensor, price: Tensor, bits: Callable[[Tensor], Tensor]) -> Tensor:
    """The nearest whole numbers, or those one nearer to 0 where their bits outweigh the error.

    Rate-distortion optimised quantisation, one coefficient at a time.

    price: bits that a squared error costs. bits: those of whole numbers.
    """
    nearest = deviation.round()
    smaller = nearest - nearest.sign()
    costs = [(deviation - choice).square() * price + bits(choice) for choice in (nearest, smaller)]
    return torch.where(costs[1] < costs[0], smaller, nearest)


def _rounded(values: Tensor, mean: Tensor, log_scale: Tensor, price: Tensor | None) -> Tensor:
    """What a decoder gets: the mean, and a deviation of whole steps."""
    with torch.no_grad():
        deviation = values - mean
        if price is None:
            symbols = deviation.round()
        else:
            symbols = cheapest(deviation, price, lambda choice: logistic_bits(choice, log_scale))
        moved = mean + symbols - values
    return values + moved


def _bits_of_decided(quantised: Tensor, values: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of decided symbols. Scales learn from them; means and who makes values, from noise.

    A step in the rate has no slope to follow; noise smooths it. And where nothing is ever sent,
    the decided value is the mean itself, which nothing would then hold.
    """
    told = logistic_bits((quantised - mean).detach(), log_scale)
    felt = logistic_bits(_noisy(values) - mean, log_scale.detach())
    return told + felt - felt.detach()


def _noisy(values: Tensor) -> Tensor:
    """With uniform noise instead of rounding."""
    return values + torch.rand_like(values) - 0.5


class _Bounded(torch.autograd.Function):
    """Clamped; beyond a bound only gradients that lead back are let through.

    Without any, what is beyond would be stuck; with all, what likes it there would drift away for
    ever (the scales of coefficients that are always zero do).
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(values)
        ctx.bounds = low, high
        return values.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (values,), (low, high), (gradient,) = ctx.saved_tensors, ctx.bounds, gradients
        leads_out = ((values < low) & (gradient > 0)) | ((values > high) & (gradient < 0))
        return torch.where(leads_out, 0, gradient), None, None
