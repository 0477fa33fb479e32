"""The PSNR of a fit after more steps than were taken."""

import math
from collections.abc import Sequence

import numpy as np

LAST = 8
"""The curve is fitted to its marks from 1/8 of the steps on."""
FORMULA = f"PSNR(n) = a - b / sqrt(n), by least squares on the last {LAST - 1}/{LAST} of the steps"


def marks_of(steps: int, per_octave: int = 2) -> list[int]:
    """Steps of a curve: `steps`, and others down to 10 at equal ratios, in rising order."""
    count = max(0, math.floor(per_octave * math.log2(steps / 10))) if steps > 10 else 0
    return sorted({round(steps / 2 ** (n / per_octave)) for n in range(count + 1)})


def extrapolated(curve: Sequence[tuple[int, float]], steps: int) -> float:
    """PSNR after `steps` steps by `FORMULA`, in dB; the last one measured if that is later.

    curve: steps and PSNR, in rising order.
    """
    last, reached = curve[-1]
    late = [(n, value) for n, value in curve if n >= last / LAST]
    if steps <= last or len(late) < 2:
        return reached
    n, values = np.array(late, float).T
    a, b = np.linalg.lstsq(np.stack([np.ones_like(n), -(n**-0.5)], 1), values, rcond=None)[0]
    return float(a - b / math.sqrt(steps))
