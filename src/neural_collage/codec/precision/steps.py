"""Which qualities have a precision layer: its step, and the quality of what it lies on."""

import math

from neural_collage.codec.precision.patches import STEP_BITS
from neural_collage.models.compression.compressor import bits_per_squared_error

BASE_QUALITY = 90
"""The highest quality without a layer; that of the base of all files that have one."""
COARSEST, FINEST = 20.0, 4.5
"""Steps of samples in levels, at the first quality with a layer and at 100."""
BITS_PER_SQUARED_STEP = 6 / math.log(2)
"""What a squared error of one step is worth: that of a fine uniform quantiser, 1 / 12, falls to
a quarter with each bit."""


def level_of_quality(quality: float) -> float | None:
    """The step of a quality 1..100 in levels, 1/255; None if it has no layer.

    Between 90 and 91, where layers begin, it is coarser than `COARSEST`.
    """
    if quality <= BASE_QUALITY:
        return None
    share = (quality - BASE_QUALITY - 1) / (99 - BASE_QUALITY)
    return float(COARSEST * (FINEST / COARSEST) ** share)


def step_of_quality(quality: float) -> int | None:
    """The step of a quality 1..100 in 2^-16; None if it has no layer."""
    level = level_of_quality(quality)
    return None if level is None else round(level / 255 * (1 << STEP_BITS))


def precise_bits_per_squared_error(quality: float) -> float:
    """Bits per squared error, summed over samples in [0, 1], that a quality 1..100 spends."""
    level = level_of_quality(quality)
    of_base = bits_per_squared_error(quality)
    return of_base if level is None else max(of_base, BITS_PER_SQUARED_STEP * (255 / level) ** 2)
