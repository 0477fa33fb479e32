"""Time and memory of encode and decode by picture size, each measured in a fresh process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from typing import TypeVar

import torch

import neural_collage as nc
from benchmarks.support.photos import photo
from benchmarks.support.processes import in_fresh_process, peak_bytes
from benchmarks.support.timing import timed
from neural_collage.evaluation.report import markdown_table

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """Time and memory of a piece of work in a process of its own."""

    seconds: float
    peak: float
    """Peak resident memory in MB."""
    idle_peak: float
    """Peak before the work in MB: the interpreter, the libraries and the input."""


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
    idle_peak = peak_bytes() / 1e6
    seconds, result = timed(work)
    return Cost(seconds, peak_bytes() / 1e6, idle_peak), result


def growth_table(points: Sequence[GrowthPoint]) -> str:
    """One row per size."""
    header = ["megapixels", "file (kB)", "encode (s)", "peak (MB)", "decode (s)", "peak (MB)"]
    return markdown_table(
        header,
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
