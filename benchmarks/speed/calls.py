"""How long whole calls of our codecs take, pixels to file and back, at a number of threads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from PIL import Image

import neural_collage as nc
from benchmarks.speed.study import peers_at, turns
from benchmarks.support.neural import Variant
from neural_collage.codec.api import DEFAULT_EFFORT, DEFAULT_QUALITY
from neural_collage.evaluation.report import markdown_table

FRACTAL = f"fractal, effort {DEFAULT_EFFORT}"


@dataclass(frozen=True)
class Seconds:
    """Of several rounds: the median, and its bars, the quickest and the slowest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, rounds: Sequence[float]) -> "Seconds":
        """Of the seconds of each round."""
        return cls(median(rounds), min(rounds), max(rounds))


@dataclass(frozen=True)
class Calls:
    """Whole calls at one number of torch threads, by contestant: pixels to file, and back."""

    threads: int
    encode: Mapping[str, Seconds]
    decode: Mapping[str, Seconds]


def calls(picture: Image.Image, model: str, threads: int, rounds: int) -> Calls:
    """Encode and decode at the default settings, beside JPEG with about as large a file."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    encoders: dict[str, Callable[[], bytes]] = {
        f"neural, effort {DEFAULT_EFFORT}": partial(
            Variant(DEFAULT_EFFORT).encode, picture, DEFAULT_QUALITY, model
        ),
        FRACTAL: partial(nc.compress, picture, codec="fractal"),
    }
    files = {name: encode() for name, encode in encoders.items()}
    jpeg, jpeg_quality = peers_at(picture, len(next(iter(files.values()))))[0]
    encoders[jpeg.name] = partial(jpeg.encode, picture, jpeg_quality)
    decoders: dict[str, Callable[[], object]] = {
        name: partial(nc.decompress, data) for name, data in files.items()
    }
    decoders[jpeg.name] = partial(jpeg.decode, encoders[jpeg.name]())
    found = Calls(
        threads,
        {name: Seconds.of(values) for name, values in turns(encoders, rounds).items()},
        {name: Seconds.of(values) for name, values in turns(decoders, rounds).items()},
    )
    torch.set_num_threads(before)
    return found


def call_table(seconds: Mapping[str, Seconds], what: str) -> str:
    """Milliseconds, and the ratio to the first row."""
    first = next(iter(seconds.values())).median
    rows = [
        [
            name,
            f"{1e3 * found.median:,.1f}",
            f"{1e3 * found.least:,.1f} to {1e3 * found.most:,.1f}",
            f"{found.median / first:.2f}",
        ]
        for name, found in seconds.items()
    ]
    return markdown_table([what, "ms", "from, to", "of the first"], rows)
