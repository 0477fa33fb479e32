"""Rate-distortion curves of several codecs over a folder of pictures.

All codecs code a picture in the same process. Bits per pixel are 8 x the bytes of the complete file
over the pixels of the picture; a curve averages bits per pixel, PSNR and MS-SSIM over the pictures
at each quality.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from PIL import Image

from neural_collage.codec.registry import CODECS
from neural_collage.errors import CollageError
from neural_collage.evaluation.bd_rate import Curve, bd_rate
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import ms_ssim, psnr
from neural_collage.evaluation.peers import BenchmarkCodec
from neural_collage.io.modes import PICTURE_SUFFIXES
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil

REFERENCE = "jpeg"
"""The codec that BD-rates are relative to."""
LOW_RATES, USUAL_RATES = (0.1, 0.6), (0.1, 1.0)
"""Ranges in bits per pixel of the first two of the three BD-rates."""


@dataclass(frozen=True)
class Point:
    """Rate, distortion and times of a codec at one quality, for one picture or on average."""

    quality: float
    bpp: float
    psnr: float
    """dB; infinite if the decoded picture equals the original."""
    ms_ssim: float | None
    """None for pictures too small for it."""
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class PictureResult:
    """The points of all codecs at all their qualities for one picture."""

    picture: str
    points: dict[str, list[Point]]


@dataclass(frozen=True)
class BdRates:
    """Percent of rate against another curve; None where the two have no PSNR in common.

    low_rates, usual_rates: at `LOW_RATES` and `USUAL_RATES`. overall: at all PSNRs in common.
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
    """The fixed options of each codec."""


@dataclass(frozen=True)
class RateDistortionResult:
    """A finished benchmark.

    anchors: published curves of the same pictures, to compare with.
    """

    settings: Settings
    environment: Environment
    pictures: Sequence[PictureResult]
    anchors: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def curves(self) -> dict[str, list[Point]]:
        """The points of each codec, averaged over the pictures."""
        return {
            codec: [
                _average(points)
                for points in zip(*(found.points[codec] for found in self.pictures), strict=True)
            ]
            for codec in self.settings.codecs
        }

    @property
    def bd_rates(self) -> dict[str, BdRates]:
        """BD-rates of all other codecs against `REFERENCE`; empty if that was not measured."""
        curves = {codec: curve_of(points) for codec, points in self.curves.items()}
        if REFERENCE not in curves:
            return {}
        reference = curves.pop(REFERENCE)
        return {codec: BdRates.between(reference, curve) for codec, curve in curves.items()}

    @property
    def bd_rates_against_others(self) -> dict[str, dict[str, BdRates]]:
        """BD-rates of each of our codecs with two or more points against all other curves.

        Those are the curves of Pillow's codecs and the published ones.
        """
        curves = {codec: curve_of(points) for codec, points in self.curves.items()}
        others = {codec: curve for codec, curve in curves.items() if codec not in CODECS}
        others |= self.anchors
        return {
            codec: {name: BdRates.between(other, curve) for name, other in others.items()}
            for codec, curve in curves.items()
            if codec in CODECS and len(curve.rates) > 1
        }


def find_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder, sorted by name.

    Raises:
        CollageError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise CollageError(f"{folder} is not a folder: give one that holds pictures")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise CollageError(
            f"no pictures in {folder}: put some there, for example the 24 PNG files of the "
            "Kodak lossless true color image suite (`collage data` lists data sets)"
        )
    return pictures


def measure(
    pictures: Sequence[Path], codecs: Sequence[BenchmarkCodec], jobs: int = 1
) -> Iterator[PictureResult]:
    """Measure each picture with each codec at each of its qualities, in the order given.

    jobs: number of processes. Several divide the pictures and the torch threads of this one
        between them; timings then include contention.

    Raises:
        ImageError: a picture cannot be read.
    """
    measure_one = partial(measure_picture, codecs=codecs)
    if jobs == 1:
        yield from map(measure_one, pictures)
        return
    with ProcessPoolExecutor(
        jobs,
        mp_context=get_context("spawn"),  # a forked torch can deadlock
        initializer=_set_threads,
        initargs=(max(1, torch.get_num_threads() // jobs),),
    ) as pool:
        yield from pool.map(measure_one, pictures)


def measure_picture(path: Path, codecs: Sequence[BenchmarkCodec]) -> PictureResult:
    """Measure one picture, as RGB without alpha, with each codec at each of its qualities."""
    picture = read_rgb(path)
    return PictureResult(
        path.name,
        {
            codec.name: [_point(picture, codec, quality) for quality in codec.qualities]
            for codec in codecs
        },
    )


def read_rgb(path: Path) -> Image.Image:
    """A picture file as RGB, without alpha.

    Raises:
        ImageError: it cannot be read.
    """
    return to_pil(read_picture(path).pixels).convert("RGB")


def curve_of(points: Sequence[Point]) -> Curve:
    """The rates and PSNRs of points."""
    return Curve([point.bpp for point in points], [point.psnr for point in points])


def _point(picture: Image.Image, codec: BenchmarkCodec, quality: float) -> Point:
    start = time.perf_counter()
    data = codec.encode(picture, quality)
    encoded = time.perf_counter()
    decoded = codec.decode(data)
    end = time.perf_counter()
    original = np.asarray(picture)
    return Point(
        quality=quality,
        bpp=8 * len(data) / (picture.width * picture.height),
        psnr=psnr(original, decoded),
        ms_ssim=ms_ssim(original, decoded),
        encode_seconds=encoded - start,
        decode_seconds=end - encoded,
    )


def _average(points: Sequence[Point]) -> Point:
    similarities = [point.ms_ssim for point in points if point.ms_ssim is not None]
    return Point(
        quality=points[0].quality,
        bpp=fmean(point.bpp for point in points),
        psnr=fmean(point.psnr for point in points),
        ms_ssim=fmean(similarities) if len(similarities) == len(points) else None,
        encode_seconds=fmean(point.encode_seconds for point in points),
        decode_seconds=fmean(point.decode_seconds for point in points),
    )


def _bd_rate_or_none(
    reference: Curve, test: Curve, rate_range: tuple[float, float] | None
) -> float | None:
    try:
        return bd_rate(reference, test, rate_range)
    except CollageError:
        return None


def _set_threads(count: int) -> None:
    torch.set_num_threads(count)
