"""How time and memory of encode and decode grow with the picture: a fresh process per point."""

import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import sqrt
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from PIL import Image

import neural_collage as nc
from neural_collage.evaluation.report import markdown_table

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What a piece of work takes in a process of its own."""

    seconds: float
    peak: float
    """Most resident memory in MB."""
    idle_peak: float
    """The same before the work: the interpreter, the libraries and the input."""


@dataclass(frozen=True)
class GrowthPoint:
    """Encode and decode of one size of picture."""

    width: int
    height: int
    file_bytes: int
    encode: Cost
    decode: Cost


def growth_point(
    image: Path | None, megapixels: float, codec: str, effort: int, threads: int
) -> GrowthPoint:
    """Encode and decode a 3:2 picture, each in a fresh process."""
    width = round(sqrt(1.5e6 * megapixels))
    height = round(width / 1.5)
    encode, data = in_fresh_process(encode_cost, image, width, height, codec, effort, threads)
    decode = in_fresh_process(decode_cost, data, threads)
    return GrowthPoint(width, height, len(data), encode, decode)


def encode_cost(
    image: Path | None, width: int, height: int, codec: str, effort: int, threads: int
) -> tuple[Cost, bytes]:
    """The cost of an encode in this process, and the file."""
    torch.set_num_threads(threads)
    picture = photo(image, width, height)
    return cost(partial(nc.compress, picture, codec=codec, effort=effort))


def decode_cost(data: bytes, threads: int) -> Cost:
    """The cost of a decode at scale 1 in this process."""
    torch.set_num_threads(threads)
    return cost(partial(nc.decompress, data))[0]


def cost(work: Callable[[], T]) -> tuple[Cost, T]:
    """Seconds and memory of work, and its result."""
    idle_peak = peak_megabytes()
    seconds, result = timed(work)
    return Cost(seconds, peak_megabytes(), idle_peak), result


def in_fresh_process(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of this module in a process that has done nothing before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


def peak_megabytes() -> float:
    """The most memory that this process has had resident.

    Linux keeps it per program; its `getrusage` credits a child with its parent's peak.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmHWM"].removesuffix("kB")) * 1024 / 1e6


def photo(path: Path | None, width: int, height: int) -> Image.Image:
    """A photo cut to a size, or mirrored at its edges until it fills it: detail stays as it is."""
    if path is None:
        from skimage.data import data_dir

        path = Path(data_dir) / "astronaut.png"
    pixels = np.asarray(Image.open(path).convert("RGB"))
    missing = (max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1]))
    filled = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    return Image.fromarray(filled[:height, :width])


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and the result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def growth_table(points: Sequence[GrowthPoint]) -> str:
    """One row per size."""
    return markdown_table(
        ["megapixels", "file (kB)", "encode (s)", "its peak (MB)", "decode (s)", "its peak (MB)"],
        [
            [
                f"{point.width * point.height / 1e6:.2g}",
                f"{point.file_bytes / 1e3:,.1f}",
                f"{point.encode.seconds:.2f}",
                f"{point.encode.peak:,.0f}",
                f"{point.decode.seconds:.3f}",
                f"{point.decode.peak:,.0f}",
            ]
            for point in points
        ],
    )
