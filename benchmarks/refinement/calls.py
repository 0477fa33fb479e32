"""Times of complete calls of our codecs, pixels to file and back, at a number of threads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from PIL import Image

import neural_collage as nc
from benchmarks.support.neural import Variant
from benchmarks.support.peers import peers_at
from benchmarks.support.timing import turns
from neural_collage.codec.api import DEFAULT_EFFORT, DEFAULT_QUALITY
from neural_collage.evaluation.tables import markdown_table
from neural_collage.runtime import thread_count, use_threads

FRACTAL = f"fractal, effort {DEFAULT_EFFORT}"


@dataclass(frozen=True)
class Timing:
    """Seconds of several rounds: the median, the fastest and the slowest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, rounds: Sequence[float]) -> "Timing":
        """From the seconds of each round."""
        return cls(median(rounds), min(rounds), max(rounds))


@dataclass(frozen=True)
class Calls:
    """Times of encode and decode at one number of threads, by codec."""

    threads: int
    encode: Mapping[str, Timing]
    decode: Mapping[str, Timing]


def calls(picture: Image.Image, model: str, threads: int, rounds: int) -> Calls:
    """Encode and decode at the default settings, beside JPEG with a file of about equal size."""
    before = thread_count()
    use_threads(threads)
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
        {name: Timing.of(values) for name, values in turns(encoders, rounds).items()},
        {name: Timing.of(values) for name, values in turns(decoders, rounds).items()},
    )
    use_threads(before)
    return found


def call_table(timings: Mapping[str, Timing], title: str) -> str:
    """Milliseconds, and the ratio to the first row."""
    first = next(iter(timings.values())).median
    rows = [
        [
            name,
            f"{1e3 * found.median:,.1f}",
            f"{1e3 * found.least:,.1f} to {1e3 * found.most:,.1f}",
            f"{found.median / first:.2f}",
        ]
        for name, found in timings.items()
    ]
    return markdown_table([title, "ms", "range (ms)", "relative to the first"], rows)
