"""Calls that are measured in a process of their own: their time, and their peak memory.

Imports no torch: a process that only decodes neural files, or those of Pillow, does without.
"""

import resource
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

import neural_collage as nc
from benchmarks.speed.conversion import (
    REDUCTION,
    View,
    central_window,
    opened,
    use_threads_of_pillow,
)
from benchmarks.support.processes import peak_bytes
from benchmarks.support.timing import Seconds, medians, timed
from neural_collage.codec.container import SUFFIX
from neural_collage.runtime import use_threads

Options = Mapping[str, object]
T = TypeVar("T")
MIB = 1 << 20
_CORNER = 64


def limit_threads(threads: int, *, tensors: bool = False) -> None:
    """Use so many threads, in our codecs and in Pillow's.

    tensors: also for those, which encoding and fractal files need; imports torch.
    """
    if tensors:
        import torch  # noqa: F401 - its threads can be limited once it is there
    use_threads(threads)
    use_threads_of_pillow(threads)


def decode_seconds(files: Mapping[str, Path], view: View, threads: int, rounds: int) -> Seconds:
    """Median seconds from file to array by name.

    Ours are of float32, and once more of 8 bits, as the others.
    """
    limit_threads(threads)
    calls: dict[str, Callable[[], object]] = {}
    for name, path in files.items():
        calls[name] = decoder(path, view)
        if path.suffix == SUFFIX:
            calls[f"{name}, 8 bits"] = partial(_decode, path, view, eight_bits=True)
    return medians(calls, rounds)


def decoder(path: Path, view: View = "whole") -> Callable[[], object]:
    """A call that decodes a view of a file."""
    return partial(_decode if path.suffix == SUFFIX else _decode_by_pillow, path, view)


def encode_seconds(
    picture: Path,
    ours: Mapping[str, Options],
    peers: Mapping[str, tuple[str, Options]],
    threads: int,
    rounds: int,
) -> Seconds:
    """Median seconds from a picture in memory to the bytes of a file.

    ours: arguments of `compress` by name. peers: formats, and options of `Image.save`, by name.
    """
    limit_threads(threads, tensors=True)
    with Image.open(picture) as image:
        image.load()
        calls: dict[str, Callable[[], object]] = {
            **{name: partial(_compress, image, options) for name, options in ours.items()},
            **{name: partial(_save, image, *options) for name, options in peers.items()},
        }
        return medians(calls, rounds)


def deep_window_seconds(
    files: Mapping[str, Path], scale: int, size: int, threads: int, rounds: int
) -> Seconds:
    """Median seconds from file to a square region of the picture at a scale above 1."""
    limit_threads(threads, tensors=True)
    return medians(
        {name: partial(_deep_window, path, scale, size) for name, path in files.items()}, rounds
    )


@dataclass(frozen=True)
class Cost:
    """Time and memory of a piece of work in a process of its own.

    Attributes:
        seconds: of the work alone.
        peak: resident memory in MiB.
        idle_peak: the peak before the work: the interpreter, the libraries, weights and the input.
    """

    seconds: float
    peak: float
    idle_peak: float


def encode_cost(
    picture: Path, codec: str, effort: int, threads: int, memory_limit: int
) -> tuple[Cost, bytes]:
    """The cost of an encode in this process, after one of a corner of the picture, and the file.

    memory_limit: see `limit_memory`.
    """
    limit_memory(memory_limit)
    limit_threads(threads, tensors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(picture)
    with image:
        image.load()
    compress = partial(nc.compress, codec=codec, effort=effort)
    compress(corner(image))
    return cost(partial(compress, image))


def decode_cost(path: Path, corner_path: Path, threads: int, memory_limit: int) -> Cost:
    """The cost of a decode at scale 1 in this process, after one of the file of a corner."""
    limit_memory(memory_limit)
    limit_threads(threads)
    nc.load(corner_path).decode()
    return cost(lambda: nc.load(path).decode())[0]


def corner(image: Image.Image) -> Image.Image:
    """A small part of a picture; with it, what an encode or decode needs is imported and loaded."""
    return image.crop((0, 0, min(_CORNER, image.width), min(_CORNER, image.height)))


def cost(work: Callable[[], T]) -> tuple[Cost, T]:
    """Seconds and memory of work, and its result."""
    idle_peak = peak_bytes()
    seconds, result = timed(work)
    return Cost(seconds, peak_bytes() / MIB, idle_peak / MIB), result


def limit_memory(mebibytes: int) -> None:
    """Allow this process so much memory of its own (RLIMIT_DATA)."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (mebibytes * MIB, hard))


def _decode(path: Path, view: View, *, eight_bits: bool = False) -> object:
    collage = nc.load(path)
    scale = 1 / REDUCTION if view == "eighth" else 1
    region = central_window(collage.width, collage.height) if view == "window" else None
    if eight_bits:
        return np.asarray(collage.to_pil(scale, region))
    return collage.decode(scale, region)


def _decode_by_pillow(path: Path, view: View) -> object:
    with Image.open(path) as image:
        return np.asarray(opened(image, view))


def _deep_window(path: Path, scale: int, size: int) -> object:
    collage = nc.load(path)
    left, top = (scale * side // 2 for side in (collage.width, collage.height))
    return collage.decode(scale, (left, top, size, size))


def _compress(image: Image.Image, options: Options) -> bytes:
    return nc.compress(image, **options)  # type: ignore[arg-type]


def _save(image: Image.Image, file_format: str, options: Options) -> None:
    image.save(BytesIO(), file_format, **options)
