"""Results of a benchmark that was not run."""

from collections.abc import Sequence

from neural_collage.evaluation.bd_rate import Curve
from neural_collage.evaluation.distortion import METRICS
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.results import (
    PictureResult,
    Point,
    Published,
    RateDistortionResult,
    Settings,
)

PSNR = METRICS["psnr"]
CODEC_FACTORS = {"fractal": 1.0, "neural": 0.8, "neural:mine": 0.9, "jpeg": 1.6}
"""Rates of the made-up codecs over those of fractal."""


def point(
    quality: float,
    bpp: float,
    psnr: float,
    ms_ssim: float | None = 0.9,
    ssimulacra2: float | None = None,
) -> Point:
    """A point that took two seconds and one."""
    return Point(quality, bpp, psnr, ms_ssim, 2.0, 1.0, ssimulacra2)


def result_of(
    pictures: Sequence[PictureResult], *codecs: str, published: Published | None = None
) -> RateDistortionResult:
    """A result with all metrics."""
    settings = Settings(
        "collage benchmark rd", "photos", 1, {codec: {} for codec in codecs}, tuple(METRICS)
    )
    return RateDistortionResult(settings, Environment.current(), pictures, published or {})


def ours_and_others() -> RateDistortionResult:
    """Codecs of ours, one of a single rate, JPEG, and two published curves."""
    rates, psnrs = (0.05, 0.2, 0.8, 2.0), (22.0, 28.0, 34.0, 39.0)
    similarities, scores = (0.8, 0.9, 0.97, 0.99), (-10.0, 30.0, 65.0, 85.0)
    points = {
        codec: [
            point(quality, factor * rate, *values)
            for quality, (rate, *values) in enumerate(
                zip(rates, psnrs, similarities, scores, strict=True)
            )
        ]
        for codec, factor in CODEC_FACTORS.items()
    }
    points["poli2022"] = [point(50, 0.5, 22.0, 0.8, 20.0)]
    vtm = [0.04, 0.3, 1.5]
    published = {
        "psnr": {"VTM": Curve(vtm, [24.0, 32.0, 40.0]), "fine": Curve([3.0, 5.0], [50.0, 55.0])},
        "ms-ssim": {"VTM": Curve(vtm, [8.0, 14.0, 21.0])},
    }
    return result_of([PictureResult("a", points)], *points, published=published)
