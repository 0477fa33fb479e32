"""The entropy model in integers: the same on every machine, for any number of threads.

The probabilities of encoder and decoder must agree to the last bit. So the float model is rounded
once: activations to multiples of 2^-10, weights of 2^-12, latents of 2^-6 steps. All of these are
integers below 2^53, which float64 represents exactly: sums of a matrix product do not depend on
their order, and scaling by powers of two and rounding down are exact.
"""

import math
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.models.compression.checkerboard import (
    BLACK,
    OTHER_COLOUR,
    SAME_COLOUR,
    WHITE,
    Board,
)
from neural_collage.models.compression.entropy_model import (
    PASSES,
    SIGNED_GROUPS,
    SLOPE,
    EntropyModel,
    Prediction,
)
from neural_collage.models.compression.ladder import Ladder, rung_values
from neural_collage.models.compression.logistic import SMALLEST_SCALE

ACTIVATION_BITS, WEIGHT_BITS, VALUE_BITS = 10, 12, 6
UNIT = 1 << VALUE_BITS
"""A quantiser step, in the units of quantised latents."""
N_SCALES = 64
SCALE_PITCH = 120  # of the grid of logarithmic scales, in 2^-10
LOWEST_LOG_SCALE = round(math.log(SMALLEST_SCALE) * (1 << ACTIVATION_BITS))
LARGEST_SIDE, LARGEST_ACTIVATION, LARGEST_WEIGHT = 1 << 15, 1 << 24, 64
LARGEST_LOGARITHM = 255 * UNIT
"""The largest latent in the table of logarithms; larger ones have its entry."""


def scale_of(index: int) -> float:
    """The scale of the logistic distribution of an index of the grid, in steps."""
    return math.exp((LOWEST_LOG_SCALE + SCALE_PITCH * index) / (1 << ACTIVATION_BITS))


def logarithm_table() -> Int64[Tensor, " n"]:
    """log(1 + |x|) in 2^-10, for x in 1 / UNIT; computed once, and shipped with the weights."""
    values = torch.arange(LARGEST_LOGARITHM + 1, dtype=torch.float64) / UNIT
    return (values.log1p() * (1 << ACTIVATION_BITS)).round().long()


class Pass(NamedTuple):
    """A pass over a group: the channels (a slice of all) and the ranges (True) that it codes."""

    group: int
    channels: slice
    sites: Bool[Tensor, "rows columns"]


@runtime_checkable
class SymbolSource(Protocol):
    """The origin of symbols: an encoder, which chooses and writes them, or a decoder."""

    def side(self, scales: Int64[Tensor, "s rows columns"]) -> Int64[Tensor, "s rows columns"]:
        """The side information, given the scale index of each number."""

    def coefficients(
        self, part: Pass, means: Int64[Tensor, "a n"], scales: Int64[Tensor, "a n"]
    ) -> Int64[Tensor, "a n"]:
        """Deviations from the means, in steps.

        means: in 1 / UNIT steps. scales: indices of the grid; where they are 0, so is the symbol.
        """


class IntegerEntropy:
    """`EntropyModel` in integer arithmetic; see the module.

    model: with weights that are the same on all machines, as read from a file.
    logarithms: `logarithm_table`, as shipped with the weights.

    Raises ValueError for weights so large that sums might not be exact.
    """

    def __init__(self, model: EntropyModel, logarithms: Int64[Tensor, " n"]) -> None:
        self.groups = model.groups
        self._logarithms = logarithms.double()
        self._side_scale = _rungs(model.side_log_scale)
        self._side_weight = _weights(model.side_synthesis)
        self._side_bias = _fixed(_bias(model.side_synthesis), ACTIVATION_BITS).double()[:, None]
        self._start = _rungs(model.start)
        self._contexts = [_IntegerContext(layer) for layer in model.contexts]
        self._predictions = [_IntegerPrediction(p) for p in model.predictions]  # type: ignore[arg-type]
        self._log_scale = _rungs(model.log_scale)

    def run(
        self, source: SymbolSource, quality: int, rows: int, columns: int
    ) -> Int64[Tensor, "a rows columns"]:
        """Code all symbols of rows x columns ranges; returns the latents in 1 / UNIT steps."""
        board = Board(rows, columns)
        states = board.split(self._initial_state(source, quality, rows, columns))
        result = torch.zeros(sum(self.groups), rows * columns, dtype=torch.int64)
        offset = 0
        for group, size in enumerate(self.groups):
            channels = slice(offset, offset + size)
            offset += size
            context = self._contexts[group]
            parts = [Pass(group, channels, mask) for mask in board.masks]
            black = self._pass(source, parts[BLACK], BLACK, states[BLACK], quality)
            to_white = context.other_colour @ board.neighbours(
                self._features(group, black), BLACK, WHITE
            )
            state = states[WHITE] + _shift(to_white, WEIGHT_BITS)
            white = self._pass(source, parts[WHITE], WHITE, state, quality)
            for colour, coded in enumerate((black, white)):
                result[channels, board.sites[colour]] = coded
            if group + 1 < len(self.groups):
                to_black = context.other_colour @ board.neighbours(
                    self._features(group, white), WHITE, BLACK
                )
                for colour, coded, other in ((BLACK, black, to_black), (WHITE, white, to_white)):
                    same = board.neighbours(self._features(group, coded), colour, colour)
                    states[colour] = states[colour] + _shift(
                        context.same_colour @ same + other, WEIGHT_BITS
                    )
        latents: Tensor = result.unflatten(1, (rows, columns))
        return latents

    def _pass(
        self,
        source: SymbolSource,
        part: Pass,
        colour: int,
        state: Float[Tensor, "w n"],
        quality: int,
    ) -> Int64[Tensor, "a n"]:
        """The latents of one group and colour, in 1 / UNIT steps."""
        mean, log_scale = self._predictions[PASSES * part.group + colour](state, quality)
        base = rung_values(self._log_scale, quality)[part.channels, None]
        symbols = source.coefficients(part, mean, _scale_index(log_scale + base))
        return symbols * UNIT + mean

    def _initial_state(
        self, source: SymbolSource, quality: int, rows: int, columns: int
    ) -> Float[Tensor, "w n"]:
        scale = _scale_index(rung_values(self._side_scale, quality))
        half = (-(-rows // 2), -(-columns // 2))
        side = source.side(scale[:, None, None].expand(-1, *half))
        side = side.clamp(-LARGEST_SIDE, LARGEST_SIDE)  # forged streams must not overflow
        upsampled = _convolve(side.double(), self._side_weight)
        upsampled = _shift(upsampled, WEIGHT_BITS - ACTIVATION_BITS) + self._side_bias
        full = functional.pixel_shuffle(upsampled.unflatten(1, half), 2)[:, :rows, :columns]
        start: Tensor = rung_values(self._start, quality).double()[:, None]
        return full.flatten(1) + start

    def _features(self, group: int, coded: Int64[Tensor, "a n"]) -> Float[Tensor, "f n"]:
        """Coded latents of a group as context for others, see `EntropyModel.features`."""
        size = self._logarithms[coded.abs().clamp_max(LARGEST_LOGARITHM)]
        return torch.cat([size * coded.sign(), size]) if group < SIGNED_GROUPS else size


class _IntegerContext:
    """The weights (w, features x taps) of a 3x3 convolution, by the colour of the neighbours."""

    def __init__(self, layer: nn.Module) -> None:
        assert isinstance(layer, nn.Conv2d)
        taps = _weights(layer).view(len(layer.weight), -1, 9)
        self.same_colour, self.other_colour = (
            taps[..., list(positions)].flatten(1) for positions in (SAME_COLOUR, OTHER_COLOUR)
        )


class _IntegerPrediction:
    """`entropy_model.Prediction` in integers."""

    def __init__(self, prediction: Prediction) -> None:
        self._shift_rungs = _rungs(prediction.shift)
        both = ACTIVATION_BITS + WEIGHT_BITS
        self._hidden, self._out = (_weights(m) for m in (prediction.hidden, prediction.out))
        self._hidden_bias = _fixed(_bias(prediction.hidden), both).double()[:, None]
        self._out_bias = _fixed(_bias(prediction.out), both).double()[:, None]

    def __call__(
        self, state: Float[Tensor, "w n"], quality: int
    ) -> tuple[Int64[Tensor, "a n"], Int64[Tensor, "a n"]]:
        """Means in 1 / UNIT, logarithms of scales in 2^-10."""
        shifted = _rectified(state + rung_values(self._shift_rungs, quality).double()[:, None])
        hidden = _rectified(_shift(self._hidden @ shifted + self._hidden_bias, WEIGHT_BITS))
        mean, log_scale = (self._out @ hidden + self._out_bias).chunk(2)
        to_value = ACTIVATION_BITS + WEIGHT_BITS - VALUE_BITS
        return _shift(mean, to_value).long(), _shift(log_scale, WEIGHT_BITS).long()


def _scale_index(log_scale: Int64[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
    index = torch.div(
        log_scale - LOWEST_LOG_SCALE + SCALE_PITCH // 2, SCALE_PITCH, rounding_mode="floor"
    )
    return index.clamp(0, N_SCALES - 1)


def _convolve(image: Float[Tensor, "a rows columns"], weight: Tensor) -> Float[Tensor, "w n"]:
    """3x3 convolution with zero padding, as one matrix product: its sums are exact."""
    return weight @ functional.unfold(image[None], 3, padding=1)[0]


def _rectified(values: Tensor) -> Tensor:
    values = values.clamp(-LARGEST_ACTIVATION, LARGEST_ACTIVATION)
    return torch.where(values > 0, values, _shift(values, int(math.log2(1 / SLOPE))))


def _shift(values: Tensor, bits: int) -> Tensor:
    """Divide by a power of two and round, halves up."""
    return torch.floor(values * 2.0**-bits + 0.5)


def _fixed(values: Tensor, bits: int) -> Int64[Tensor, "*n"]:
    if values.numel() and not float(values.detach().abs().max()) <= LARGEST_WEIGHT:
        raise ValueError(f"weights beyond {LARGEST_WEIGHT} are too large to be exact")
    return torch.round(values.detach().double().cpu() * 2.0**bits).long()


def _weights(layer: nn.Module) -> Float[Tensor, "o i"]:
    assert isinstance(layer, nn.Conv2d)
    return _fixed(layer.weight, WEIGHT_BITS).double().flatten(1)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def _rungs(ladder: Ladder) -> Int64[Tensor, "n *s"]:
    return _fixed(ladder.rungs, ACTIVATION_BITS)
