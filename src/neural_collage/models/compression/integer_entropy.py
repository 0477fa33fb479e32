"""The entropy model in integers: the same on every machine, for any number of threads.

The probabilities of encoder and decoder must agree to the last bit. So the float model is rounded
once: activations to multiples of 2^-10, weights of 2^-12, latents of 2^-6 steps. All of these are
integers below 2^53, which float64 represents exactly: sums of a matrix product do not depend on
their order, and scaling by powers of two and rounding down are exact.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neural_collage.models.compression.checkerboard import (
    BLACK,
    OTHER_COLOUR,
    SAME_COLOUR,
    WHITE,
    Board,
)

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
Tensors = Mapping[str, npt.NDArray[Any]]
"""The tensors of an `entropy_model.EntropyModel` by their names."""

PASSES = 2
SLOPE = 1 / 8  # of the rectifier below zero
SIGNED_GROUPS = 2
"""Groups that give signed values as context; the others give magnitudes alone."""
LEVELS = 99
"""Steps from the lowest quality to the highest."""
ACTIVATION_BITS, WEIGHT_BITS, VALUE_BITS = 10, 12, 6
UNIT = 1 << VALUE_BITS
"""A quantiser step, in the units of quantised latents."""
SMALLEST_SCALE = 0.04
"""Scale of the logistic distributions from which on latents are coded, in steps."""
N_SCALES = 64
SCALE_PITCH = 120  # of the grid of logarithmic scales, in 2^-10
LOWEST_LOG_SCALE = round(math.log(SMALLEST_SCALE) * (1 << ACTIVATION_BITS))
LARGEST_SIDE, LARGEST_ACTIVATION, LARGEST_WEIGHT = 1 << 15, 1 << 24, 64
LARGEST_LOGARITHM = 255 * UNIT
"""The largest latent in the table of logarithms; larger ones have its entry."""


def scale_of(index: int) -> float:
    """The scale of the logistic distribution of an index of the grid, in steps."""
    return math.exp((LOWEST_LOG_SCALE + SCALE_PITCH * index) / (1 << ACTIVATION_BITS))


def logarithm_table() -> IntArray:
    """log(1 + |x|) in 2^-10, for x in 1 / UNIT; computed once, and shipped with the weights."""
    values = np.log1p(np.arange(LARGEST_LOGARITHM + 1) / UNIT)
    table: IntArray = np.rint(values * (1 << ACTIVATION_BITS)).astype(np.int64)
    return table


def rung_values(rungs: IntArray, quality: int) -> IntArray:
    """Integers (n, ...) at equally spaced qualities, at a quality 1..100: linear, rounded down."""
    lower, part = divmod((quality - 1) * (len(rungs) - 1), LEVELS)
    if part == 0:
        return np.asarray(rungs[lower])
    mixed = rungs[lower] * (LEVELS - part) + rungs[lower + 1] * part
    return np.asarray(mixed // LEVELS)


class Pass(NamedTuple):
    """A pass over a group: the channels (a slice of all) and the ranges (True) that it codes."""

    group: int
    channels: slice
    sites: BoolArray


@runtime_checkable
class SymbolSource(Protocol):
    """The origin of symbols: an encoder, which chooses and writes them, or a decoder."""

    def side(self, scales: IntArray) -> IntArray:
        """The side information (s, rows, columns), given the scale index of each number."""

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        """Deviations (a, n) from the means, in steps.

        means: in 1 / UNIT steps. scales: indices of the grid; where they are 0, so is the symbol.
        """


class IntegerEntropy:
    """`EntropyModel` in integer arithmetic; see the module.

    tensors: that are the same on all machines, as read from a file. groups: sizes of the channel
    groups. logarithms: `logarithm_table`, as shipped with the weights.

    Raises ValueError for weights of other shapes, or so large that sums might not be exact, and
    KeyError for missing ones.
    """

    def __init__(self, tensors: Tensors, groups: Sequence[int], logarithms: IntArray) -> None:
        self.groups = tuple(groups)
        check_shapes(tensors, _shapes(tensors, self.groups))
        check_shapes({"logarithms": logarithms}, {"logarithms": (LARGEST_LOGARITHM + 1,)})
        self._logarithms = logarithms.astype(np.float64)
        self._side_scale = _rungs(tensors, "side_log_scale")
        self._side_weight = _weights(tensors, "side_synthesis")
        self._side_bias = _bias(tensors, "side_synthesis", ACTIVATION_BITS)
        self._start = _rungs(tensors, "start")
        count = len(self.groups)
        self._contexts = [_Context(tensors, f"contexts.{n}") for n in range(count)]
        self._predictions = [
            _Prediction(tensors, f"predictions.{n}") for n in range(PASSES * count)
        ]
        self._log_scale = _rungs(tensors, "log_scale")

    def run(
        self,
        source: SymbolSource,
        quality: int,
        rows: int,
        columns: int,
        n_groups: int | None = None,
    ) -> IntArray:
        """Code the symbols of ranges; returns the latents (a, rows, columns) in 1 / UNIT steps.

        n_groups: only those of the first so many groups.
        """
        board = Board(rows, columns)
        states = board.split(self._initial_state(source, quality, rows, columns))
        groups = self.groups[:n_groups]
        result = np.empty((sum(groups), rows * columns), np.int64)
        offset = 0
        for group, size in enumerate(groups):
            channels = slice(offset, offset + size)
            offset += size
            context = self._contexts[group]
            parts = [Pass(group, channels, mask) for mask in board.masks]
            black = self._pass(source, parts[BLACK], BLACK, states[BLACK], quality)
            near_white = board.neighbours(self._features(group, black), BLACK, WHITE)
            to_white = _product(context.other_colour, near_white)
            state = states[WHITE] + _shifted(to_white.copy(), WEIGHT_BITS)
            white = self._pass(source, parts[WHITE], WHITE, state, quality)
            for colour, coded in enumerate((black, white)):
                result[channels, board.sites[colour]] = coded
            if group + 1 < len(groups):
                near_black = board.neighbours(self._features(group, white), WHITE, BLACK)
                to_black = _product(context.other_colour, near_black)
                for colour, coded, other in ((BLACK, black, to_black), (WHITE, white, to_white)):
                    same = board.neighbours(self._features(group, coded), colour, colour)
                    other += _product(context.same_colour, same)
                    states[colour] += _shifted(other, WEIGHT_BITS)
        return result.reshape(-1, rows, columns)

    def _pass(
        self, source: SymbolSource, part: Pass, colour: int, state: FloatArray, quality: int
    ) -> IntArray:
        """The latents (a, n) of one group and colour, in 1 / UNIT steps."""
        mean, log_scale = self._predictions[PASSES * part.group + colour](state, quality)
        base = rung_values(self._log_scale, quality)[part.channels, None]
        means = mean.astype(np.int64)
        symbols = source.coefficients(part, means, _scale_index(log_scale + base))
        return symbols * UNIT + means

    def _initial_state(
        self, source: SymbolSource, quality: int, rows: int, columns: int
    ) -> FloatArray:
        """The state (w, n) that the side information starts."""
        scale = _scale_index(rung_values(self._side_scale, quality).astype(np.float64))
        half = (-(-rows // 2), -(-columns // 2))
        side = source.side(np.broadcast_to(scale[:, None, None], (len(scale), *half)))
        # forged streams must not overflow
        limited = np.clip(side, -LARGEST_SIDE, LARGEST_SIDE).astype(np.float64)
        framed = np.pad(limited, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), (1, 2))
        windows = windows.transpose(0, 3, 4, 1, 2).reshape(-1, half[0] * half[1])
        upsampled = _shifted(_product(self._side_weight, windows), WEIGHT_BITS - ACTIVATION_BITS)
        upsampled += self._side_bias
        # four ranges for each position: (w, 2, 2, r, c) -> (w, 2 r, 2 c)
        full = upsampled.reshape(-1, 2, 2, *half).transpose(0, 3, 1, 4, 2)
        full = full.reshape(-1, 2 * half[0], 2 * half[1])[:, :rows, :columns]
        start = rung_values(self._start, quality).astype(np.float64)[:, None]
        return full.reshape(len(full), -1) + start

    def _features(self, group: int, coded: IntArray) -> FloatArray:
        """Coded latents of a group as context for others, see `EntropyModel.features`."""
        size = self._logarithms[np.minimum(np.abs(coded), LARGEST_LOGARITHM)]
        return np.concatenate([size * np.sign(coded), size]) if group < SIGNED_GROUPS else size


def check_shapes(tensors: Tensors, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError for tensors of other shapes than needed, KeyError for missing ones."""
    problems = [
        f"{name} of shape {tensors[name].shape} where {shape} is needed"
        for name, shape in expected.items()
        if tensors[name].shape != shape
    ]
    if problems:
        raise ValueError("; ".join(problems))


def _shapes(tensors: Tensors, groups: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors, given those of two."""
    rungs, width = tensors["start.rungs"].shape
    side = tensors["side_log_scale.rungs"].shape[-1]
    shapes: dict[str, tuple[int, ...]] = {
        "start.rungs": (rungs, width),
        "log_scale.rungs": (rungs, sum(groups)),
        "side_log_scale.rungs": (rungs, side),
        "side_synthesis.weight": (4 * width, side, 3, 3),
        "side_synthesis.bias": (4 * width,),
    }
    for group, size in enumerate(groups):
        features = size * (2 if group < SIGNED_GROUPS else 1)
        shapes[f"contexts.{group}.weight"] = width, features, 3, 3
        for number in range(PASSES * group, PASSES * (group + 1)):
            shapes |= {
                f"predictions.{number}.shift.rungs": (rungs, width),
                f"predictions.{number}.hidden.weight": (width, width, 1, 1),
                f"predictions.{number}.hidden.bias": (width,),
                f"predictions.{number}.out.weight": (2 * size, width, 1, 1),
                f"predictions.{number}.out.bias": (2 * size,),
            }
    return shapes


class _Context:
    """The weights (w, features x taps) of a 3x3 convolution, by the colour of the neighbours."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        weights = _weights(tensors, name)
        taps = weights.reshape(len(weights), -1, 9)
        self.same_colour, self.other_colour = (
            np.ascontiguousarray(taps[..., list(positions)]).reshape(len(weights), -1)
            for positions in (SAME_COLOUR, OTHER_COLOUR)
        )


class _Prediction:
    """`entropy_model.Prediction` in integers."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        both = ACTIVATION_BITS + WEIGHT_BITS
        self._shift = _rungs(tensors, f"{name}.shift")
        self._hidden, self._out = (_weights(tensors, f"{name}.{n}") for n in ("hidden", "out"))
        self._hidden_bias, self._out_bias = (
            _bias(tensors, f"{name}.{n}", both) for n in ("hidden", "out")
        )

    def __call__(self, state: FloatArray, quality: int) -> tuple[FloatArray, FloatArray]:
        """Means (a, n) in 1 / UNIT, logarithms of scales in 2^-10."""
        moved = _rectified(state + rung_values(self._shift, quality).astype(np.float64)[:, None])
        hidden = _product(self._hidden, moved)
        hidden += self._hidden_bias
        hidden = _rectified(_shifted(hidden, WEIGHT_BITS))
        out = _product(self._out, hidden)
        out += self._out_bias
        mean, log_scale = out[: len(out) // 2], out[len(out) // 2 :]
        to_value = ACTIVATION_BITS + WEIGHT_BITS - VALUE_BITS
        return _shifted(mean, to_value), _shifted(log_scale, WEIGHT_BITS)


def _product(a: FloatArray, b: FloatArray) -> FloatArray:
    """The matrix product, exact in any order of summation."""
    return a @ b


def _scale_index(log_scale: FloatArray) -> IntArray:
    # exact: quotients of such integers are never rounded up to the next one
    index = np.floor((log_scale - (LOWEST_LOG_SCALE - SCALE_PITCH // 2)) / SCALE_PITCH)
    return np.clip(index, 0, N_SCALES - 1).astype(np.int64)


def _rectified(values: FloatArray) -> FloatArray:
    """Leaky rectification, in place of the values."""
    np.clip(values, -LARGEST_ACTIVATION, LARGEST_ACTIVATION, out=values)
    below = _shifted(values.copy(), int(math.log2(1 / SLOPE)))
    # whole numbers divided by 8 and rounded come closer to zero
    return np.maximum(values, below, out=values)


def _shifted(values: FloatArray, bits: int) -> FloatArray:
    """Divide by a power of two and round, halves up, in place of the values."""
    values *= 2.0**-bits
    values += 0.5
    return np.floor(values, out=values)


def _fixed(values: npt.NDArray[Any], bits: int) -> IntArray:
    if values.size and not float(np.abs(values).max()) <= LARGEST_WEIGHT:
        raise ValueError(f"weights beyond {LARGEST_WEIGHT} are too large to be exact")
    return np.rint(values.astype(np.float64) * 2.0**bits).astype(np.int64)


def _weights(tensors: Tensors, name: str) -> FloatArray:
    weight = tensors[f"{name}.weight"]
    return _fixed(weight, WEIGHT_BITS).astype(np.float64).reshape(len(weight), -1)


def _bias(tensors: Tensors, name: str, bits: int) -> FloatArray:
    return _fixed(tensors[f"{name}.bias"], bits).astype(np.float64)[:, None]


def _rungs(tensors: Tensors, name: str) -> IntArray:
    return _fixed(tensors[f"{name}.rungs"], ACTIVATION_BITS)
