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
    values: Sequence[float]
    """Of a metric that rises with quality, such as PSNR in dB."""


def bd_rate(reference: Curve, test: Curve, rate_range: tuple[float, float] | None = None) -> float:
    """Average difference in rate at equal quality, in percent: -20 if `test` needs a fifth less.

    Each curve becomes log rate as a function of the metric. The mean difference of the two
    functions over an interval of the metric, turned back into a ratio of rates, is the result. The
    interval is the overlap of the values that the curves span; with `rate_range` = (low, high) in
    bits per pixel, of the values that each curve spans while its own rate is inside that range.

    Points are ignored if a point of lower rate has an equal or higher value, and if their value is
    infinite (PSNR of lossless coding).

    Raises:
        CollageError: a curve has fewer than two points left, or the interval is empty.
    """
    curves = [_log_rate_over_value(curve) for curve in (reference, test)]
    spans = [_value_span(curve, rate_range) for curve in curves]
    low, high = max(span[0] for span in spans), min(span[1] for span in spans)
    if low >= high:
        found = " and ".join(f"{first:.2f}..{last:.2f}" for first, last in spans)
        where = f" at {rate_range[0]:g}..{rate_range[1]:g} bpp" if rate_range else ""
        raise CollageError(f"the curves have no quality in common{where}: they span {found}")
    of_reference, of_test = (float(curve.integrate(low, high)) / (high - low) for curve in curves)
    return 100 * math.expm1(of_test - of_reference)


def _log_rate_over_value(curve: Curve) -> PchipInterpolator:
    front: list[tuple[float, float]] = []
    by_rate = sorted(zip(*curve, strict=True), key=lambda point: (point[0], -point[1]))
    for rate, value in by_rate:
        if math.isfinite(value) and (not front or value > front[-1][1]):
            front.append((rate, value))
    if len(front) < 2:
        raise CollageError(f"a curve needs two points of rising rate and quality, got {curve}")
    rates, values = np.array(front).T
    return PchipInterpolator(values, np.log(rates))


def _value_span(
    curve: PchipInterpolator, rate_range: tuple[float, float] | None
) -> tuple[float, float]:
    """Lowest and highest value of a curve at rates inside the range; equal if it has none there."""
    first, last = float(curve.x[0]), float(curve.x[-1])
    if rate_range is None:
        return first, last
    lowest, highest = curve(first), curve(last)

    def value_at(rate: float) -> float:
        log_rate = np.clip(np.log(rate), lowest, highest)
        return float(brentq(lambda value: curve(value) - log_rate, first, last))

    return value_at(rate_range[0]), value_at(rate_range[1])
