"""The PSNR that "auto" promises at each quality, and the steps of a fractal base that keep it."""

import math
from collections.abc import Sequence

import numpy as np

from neural_collage.codec.streams.fractal import MAX_HALVINGS
from neural_collage.fractal.geometry import quantiser_step

TOLERANCE = 0.5
"""How far in dB the promise may be surpassed by a file that was made to keep it."""
_PROMISES = {1: 16.0, 25: 22.0, 50: 26.0, 75: 31.0, 95: 34.0, 100: 44.5}
_DB_PER_HALVING = 6.0
"""PSNR gained by halving a quantiser step at high rates."""


def promised_psnr(quality: float) -> float:
    """The PSNR in dB that "auto" reaches at least at a quality 1..100."""
    return float(np.interp(quality, list(_PROMISES), list(_PROMISES.values())))


def surplus_of(error: float, quality: float) -> float:
    """By how many dB a mean squared error is better than the promise."""
    return -10 * math.log10(max(error, 1e-9)) - promised_psnr(quality)


def next_depth(tried: Sequence[tuple[float, float]]) -> float:
    """How often to halve the step next, for a small surplus.

    tried: what each number of halvings, not necessarily whole, gave as surplus in dB.
    """
    wanted = TOLERANCE / 2
    short = max((one for one in tried if one[1] < 0), default=None)
    long = min((one for one in tried if one[1] >= 0), default=None)
    if short is not None and long is not None:
        share = (wanted - short[1]) / (long[1] - short[1])
        return short[0] + share * (long[0] - short[0])
    depth, surplus = tried[-1]
    more = (wanted - surplus) / _DB_PER_HALVING
    if surplus >= 0:
        return max(depth + more, 0.0)
    # where little is left to be coded, steps have to become finer by more than it seems
    return depth + max(more, 0.5 * (len(tried) - 1))


def finer(quality: float, depth: float) -> tuple[int, int]:
    """The quality and halvings of a fractal stream with a finer step than that of a quality.

    depth: binary logarithm of the ratio of the steps.
    """
    step, finest = quantiser_step(quality) / 2**depth, quantiser_step(100)
    halvings = min(max(math.ceil(math.log2(finest / step)), 0), MAX_HALVINGS)
    step = max(step * 2**halvings, finest)
    ratio = math.log(quantiser_step(1) / step) / math.log(quantiser_step(1) / finest)
    return min(math.ceil(1 + 99 * ratio - 1e-9), 100), halvings
