"""The probability of each latent: a mean-scale hyperprior, channel groups and a checkerboard.

Side information, a few numbers per 2 x 2 ranges, comes first (hyperprior: Balle et al. 2018; means:
Minnen et al. 2018) and initialises a state per range. Groups of latents follow, coarse ones first
(Minnen & Singh 2020), each in two passes, black ranges and white ones (He et al. 2021). A
convolution per group adds what has been coded to the state, and a small network per pass maps the
state to the mean and the scale of a logistic distribution for each latent.

    latents --- side analysis --- quantise --- side synthesis --+
       |                                                        v
       +--- group 1, black --- white --- group 2, black ---   state
                |                |            |                 |
                +--- context ----+--- ... ----+------ add ----->+---> means, scales

All of it is additive and rectified linear, so that `integer_entropy` can evaluate it in integers.
This module is the float version, which is trained.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.models.compression.analysis_transform import symlog
from neural_collage.models.compression.checkerboard import checkerboard
from neural_collage.models.compression.integer_entropy import PASSES, SIGNED_GROUPS
from neural_collage.models.compression.integer_layers import LARGEST_GAIN, SLOPE
from neural_collage.models.compression.ladder import Ladder
from neural_collage.models.compression.logistic import logistic_bits
from neural_collage.models.compression.quantisers import Quantiser, Round


class Rate(NamedTuple):
    """The rate of a batch of latents, and the latents that the decoder receives.

    bits: (b,) of the latents; side_bits: (b,) of the side information.
    quantised: in the steps that all ranges have in common, with straight-through gradients.
    """

    bits: Float[Tensor, " b"]
    side_bits: Float[Tensor, " b"]
    quantised: Float[Tensor, "b a rows columns"]


class Prediction(nn.Module):
    """Means and logarithms of scales of one pass over a group, from the state."""

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


class StepGain(nn.Module):
    """The quantiser step of each range relative to the common one, from the state.

    What hides errors is known from the side information: so steps adapt to it without a bit.
    """

    def __init__(self, width: int, rungs: int) -> None:
        super().__init__()
        self.shift = Ladder(rungs, torch.zeros(width))
        self.out = nn.Conv2d(width, 1, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, state: Tensor, level: Tensor) -> Float[Tensor, "b 1 rows columns"]:
        shifted = functional.leaky_relu(state + self.shift(level)[..., None, None], SLOPE)
        with torch.autocast(state.device.type, enabled=False):
            gain: Tensor = self.out(shifted.float()).clamp(-LARGEST_GAIN, LARGEST_GAIN).exp2()
        return gain


class EntropyModel(nn.Module):
    """The rate of latents in units of their quantiser steps; see the module.

    groups: sizes of the channel groups. width: of the state. side: channels of the side
        information. rungs: of what depends on the quality, see `ladder`. adaptive: whether steps
        differ from range to range.
    """

    def __init__(
        self, groups: Sequence[int], width: int, side: int, rungs: int, *, adaptive: bool = False
    ) -> None:
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
        self.gain = StepGain(width, rungs) if adaptive else None
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
        quantiser: Quantiser | None = None,
    ) -> Rate:
        """The rate of latents at some levels of quality.

        values: in the quantiser steps that all ranges have in common. quantiser: how they are
        rounded and charged; `Round` if None.
        """
        quantiser = quantiser or Round()
        rows, columns = values.shape[-2:]
        side = quantiser.side(self.side_latents(values))
        side_scale = self.side_log_scale(level)[..., None, None]
        side_bits = logistic_bits(side.float(), side_scale).sum((1, 2, 3))
        upsampled = functional.pixel_shuffle(self.side_synthesis(side), 2)
        state = upsampled[..., :rows, :columns].float() + self.start(level)[..., None, None]
        gain = torch.ones_like(state[:, :1]) if self.gain is None else self.gain(state, level)
        values, quantiser = values / gain, quantiser.with_steps(gain)
        base = self.log_scale(level)[..., None, None].split(self.groups, 1)
        black = torch.from_numpy(checkerboard(rows, columns)).to(values.device)
        bits = torch.zeros_like(side_bits)
        quantised: list[Tensor] = []
        first_channel = 0
        for g, group in enumerate(values.split(self.groups, 1)):
            channels = slice(first_channel, first_channel + self.groups[g])
            first_channel = channels.stop
            mean, log_scale = self.predictions[PASSES * g](state, level)
            on_black = quantiser.quantise(group, mean, log_scale + base[g], channels)
            context = self.contexts[g](self.features(g, torch.where(black, on_black, 0)))
            second = self.predictions[PASSES * g + 1](state + context.float(), level)
            on_white = quantiser.quantise(group, second[0], second[1] + base[g], channels)
            mean = torch.where(black, mean, second[0])
            log_scale = torch.where(black, log_scale, second[1]) + base[g]
            quantised.append(torch.where(black, on_black, on_white))
            bits = bits + quantiser.bits(quantised[-1], group, mean, log_scale).sum((1, 2, 3))
            if g + 1 < len(self.groups):
                state = state + self.contexts[g](self.features(g, quantised[-1])).float()
        return Rate(bits, side_bits, torch.cat(quantised, 1) * gain)

    def side_latents(self, values: Float[Tensor, "b a rows columns"]) -> Float[Tensor, "b s r c"]:
        """The side information, one vector per 2 x 2 ranges, not rounded."""
        rows, columns = values.shape[-2:]
        padded = functional.pad(values, (0, columns % 2, 0, rows % 2))
        side: Tensor = self.side_analysis(symlog(padded))
        return side

    def features(self, group: int, quantised: Tensor) -> Tensor:
        """The quantised latents of a group as context for others.

        Detached: the straight-through gradient is biased here and makes training diverge.
        """
        context = symlog(quantised.detach())
        return torch.cat([context, context.abs()], 1) if group < SIGNED_GROUPS else context.abs()
