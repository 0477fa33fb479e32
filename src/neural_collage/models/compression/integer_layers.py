"""Layers in integers: the same on every machine, for any number of threads.

Activations are multiples of 2^-10, weights of 2^-12, latents of 2^-6 steps. All of these are
integers below 2^53, which float64 represents exactly: sums of a matrix product do not depend on
their order, and scaling by powers of two and rounding down are exact.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_collage.models.compression.checkerboard import OTHER_COLOUR, SAME_COLOUR

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Tensors = Mapping[str, npt.NDArray[Any]]
"""The tensors of an `entropy_model.EntropyModel` by their names."""

LEVELS = 99
"""Steps from the lowest quality to the highest."""
SLOPE = 1 / 8  # of the rectifier below zero
ACTIVATION_BITS, WEIGHT_BITS, VALUE_BITS = 10, 12, 6
_TO_VALUE = ACTIVATION_BITS + WEIGHT_BITS - VALUE_BITS
LARGEST_ACTIVATION, LARGEST_WEIGHT = 1 << 24, 64
LARGEST_GAIN = 2
"""The largest binary logarithm of a range's step, relative to the common one, of either sign."""
GAIN_BITS, GAIN_PITCH_BITS = 12, 5
"""Relative steps are whole numbers in 2^-12, for binary logarithms in 2^-5."""
_VALUES_AT_ONCE = 1 << 14
"""Latents that are scaled together: they stay in the cache."""


def patches_at_once(values: IntArray) -> Iterator[slice]:
    """Blocks of the patches of latents (a, ...), so large that they stay in the cache."""
    step = max(1, _VALUES_AT_ONCE * len(values) // max(values.size, 1))
    for first in range(0, len(values), step):
        yield slice(first, first + step)


def rung_values(rungs: IntArray, quality: int) -> IntArray:
    """Integers (n, ...) at equally spaced qualities, at a quality 1..100: linear, rounded down."""
    lower, part = divmod((quality - 1) * (len(rungs) - 1), LEVELS)
    if part == 0:
        return np.asarray(rungs[lower])
    mixed = rungs[lower] * (LEVELS - part) + rungs[lower + 1] * part
    return np.asarray(mixed // LEVELS)


class IntegerContext:
    """The weights (w, taps x features) of a 3x3 convolution, by the colour of the neighbours."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        weights = weights_of(tensors, name)
        taps = weights.reshape(len(weights), -1, 9).transpose(0, 2, 1)
        self.same_colour, self.other_colour = (
            np.ascontiguousarray(taps[:, list(positions)]).reshape(len(weights), -1)
            for positions in (SAME_COLOUR, OTHER_COLOUR)
        )


class IntegerPrediction:
    """`entropy_model.Prediction` in integers."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        both = ACTIVATION_BITS + WEIGHT_BITS
        self._shift = rungs_of(tensors, f"{name}.shift")
        self._hidden, self._out = (weights_of(tensors, f"{name}.{n}") for n in ("hidden", "out"))
        self._hidden_bias, self._out_bias = (
            bias_of(tensors, f"{name}.{n}", both) for n in ("hidden", "out")
        )
        # halves that round are in the bias
        self._hidden_bias += half(WEIGHT_BITS)
        count = len(self._out_bias) // 2
        self._out_bias[:count] += half(_TO_VALUE)
        self._out_bias[count:] += half(WEIGHT_BITS)

    def __call__(self, state: FloatArray, quality: int) -> tuple[FloatArray, FloatArray]:
        """Means (a, n) in 1 / UNIT, logarithms of scales in 2^-10."""
        moved = rectified(state + rung_values(self._shift, quality).astype(np.float64)[:, None])
        hidden = product(self._hidden, moved)
        hidden += self._hidden_bias
        hidden = rectified(divided(hidden, WEIGHT_BITS))
        out = product(self._out, hidden)
        out += self._out_bias
        mean, log_scale = out[: len(out) // 2], out[len(out) // 2 :]
        return divided(mean, _TO_VALUE), divided(log_scale, WEIGHT_BITS)


class IntegerGain:
    """`entropy_model.StepGain` in integers."""

    def __init__(self, tensors: Tensors) -> None:
        self._shift = rungs_of(tensors, "gain.shift")
        self._out = weights_of(tensors, "gain.out")
        self._bias = bias_of(tensors, "gain.out", ACTIVATION_BITS + WEIGHT_BITS)
        self._steps = relative_steps()

    def __call__(self, state: FloatArray, quality: int) -> IntArray:
        """The steps (n,) of ranges relative to the common one, in 2^-12."""
        moved = rectified(state + rung_values(self._shift, quality).astype(np.float64)[:, None])
        out = product(self._out, moved)
        out += self._bias
        index = shifted(out, ACTIVATION_BITS + WEIGHT_BITS - GAIN_PITCH_BITS)[0]
        middle = len(self._steps) // 2
        steps: IntArray = self._steps[np.clip(index + middle, 0, 2 * middle).astype(np.int64)]
        return steps


def relative_steps() -> IntArray:
    """2^(k / 32) in 2^-12, rounded down, for k from -64 to 64.

    A root of order 32 is five square roots, each rounded down, of whole numbers: exact.
    """
    roots = 1 << GAIN_PITCH_BITS
    largest = LARGEST_GAIN * roots
    steps = []
    for index in range(-largest, largest + 1):
        step = 1 << (GAIN_BITS * roots + index)
        for _ in range(GAIN_PITCH_BITS):
            step = math.isqrt(step)
        steps.append(step)
    return np.array(steps, np.int64)


def product(a: FloatArray, b: FloatArray) -> FloatArray:
    """The matrix product, exact in any order of summation."""
    return a @ b


def rectified(values: FloatArray) -> FloatArray:
    """Leaky rectification, in place of the values."""
    np.clip(values, -LARGEST_ACTIVATION, LARGEST_ACTIVATION, out=values)
    below = values * SLOPE
    below += 0.5
    np.floor(below, out=below)
    # whole numbers divided by 8 and rounded come closer to zero
    return np.maximum(values, below, out=values)


def shifted(values: FloatArray, bits: int) -> FloatArray:
    """Divide by a power of two and round, halves up, in place of the values."""
    values += half(bits)
    return divided(values, bits)


def half(bits: int) -> float:
    """Half of a power of two, which is added to what is to be rounded when it is divided."""
    return 2.0 ** (bits - 1)


def divided(values: FloatArray, bits: int) -> FloatArray:
    """Divide by a power of two and round down, in place of the values."""
    values *= 2.0**-bits
    return np.floor(values, out=values)


def _fixed(values: npt.NDArray[Any], bits: int) -> IntArray:
    if values.size and not float(np.abs(values).max()) <= LARGEST_WEIGHT:
        raise ValueError(f"weights beyond {LARGEST_WEIGHT} are too large to be exact")
    return np.rint(values.astype(np.float64) * 2.0**bits).astype(np.int64)


def weights_of(tensors: Tensors, name: str) -> FloatArray:
    """The matrix (outputs, inputs) of a layer in 2^-12.

    Raises ValueError if it might not be exact, KeyError if there is none; so do the other two.
    """
    weight = tensors[f"{name}.weight"]
    return _fixed(weight, WEIGHT_BITS).astype(np.float64).reshape(len(weight), -1)


def bias_of(tensors: Tensors, name: str, bits: int) -> FloatArray:
    """The bias (outputs, 1) of a layer in 2^-bits."""
    return _fixed(tensors[f"{name}.bias"], bits).astype(np.float64)[:, None]


def rungs_of(tensors: Tensors, name: str) -> IntArray:
    """What depends on the quality (rungs, n), in 2^-10."""
    return _fixed(tensors[f"{name}.rungs"], ACTIVATION_BITS)
