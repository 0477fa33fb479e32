"""The results of a rate-distortion benchmark: points of pictures, mean curves and BD-rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from neural_collage.errors import CollageError
from neural_collage.evaluation.bd_rate import Curve, bd_rate
from neural_collage.evaluation.codecs import is_ours
from neural_collage.evaluation.distortion import METRICS, Metric
from neural_collage.evaluation.environment import Environment

LOW_RATES, USUAL_RATES = (0.1, 0.6), (0.1, 1.0)
"""Ranges in bits per pixel of the first two of the three BD-rates."""

Published = Mapping[str, Mapping[str, Curve]]
"""Published curves by the name of a metric, then by their own."""


@dataclass(frozen=True)
class Point:
    """Rate, distortion and times of a codec at one quality, for one picture or on average."""

    quality: float
    bpp: float
    psnr: float
    """dB; infinite if the decoded picture equals the original."""
    ms_ssim: float | None
    """At most 1, not in decibels; None if not measured or the picture is too small for it."""
    encode_seconds: float
    decode_seconds: float
    ssimulacra2: float | None = None
    """At most 100; None as `ms_ssim`."""


@dataclass(frozen=True)
class PictureResult:
    """The points of all codecs at all their qualities for one picture."""

    picture: str
    points: dict[str, list[Point]]


@dataclass(frozen=True)
class BdRates:
    """Percent of rate against another curve; None where the two have no quality in common.

    low_rates, usual_rates: at `LOW_RATES` and `USUAL_RATES`. overall: at all values of the metric
    in common.
    """

    low_rates: float | None
    usual_rates: float | None
    overall: float | None

    @classmethod
    def between(cls, reference: Curve, test: Curve) -> "BdRates":
        """BD-rates of `test`; negative if it needs less rate than `reference`."""
        return cls(
            low_rates=_bd_rate_or_none(reference, test, LOW_RATES),
            usual_rates=_bd_rate_or_none(reference, test, USUAL_RATES),
            overall=_bd_rate_or_none(reference, test, None),
        )


@dataclass(frozen=True)
class Settings:
    """Settings of a benchmark, and the command that repeats it."""

    command: str
    folder: str
    """Name of the folder of pictures."""
    jobs: int
    """Pictures measured at a time."""
    codecs: Mapping[str, Mapping[str, object]]
    """The fixed options of each codec. BD-rates are relative to the first."""
    metrics: Sequence[str] = ("psnr",)
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Codecs and metrics that were not available, and why."""


@dataclass(frozen=True)
class RateDistortionResult:
    """A finished benchmark.

    published: curves of the same pictures, to compare with.
    """

    settings: Settings
    environment: Environment
    pictures: Sequence[PictureResult]
    published: Published = field(default_factory=dict)

    @property
    def metrics(self) -> list[Metric]:
        """Those that were measured."""
        return [METRICS[name] for name in self.settings.metrics]

    @property
    def reference(self) -> str:
        """The codec that `bd_rates` are relative to: the first."""
        return next(iter(self.settings.codecs))

    @cached_property
    def points(self) -> dict[str, list[Point]]:
        """The points of each codec, averaged over the pictures."""
        return {
            codec: [
                _average(points)
                for points in zip(*(found.points[codec] for found in self.pictures), strict=True)
            ]
            for codec in self.settings.codecs
        }

    def curves(self, metric: Metric) -> dict[str, Curve]:
        """The mean curve of each codec; of no points where the metric has no values."""
        return {codec: curve_of(points, metric) for codec, points in self.points.items()}

    def published_curves(self, metric: Metric) -> Mapping[str, Curve]:
        """The published curves that have this metric."""
        return self.published.get(metric.name, {})

    def bd_rates(self, metric: Metric) -> dict[str, BdRates]:
        """BD-rates of all other codecs against `reference`."""
        curves = self.curves(metric)
        reference = curves.pop(self.reference)
        return {codec: BdRates.between(reference, curve) for codec, curve in curves.items()}

    def bd_rates_against_others(self, metric: Metric) -> dict[str, dict[str, BdRates]]:
        """BD-rates of each of our codecs with two or more points against all other curves.

        Those are the curves of peers and the published ones.
        """
        curves = self.curves(metric)
        others = {codec: curve for codec, curve in curves.items() if not is_ours(codec)}
        others |= self.published_curves(metric)
        return {
            codec: {name: BdRates.between(other, curve) for name, other in others.items()}
            for codec, curve in curves.items()
            if is_ours(codec) and len(curve.rates) > 1
        }


def curve_of(points: Sequence[Point], metric: Metric) -> Curve:
    """The rates and values of points, without those that have no value."""
    measured = [
        (point.bpp, metric.on_curve(value))
        for point in points
        if (value := getattr(point, metric.field)) is not None
    ]
    return Curve([rate for rate, _ in measured], [value for _, value in measured])


def _average(points: Sequence[Point]) -> Point:
    return Point(
        quality=points[0].quality,
        bpp=fmean(point.bpp for point in points),
        psnr=fmean(point.psnr for point in points),
        ms_ssim=_mean_or_none([point.ms_ssim for point in points]),
        encode_seconds=fmean(point.encode_seconds for point in points),
        decode_seconds=fmean(point.decode_seconds for point in points),
        ssimulacra2=_mean_or_none([point.ssimulacra2 for point in points]),
    )


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _bd_rate_or_none(
    reference: Curve, test: Curve, rate_range: tuple[float, float] | None
) -> float | None:
    try:
        return bd_rate(reference, test, rate_range)
    except CollageError:
        return None
