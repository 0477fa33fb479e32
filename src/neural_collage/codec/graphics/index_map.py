"""The code of maps of indices, of colours or of modes, from the indices around them.

Indices are coded in waves: index (y, x) in wave (x mod s) + 2 (y mod s), so that those to the left
and above are mostly known, and all squares of s indices proceed together. Some indices are not
coded but repeat earlier ones; they are known as soon as their source is.

An index is coded as the answers to "is it this candidate?", where the candidates are the indices
that last followed the same neighbours, and the neighbours. If it is none of the first `QUESTIONS`
distinct ones, its binary digits follow, each in the context of those before.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neural_collage.codec.graphics.mixing import Mixer, Prediction, bits_of
from neural_collage.core.copies import BoolArray, IntArray

HashArray = npt.NDArray[np.uint64]
Costs = npt.NDArray[np.float32]
WholeArray = npt.NDArray[np.signedinteger]

QUESTIONS = 4
UNKNOWN = -1
_PADDING = 3
_NEIGHBOURS = (
    (0, -1),
    (-1, 0),
    (-1, -1),
    (-1, 1),
    (0, -2),
    (-2, 0),
    (-1, 2),
    (-1, -2),
    (-2, -1),
    (-2, 1),
    (0, -3),
    (-2, 2),
)
_ORDERS = (2, 4, 6, 8, 12)  # numbers of neighbours that the contexts see
_NEAREST = 4  # neighbours that are candidates
_PATTERNS = (5, 11)  # numbers of neighbours that are compared with the ones to the left and above
_N_CANDIDATES = len(_ORDERS) + _NEAREST
_SELECTORS = 1 << _N_CANDIDATES
_EARLIER = np.tril(np.ones((_N_CANDIDATES, _N_CANDIDATES), bool), -1)[..., None]
_POWERS = 1 << np.arange(_N_CANDIDATES)[:, None]
_DIGITS_OF_PATTERN = 4 ** np.arange(_PATTERNS[-1])[::-1, None]
_CANDIDATE_LIMITS = (255, 60, 30, 30, 30, 120, 255)
_DIGIT_LIMITS = (255, 255, 255, 255, 255, 255)
_ROUGHNESS = 4  # classes of differences between neighbours
_LOG_SLOTS = range(10, 20)
_DIGIT_LOG_SLOTS = range(10, 21)
_FACTOR, _FINISH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_FOLD = np.uint64(29)


@runtime_checkable
class BitCoder(Protocol):
    """Writes bits, reads them, or counts their cost."""

    def bits(self, ones: IntArray, values: IntArray | None) -> IntArray:
        """Code n bits, given the probability of a one in units of 2^-16; returns them.

        values: to write; None to read.
        """


def code_index_map(
    coder: BitCoder,
    sources: WholeArray,
    is_coded: BoolArray,
    n_symbols: int,
    square: int,
    indices: WholeArray | None,
    costs: Costs | None = None,
) -> IntArray:
    """Code a map of indices; returns it, with `UNKNOWN` where nothing is coded.

    sources: (h, w) the flattened position where the index of each position is coded, itself if it
    is no copy; is_coded: (h, w) which indices are coded; n_symbols: indices are below. square: the
    side of the squares that proceed together: larger ones compress better, smaller ones are faster.
    indices: (h, w) to write; None to read. costs: (h, w), to which the bits of indices are added.
    """
    height, width = is_coded.shape
    state = _State(sources, int(is_coded.sum()), n_symbols)
    values = np.full(height * width, UNKNOWN, np.int64)
    given = None if indices is None else indices.ravel()
    for positions in waves(is_coded, square):
        wave = state.wave(positions)
        wanted = None if given is None else given[positions].astype(np.int64)
        bits = None if costs is None else np.zeros(len(positions), np.float32)
        values[positions] = wave.code(coder, wanted, bits)
        if costs is not None and bits is not None:
            costs.reshape(-1)[positions] += bits
    return values.reshape(height, width)


def waves(is_coded: BoolArray, square: int) -> Iterator[IntArray]:
    """The flattened positions of the coded indices, wave by wave."""
    positions = np.flatnonzero(is_coded)
    rows, columns = ((np.arange(side) % square).astype(np.int16) for side in is_coded.shape)
    numbers = (2 * rows[:, None] + columns)[is_coded]  # below 2^15, sorted in linear time
    order = np.argsort(numbers, kind="stable")
    ends = np.flatnonzero(np.diff(numbers[order])) + 1
    yield from (wave for wave in np.split(positions[order], ends) if len(wave))


def _log_slots(count: int, limits: range) -> int:
    """Binary logarithm of the counts of a context for so many indices."""
    return min(max(count.bit_length(), limits.start), limits.stop - 1)


def _mixed(state: HashArray, value: WholeArray) -> HashArray:
    """A hash of a hash and one more number, of -1 and more."""
    state = (state + (value + 1).astype(np.uint64)) * _FACTOR
    return state ^ (state >> _FOLD)


class _State:
    """What is known of a map while it is coded, and the statistics."""

    def __init__(self, sources: WholeArray, count: int, n_symbols: int) -> None:
        height, width = sources.shape
        padded = width + 2 * _PADDING
        self._width = width
        self._padded = padded
        # the first position of the padding stands for all that is outside
        where = np.zeros((height + 2 * _PADDING, padded), np.int64)
        inside = where[_PADDING : _PADDING + height, _PADDING : _PADDING + width]
        np.floor_divide(sources, width, out=inside)  # rows, each of which is padded
        inside *= 2 * _PADDING
        inside += sources
        inside += _PADDING * padded + _PADDING
        self._where = where.ravel()
        self.known = np.full(where.size, UNKNOWN, np.int64)
        self._offsets = np.array([[dy * padded + dx] for dy, dx in _NEIGHBOURS])
        self.n_symbols = n_symbols
        log_slots = _log_slots(count, _LOG_SLOTS)
        self.candidates = Mixer(_CANDIDATE_LIMITS, log_slots + 1, QUESTIONS * _SELECTORS)
        self.digits_count = int(n_symbols - 1).bit_length()
        self.digits = Mixer(
            _DIGIT_LIMITS,
            _log_slots(count * self.digits_count, _DIGIT_LOG_SLOTS),
            max(self.digits_count, 1) * _ROUGHNESS,
        )
        # what followed each context last, as the number of the coded index, and all coded indices
        self.log_slots = log_slots
        self.last = np.full((len(_ORDERS), 1 << log_slots), UNKNOWN, np.int64)
        self.history = np.empty(count, np.int64)
        self.coded = 0

    def wave(self, positions: IntArray) -> "_Wave":
        y, x = np.divmod(positions, self._width)
        places = (y + _PADDING) * self._padded + x + _PADDING
        return _Wave(self, places, self.known[self._where[places + self._offsets]])


class _Wave:
    """The indices of one wave, all of which are predicted before any is known."""

    def __init__(self, state: _State, places: IntArray, neighbours: IntArray) -> None:
        self._state = state
        self._places = places
        self._neighbours = neighbours
        hashes, hashed = [], np.zeros(len(places), np.uint64)
        for number, neighbour in enumerate(neighbours, start=1):
            hashed = _mixed(hashed, neighbour)
            if number in _ORDERS:
                hashes.append(hashed * _FINISH)
        self._slots = (np.stack(hashes) >> np.uint64(64 - state.log_slots)).astype(np.int64)
        last = state.last[np.arange(len(_ORDERS))[:, None], self._slots][::-1]
        followed = np.where(last >= 0, state.history[last], UNKNOWN)
        candidates = np.concatenate([followed, neighbours[:_NEAREST]])
        equal = candidates[:, None] == candidates
        distinct = ~(equal & _EARLIER).any(1) & (candidates >= 0)
        self._agreeing = (equal * _POWERS).sum(1)
        self._missing = ((candidates < 0) * _POWERS).sum(0)
        self._rank = np.cumsum(distinct, 0, dtype=np.int8)
        self._distinct, self._candidates = distinct, candidates
        same = (neighbours[1:] == neighbours[0]) + 2 * (neighbours[1:] == neighbours[1])
        patterns = [
            _mixed((same[:n] * _DIGITS_OF_PATTERN[-n:]).sum(0).astype(np.uint64), same[n - 1])
            for n in _PATTERNS
        ]
        near, far = (pattern * _FINISH for pattern in patterns)
        self._hashes = np.stack([near, *hashes[1:], far])

    def _question(self, number: int, which: IntArray) -> tuple[IntArray, Prediction]:
        """The candidates of a question and its prediction, for some of the indices."""
        is_asked = self._distinct[:, which] & (self._rank[:, which] == number + 1)
        row = is_asked.argmax(0)
        agreeing = self._agreeing[row, which]
        seen = _mixed(_mixed(np.zeros(len(which), np.uint64), agreeing), self._missing[which])
        hashes = np.concatenate([self._hashes[:, which], (seen * _FINISH)[None]])
        hashes = (hashes + np.uint64(number)) * _FACTOR
        prediction = self._state.candidates.predict(hashes, agreeing + number * _SELECTORS)
        return self._candidates[row, which], prediction

    def code(
        self, coder: BitCoder, wanted: IntArray | None, costs: Costs | None = None
    ) -> IntArray:
        """Code the indices, add their bits to `costs`, and learn them."""
        state = self._state
        values = np.full(len(self._places), UNKNOWN, np.int64)
        open_ = np.arange(len(values))
        for number in range(QUESTIONS):
            asked = open_[self._rank[-1, open_] > number]
            if not len(asked):
                break
            candidates, prediction = self._question(number, asked)
            answers = None if wanted is None else (wanted[asked] == candidates).astype(np.int64)
            answers = coder.bits(prediction.ones, answers)
            if costs is not None:
                costs[asked] += bits_of(prediction.ones, answers)
            state.candidates.update(prediction, answers)
            values[asked[answers == 1]] = candidates[answers == 1]
            open_ = open_[values[open_] < 0]
        if len(open_):
            wanted = None if wanted is None else wanted[open_]
            values[open_] = self._digits(coder, open_, wanted, costs)
        state.known[self._places] = values
        numbers = np.arange(state.coded, state.coded + len(values))
        state.history[numbers] = values
        for last, slots in zip(state.last, self._slots, strict=True):
            np.maximum.at(last, slots, numbers)
        state.coded += len(values)
        return values

    def _digits(
        self, coder: BitCoder, which: IntArray, wanted: IntArray | None, costs: Costs | None
    ) -> IntArray:
        """Code indices digit by digit, the highest first."""
        state = self._state
        left, above, corner, right, far = self._neighbours[:5, which]
        median = np.clip(left + above - corner, np.minimum(left, above), np.maximum(left, above))
        change = np.abs(left - corner) + np.abs(above - corner) + np.abs(above - right)
        rough = np.searchsorted((4, 16, 32), change, side="right")
        nothing = np.zeros(len(which), np.uint64)
        seen = [
            nothing,
            _mixed(nothing, left),
            _mixed(nothing, above),
            _mixed(_mixed(nothing, median), change.astype(np.int64)),
            _mixed(_mixed(nothing, left), above),
            _mixed(_mixed(nothing, (left + above) // 2), 2 * left - far),
        ]
        contexts = np.stack(seen) + np.arange(len(seen), dtype=np.uint64)[:, None]
        values = np.ones(len(which), np.int64)  # the digits so far, after a 1
        for digit in reversed(range(state.digits_count)):
            hashes = _mixed(contexts, values) * _FINISH
            prediction = state.digits.predict(hashes, rough + digit * _ROUGHNESS)
            bits = None if wanted is None else wanted >> digit & 1
            bits = coder.bits(prediction.ones, bits)
            if costs is not None:
                costs[which] += bits_of(prediction.ones, bits)
            state.digits.update(prediction, bits)
            values = values * 2 + bits
        return values - (1 << state.digits_count)
