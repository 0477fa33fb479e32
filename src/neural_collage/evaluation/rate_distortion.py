"""Measuring rate and distortion of several codecs on the pictures of a folder.

All codecs code a picture in the same process. Bits per pixel are 8 x the bytes of the complete file
over the pixels of the picture.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatchcase
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from neural_collage.errors import CollageError
from neural_collage.evaluation.codecs import BenchmarkCodec
from neural_collage.evaluation.distortion import Distortion, Metric
from neural_collage.evaluation.kept_points import KeptPoints
from neural_collage.evaluation.results import PictureResult, Point
from neural_collage.io.modes import PICTURE_SUFFIXES
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil


def find_pictures(folder: Path, match: str = "*") -> list[Path]:
    """The pictures in a folder whose names match a pattern of the shell, sorted by name.

    Raises:
        CollageError: there is no such folder, or no such picture in it.
    """
    if not folder.is_dir():
        raise CollageError(f"{folder} is not a folder: give one that holds pictures")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise CollageError(
            f"no pictures in {folder}: put some there, for example the 24 PNG files of the "
            "Kodak lossless true color image suite (`collage data` lists data sets)"
        )
    matching = [path for path in pictures if fnmatchcase(path.name, match)]
    if not matching:
        raise CollageError(
            f"none of the {len(pictures)} pictures in {folder} matches {match}: "
            f"they are named like {pictures[0].name}"
        )
    return matching


def measure(
    pictures: Sequence[Path],
    codecs: Sequence[BenchmarkCodec],
    jobs: int = 1,
    metrics: Sequence[Metric] = (),
    keep: KeptPoints | None = None,
) -> Iterator[PictureResult]:
    """Measure each picture with each codec at each of its qualities, in the order given.

    jobs: number of processes. Several divide the pictures and the torch threads of this one
        between them; timings then include contention.
    metrics: besides PSNR, which is measured always.
    keep: where points are kept from an earlier run, and for a later one.

    Raises:
        ImageError: a picture cannot be read.
        OutputError: points cannot be kept.
    """
    measure_one = partial(measure_picture, codecs=codecs, metrics=metrics, keep=keep)
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


def measure_picture(
    path: Path,
    codecs: Sequence[BenchmarkCodec],
    metrics: Sequence[Metric] = (),
    keep: KeptPoints | None = None,
) -> PictureResult:
    """Measure one picture, as RGB without alpha, with each codec at each of its qualities."""
    picture = read_rgb(path)
    distortion = Distortion(np.asarray(picture), metrics)
    points = {}
    for codec in codecs:
        measured = keep.find(path, picture, codec, metrics) if keep else None
        if measured is None:
            measured = [_point(picture, distortion, codec, each) for each in codec.qualities]
            if keep:
                keep.add(path, picture, codec, metrics, measured)
        points[codec.name] = measured
    return PictureResult(path.name, points)


def read_rgb(path: Path) -> Image.Image:
    """A picture file as RGB, without alpha.

    Raises:
        ImageError: it cannot be read.
    """
    return to_pil(read_picture(path).pixels).convert("RGB")


def _point(
    picture: Image.Image, distortion: Distortion, codec: BenchmarkCodec, quality: float
) -> Point:
    start = time.perf_counter()
    data = codec.encode(picture, quality)
    encoded = time.perf_counter()
    decoded = codec.decode(data)
    end = time.perf_counter()
    values = distortion.others(decoded)
    return Point(
        quality=quality,
        bpp=8 * len(data) / (picture.width * picture.height),
        psnr=distortion.psnr(decoded),
        ms_ssim=values.get("ms_ssim"),
        encode_seconds=encoded - start,
        decode_seconds=end - encoded,
        ssimulacra2=values.get("ssimulacra2"),
    )


def _set_threads(count: int) -> None:
    torch.set_num_threads(count)
