"""The BD-rate: the average difference of two rate-distortion curves (Bjontegaard, VCEG-M33, 2001).

Curves are interpolated by monotone piecewise cubics (PCHIP) instead of the original polynomial,
which overshoots.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neural_collage.errors import CollageError
from neural_collage.extras import needs_extra

with needs_extra("bench"):
    from scipy.interpolate import PchipInterpolator
    from scipy.optimize import brentq


class Curve(NamedTuple):
    """A rate-distortion curve as points in any order."""

    rates: Sequence[float]
    """Bits per pixel."""
    psnrs: Sequence[float]
    """dB."""


def bd_rate(reference: Curve, test: Curve, rate_range: tuple[float, float] | None = None) -> float:
    """Average difference in rate at equal PSNR, in percent: -20 if `test` needs a fifth less.

    Each curve becomes log rate as a function of PSNR. The mean difference of the two functions
    over an interval of PSNR, turned back into a ratio of rates, is the result. The interval is
    the overlap of the PSNRs that the curves span; with `rate_range` = (low, high) in bits per
    pixel, of the PSNRs that each curve spans while its own rate is inside that range.

    Points are ignored if a point of lower rate has an equal or higher PSNR, and if their PSNR is
    infinite (lossless coding).

    Raises:
        CollageError: a curve has fewer than two points left, or the interval is empty.
    """
    curves = [_log_rate_over_psnr(curve) for curve in (reference, test)]
    spans = [_psnr_span(curve, rate_range) for curve in curves]
    low, high = max(span[0] for span in spans), min(span[1] for span in spans)
    if low >= high:
        found = " and ".join(f"{first:.2f}..{last:.2f} dB" for first, last in spans)
        where = f" at {rate_range[0]:g}..{rate_range[1]:g} bpp" if rate_range else ""
        raise CollageError(f"the curves have no PSNR in common{where}: they span {found}")
    of_reference, of_test = (float(curve.integrate(low, high)) / (high - low) for curve in curves)
    return 100 * math.expm1(of_test - of_reference)


def _log_rate_over_psnr(curve: Curve) -> PchipInterpolator:
    front: list[tuple[float, float]] = []
    by_rate = sorted(zip(*curve, strict=True), key=lambda point: (point[0], -point[1]))
    for rate, psnr in by_rate:
        if math.isfinite(psnr) and (not front or psnr > front[-1][1]):
            front.append((rate, psnr))
    if len(front) < 2:
        raise CollageError(f"a curve needs two points of rising rate and PSNR, got {curve}")
    rates, psnrs = np.array(front).T
    return PchipInterpolator(psnrs, np.log(rates))


def _psnr_span(
    curve: PchipInterpolator, rate_range: tuple[float, float] | None
) -> tuple[float, float]:
    """Lowest and highest PSNR of a curve at rates inside the range; equal if it has none there."""
    first, last = float(curve.x[0]), float(curve.x[-1])
    if rate_range is None:
        return first, last
    lowest, highest = curve(first), curve(last)

    def psnr_at(rate: float) -> float:
        log_rate = np.clip(np.log(rate), lowest, highest)
        return float(brentq(lambda psnr: curve(psnr) - log_rate, first, last))

    return psnr_at(rate_range[0]), psnr_at(rate_range[1])
