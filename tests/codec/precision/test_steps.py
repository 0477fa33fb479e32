"""Steps of precision layers by quality."""

from itertools import pairwise

import numpy as np

from neural_collage.codec.precision.steps import (
    BASE_QUALITY,
    COARSEST,
    FINEST,
    precise_bits_per_squared_error,
    step_of_quality,
)
from neural_collage.models.compression.compressor import bits_per_squared_error


def test_the_last_qualities_have_ever_finer_steps() -> None:
    assert all(step_of_quality(quality) is None for quality in range(1, BASE_QUALITY + 1))
    steps = [step_of_quality(quality) for quality in range(BASE_QUALITY + 1, 101)]
    ratios = [a / b for a, b in pairwise(steps) if a and b]
    np.testing.assert_allclose(ratios, (COARSEST / FINEST) ** (1 / 9), rtol=0.01)
    assert len(ratios) == len(steps) - 1
    assert steps[-1] == round(FINEST / 255 * 65536)


def test_errors_are_worth_ever_more_bits() -> None:
    worth = [precise_bits_per_squared_error(quality) for quality in range(1, 101)]
    assert (np.diff(worth) > 0).all()
    assert worth[BASE_QUALITY - 1] == bits_per_squared_error(BASE_QUALITY)
