"""Probabilities of bits, mixed from the counts of several contexts in integer arithmetic.

Each context has a count of zeros and of ones. Their logarithmic odds are summed with weights that
descend the gradient of the code length (logistic mixing: Mattern 2013, "Linear and geometric
mixtures", as in the PAQ coders of Mahoney). All bits of one call are predicted before any of them
changes the counts, and sums of integers do not depend on their order, so that encoder and decoder
agree on every machine.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

import numpy as np
import numpy.typing as npt

from neural_collage.core.copies import IntArray

ONE = 1 << 16
"""The probability 1, and the weight 1."""
LEAST = 2
"""The smallest probability of a bit, that of odds of 2^-15."""
_ODDS_UNIT = 256  # units of a binary logarithm of odds
_LARGEST_ODDS = 15 * _ODDS_UNIT
_LARGEST_COUNT = 255
_ONES_SHIFT = 32  # counts are kept as zeros + ones << 32
_ZEROS = (1 << _ONES_SHIFT) - 1
_RATE_SHIFT = 14
_BATCH = 8  # bits of a call that move weights by their full gradients


@lru_cache(maxsize=1)
def _stretched_counts() -> npt.NDArray[np.int32]:
    """Logarithmic odds of all pairs of counts: log2((ones + 0.3) / (zeros + 0.3))."""
    # 256 log2(m), rounded down
    logarithms = [((10 * n + 3) ** _ODDS_UNIT).bit_length() for n in range(_LARGEST_COUNT + 1)]
    row = np.array(logarithms, np.int32)
    return row[None, :] - row[:, None]


@lru_cache(maxsize=1)
def _squashed_odds() -> IntArray:
    """The probability of a one for odds of -15 to 15 powers of two, at least `LEAST`."""
    positive = []
    for odds in range(_LARGEST_ODDS + 1):
        root = 1 << (odds + 32 * _ODDS_UNIT)
        for _ in range(8):  # the 256th root
            root = isqrt(root)
        positive.append(ONE * root // (root + (1 << 32)))
    upper = np.array(positive, np.int64)
    return np.concatenate([ONE - upper[:0:-1], upper])


@lru_cache(maxsize=1)
def _costs() -> npt.NDArray[np.float32]:
    """The bits that a bit of each probability in units of 2^-16 takes."""
    return -np.log2(np.maximum(np.arange(ONE + 1), 0.5) / ONE).astype(np.float32)


def bits_of(ones: IntArray, values: IntArray) -> npt.NDArray[np.float32]:
    """What bits of these values take, given the probability of a one in units of 2^-16."""
    return _costs()[np.where(values == 1, ones, ONE - ones)]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a mixer says of some bits before they are known.

    slots: (contexts, n) of the counts; odds: (contexts, n) that they give; selectors: (n,) sets of
    weights; ones: (n,) probability of a one, of `ONE`.
    """

    slots: IntArray
    odds: npt.NDArray[np.int32]
    selectors: IntArray
    ones: IntArray


class Mixer:
    """Adaptive probabilities of bits.

    limits: for each context, the sum of its counts at which both are halved, up to 255.
    log_size: binary logarithm of the counts of a context; contexts are hashed to them.
    selectors: number of sets of weights.
    """

    def __init__(self, limits: tuple[int, ...], log_size: int, selectors: int) -> None:
        self._log_size = log_size
        self._limits = np.array(limits)[:, None]
        self._counts = np.zeros(len(limits) << log_size, np.int64)
        self._bases = (np.arange(len(limits), dtype=np.int64) << log_size)[:, None]
        self._weights = np.full((len(limits), selectors), ONE * 2 // 9, np.int64)
        self._first = (np.arange(len(limits), dtype=np.int64) * selectors)[:, None]

    def predict(self, hashes: npt.NDArray[np.uint64], selectors: IntArray) -> Prediction:
        """The probabilities of n bits.

        hashes: (contexts, n), 64 bits each, of which the highest count. selectors: (n,).
        """
        slots = (hashes >> np.uint64(64 - self._log_size)).astype(np.int64) + self._bases
        counts = self._counts[slots]
        odds = _stretched_counts()[counts & _ZEROS, counts >> _ONES_SHIFT]
        mixed = (self._weights[:, selectors] * odds).sum(0) >> 16
        place = np.minimum(np.maximum(mixed + _LARGEST_ODDS, 0), 2 * _LARGEST_ODDS)
        ones = _squashed_odds()[place]
        return Prediction(slots, odds, selectors, ones)

    def update(self, prediction: Prediction, bits: IntArray) -> None:
        """Learn the bits of a prediction."""
        errors = bits * ONE - prediction.ones
        size = self._weights.size
        # sums of whole numbers below 2^53, exact in any order
        gradients = np.bincount(
            (prediction.selectors + self._first).ravel(),
            (prediction.odds * errors).ravel(),
            size,
        )
        used = np.bincount(prediction.selectors, minlength=self._weights.shape[1])
        steps = gradients.astype(np.int64).reshape(self._weights.shape) // (used // _BATCH + 1)
        self._weights += steps >> _RATE_SHIFT

        slots = prediction.slots
        added = np.where(bits == 1, 1 << _ONES_SHIFT, 1)
        np.add.at(self._counts, slots.ravel(), added[None].repeat(len(slots), 0).ravel())
        counts = self._counts[slots]
        zeros, ones = counts & _ZEROS, counts >> _ONES_SHIFT
        while (over := zeros + ones > self._limits).any():
            zeros = np.where(over, (zeros + 1) >> 1, zeros)
            ones = np.where(over, (ones + 1) >> 1, ones)
        self._counts[slots] = zeros | ones << _ONES_SHIFT
