"""The entropy model in integers: the same on every machine, for any number of threads.

The probabilities of encoder and decoder must agree to the last bit. So the float model is rounded
once, and evaluated in whole numbers, see `integer_layers`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neural_collage.models.compression.checkerboard import BLACK, WHITE, Board
from neural_collage.models.compression.integer_layers import (
    ACTIVATION_BITS,
    GAIN_BITS,
    VALUE_BITS,
    WEIGHT_BITS,
    FloatArray,
    IntArray,
    IntegerContext,
    IntegerGain,
    IntegerPrediction,
    Tensors,
    bias_of,
    patches_at_once,
    product,
    rung_values,
    rungs_of,
    shifted,
    weights_of,
)

BoolArray = npt.NDArray[np.bool_]

_GAIN = "gain.out.weight"
PASSES = 2
SIGNED_GROUPS = 2
"""Groups that give signed values as context; the others give magnitudes alone."""
UNIT = 1 << VALUE_BITS
"""A quantiser step, in the units of quantised latents."""
SMALLEST_SCALE = 0.04
"""Scale of the logistic distributions from which on latents are coded, in steps."""
N_SCALES = 64
SCALE_PITCH = 120  # of the grid of logarithmic scales, in 2^-10
LOWEST_LOG_SCALE = round(math.log(SMALLEST_SCALE) * (1 << ACTIVATION_BITS))
LARGEST_SIDE = 1 << 15
_SITES_AT_ONCE = 512
"""Ranges whose symbols are predicted at once: what that takes stays in the cache."""
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


class Pass(NamedTuple):
    """A pass over a group.

    channels: those it codes, of all. sites: (rows, columns) True on the ranges it codes. gains: of
    each of them in raster order, its step relative to the common one.
    """

    group: int
    channels: slice
    sites: BoolArray
    gains: FloatArray


@runtime_checkable
class SymbolSource(Protocol):
    """The origin of symbols: an encoder, which chooses and writes them, or a decoder."""

    def side(self, scales: IntArray) -> IntArray:
        """The side information (s, rows, columns), given the scale index of each number."""

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        """Deviations (a, n) from the means, in the steps of the ranges.

        means: in 1 / UNIT of these. scales: indices of the grid; symbols are 0 where these are.
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
        self._side_scale = rungs_of(tensors, "side_log_scale")
        self._side_weight = weights_of(tensors, "side_synthesis")
        self._side_bias = bias_of(tensors, "side_synthesis", ACTIVATION_BITS)
        self._start = rungs_of(tensors, "start")
        self._gain = IntegerGain(tensors) if _GAIN in tensors else None
        count = len(self.groups)
        self._contexts = [IntegerContext(tensors, f"contexts.{n}") for n in range(count)]
        self._predictions = [
            IntegerPrediction(tensors, f"predictions.{n}") for n in range(PASSES * count)
        ]
        self._log_scale = rungs_of(tensors, "log_scale")

    def run(
        self,
        source: SymbolSource,
        quality: int,
        rows: int,
        columns: int,
        n_groups: int | None = None,
    ) -> IntArray:
        """Code the symbols of ranges; returns the latents (a, rows, columns) in 1 / UNIT steps.

        These are the common steps; where a range has another one, latents are rounded to them.
        n_groups: only those of the first so many groups.
        """
        board = Board(rows, columns)
        state = self._initial_state(source, quality, rows, columns)
        gains = None if self._gain is None else self._gain(state, quality)
        one: IntArray = np.full(rows * columns, 1 << GAIN_BITS)
        relative = (one if gains is None else gains).astype(np.float64) / (1 << GAIN_BITS)
        of_colours = [relative[sites] for sites in board.sites]
        states = board.split(state)
        groups = self.groups[:n_groups]
        result = np.empty((sum(groups), rows * columns), np.int64)
        offset = 0
        for group, size in enumerate(groups):
            channels = slice(offset, offset + size)
            offset += size
            context = self._contexts[group]
            parts = [
                Pass(group, channels, mask, own)
                for mask, own in zip(board.masks, of_colours, strict=True)
            ]
            black = self._pass(source, parts[BLACK], BLACK, states[BLACK], quality)
            of_black = self._features(group, black)
            to_white = _convolved(context.other_colour, board, of_black, BLACK, WHITE)
            white = self._pass(source, parts[WHITE], WHITE, states[WHITE], quality, to_white)
            for colour, coded in enumerate((black, white)):
                board.place(coded, colour, result[channels])
            if group + 1 < len(groups):
                of_white = self._features(group, white)
                to_black = _convolved(context.other_colour, board, of_white, WHITE, BLACK)
                known = (BLACK, of_black, to_black), (WHITE, of_white, to_white)
                for colour, own, other in known:
                    for sites, near in _near(board, own, colour, colour):
                        total = product(context.same_colour, near)
                        total += other[:, sites]
                        states[colour][:, sites] += shifted(total, WEIGHT_BITS)
        if gains is not None:
            for patches in patches_at_once(result):
                scaled = result[patches]
                scaled *= gains
                scaled += 1 << (GAIN_BITS - 1)
                scaled >>= GAIN_BITS
        return result.reshape(-1, rows, columns)

    def _pass(
        self,
        source: SymbolSource,
        part: Pass,
        colour: int,
        state: FloatArray,
        quality: int,
        context: FloatArray | None = None,
    ) -> IntArray:
        """The latents (a, n) of one group and colour, in 1 / UNIT steps.

        context: (w, n) what adds to the state, not yet divided.
        """
        predict = self._predictions[PASSES * part.group + colour]
        base = rung_values(self._log_scale, quality)[part.channels, None].astype(np.float64)
        means, scales = np.empty((2, len(base), state.shape[1]), np.int64)
        for sites in _blocks(state.shape[1]):
            own = state[:, sites]
            if context is not None:
                own = shifted(context[:, sites].copy(), WEIGHT_BITS)
                own += state[:, sites]
            means[:, sites], log_scale = predict(own, quality)
            scales[:, sites] = _scale_index(log_scale, base)
        coded = source.coefficients(part, means, scales) * UNIT
        coded += means
        return coded

    def _initial_state(
        self, source: SymbolSource, quality: int, rows: int, columns: int
    ) -> FloatArray:
        """The state (w, n) that the side information starts."""
        scale = _scale_index(rung_values(self._side_scale, quality).astype(np.float64))
        scale = scale.astype(np.int64)
        half = (-(-rows // 2), -(-columns // 2))
        side = source.side(np.broadcast_to(scale[:, None, None], (len(scale), *half)))
        # forged streams must not overflow
        limited = np.clip(side, -LARGEST_SIDE, LARGEST_SIDE).astype(np.float64)
        framed = np.pad(limited, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), (1, 2))
        windows = windows.transpose(0, 3, 4, 1, 2).reshape(-1, half[0] * half[1])
        used = windows.any(1)  # most numbers are zero in all of a tile
        upsampled = product(self._side_weight[:, used], windows[used])
        upsampled = shifted(upsampled, WEIGHT_BITS - ACTIVATION_BITS)
        upsampled += self._side_bias
        # four ranges for each position: (w, 2, 2, r, c) -> (w, 2 r, 2 c)
        full = upsampled.reshape(-1, 2, 2, *half).transpose(0, 3, 1, 4, 2)
        full = full.reshape(-1, 2 * half[0], 2 * half[1])[:, :rows, :columns]
        start = rung_values(self._start, quality).astype(np.float64)[:, None]
        return full.reshape(len(full), -1) + start

    def _features(self, group: int, coded: IntArray) -> FloatArray:
        """Coded latents (a, n) of a group as context for others, see `EntropyModel.features`.

        Returns (n + 1, f), of which the last ones, for what lies outside the grid, are zero.
        """
        size = self._logarithms[np.minimum(np.abs(coded), LARGEST_LOGARITHM)]
        kinds = [size * np.sign(coded), size] if group < SIGNED_GROUPS else [size]
        features = np.zeros((coded.shape[1] + 1, len(kinds) * len(coded)))
        for number, kind in enumerate(kinds):
            features[:-1, number * len(coded) : (number + 1) * len(coded)] = kind.T
        return features


def _blocks(count: int) -> Iterator[slice]:
    """The ranges of a colour, in blocks that are computed one after the other."""
    for first in range(0, count, _SITES_AT_ONCE):
        yield slice(first, min(first + _SITES_AT_ONCE, count))


def _near(
    board: Board, features: FloatArray, source: int, target: int
) -> Iterator[tuple[slice, FloatArray]]:
    """Blocks of the ranges of a colour, and the features (taps x f, n) around them."""
    for sites in _blocks(len(board.sites[target])):
        yield sites, board.neighbours(features, source, target, sites).T


def _convolved(
    weights: FloatArray, board: Board, features: FloatArray, source: int, target: int
) -> FloatArray:
    """The sums (w, n) that the features of one colour add to the ranges of a colour."""
    sums = np.empty((len(weights), len(board.sites[target])))
    for sites, near in _near(board, features, source, target):
        sums[:, sites] = product(weights, near)
    return sums


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
    if _GAIN in tensors:
        shapes |= {
            "gain.shift.rungs": (rungs, width),
            "gain.out.weight": (1, width, 1, 1),
            "gain.out.bias": (1,),
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


def _scale_index(log_scale: FloatArray, base: FloatArray | float = 0) -> FloatArray:
    """Logarithms of scales, to which a base is added, as indices of the grid and a fraction.

    In place of the logarithms. Fractions are dropped where they become integers.
    """
    # exact: quotients of such integers are never rounded up to the next one
    log_scale += base - (LOWEST_LOG_SCALE - SCALE_PITCH // 2)
    log_scale /= SCALE_PITCH
    return np.clip(log_scale, 0, N_SCALES - 1, out=log_scale)
