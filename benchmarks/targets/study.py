"""How near files come to a target size, and what the search for them costs.

    python -m benchmarks.targets --images data/clic --images data/screens

Each picture is encoded to several target sizes between those of its files at qualities 10 and 90,
as `nc.compress(picture, size=...)` does, and without a target at the quality that the search ended
with. Bytes over target, files made, and CPU seconds over those of the encode without a target.
Writes targets.json and targets.md.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import Annotated, TypeVar

import numpy as np
import typer
from PIL import Image

from benchmarks.support.commands import shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.photos import photo_files
from benchmarks.support.results import RESULTS, write_results
from neural_collage.codec.api import DEFAULT_CODEC, DEFAULT_EFFORT, DEFAULT_QUALITY
from neural_collage.codec.encoding.layered import Settings, encode_picture
from neural_collage.codec.encoding.targets import encode_to, size_target
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.tables import markdown_table
from neural_collage.io.reading import read_picture
from neural_collage.runtime import use_threads

T = TypeVar("T")
SETTINGS = Settings(DEFAULT_CODEC, DEFAULT_QUALITY, DEFAULT_EFFORT)
LEAST_QUALITY, MOST_QUALITY = 10, 90
"""Target sizes lie between those of the files at these qualities."""


@dataclass(frozen=True)
class Search:
    """One search: its target and what it found, in bytes, files made, and CPU seconds.

    seconds: of the search. plain_seconds: of one encode without a target at the same quality.
    """

    picture: str
    target: int
    bytes: int
    quality: int
    attempts: int
    seconds: float
    plain_seconds: float

    @property
    def reached(self) -> float:
        """The share of the target that the file has."""
        return self.bytes / self.target


@dataclass(frozen=True)
class Set:
    """The searches of the pictures of one folder."""

    images: str
    searches: Sequence[Search]


@dataclass(frozen=True)
class Targets:
    """All results.

    side: of the middle part of each picture that is encoded, at most.
    """

    command: str
    environment: Environment
    side: int
    sets: Sequence[Set]


def main(
    images: Annotated[list[Path] | None, typer.Option(help="Folders of pictures.")] = None,
    output: OutputFolder = RESULTS,
    count: Annotated[int, typer.Option(help="Maximum number of pictures a folder.", min=1)] = 17,
    sizes: Annotated[int, typer.Option(help="Target sizes a picture.", min=1)] = 5,
    side: Annotated[int, typer.Option(help="Maximum width and height in pixels.", min=16)] = 768,
) -> None:
    """Measure searches for sizes, with one thread; writes targets.json and targets.md."""
    use_threads(1)
    folders: Sequence[Path | None] = images or [None]
    shown = "".join(f" --images {shown_path(folder)}" for folder in folders if folder)
    result = Targets(
        command=f"python -m benchmarks.targets{shown} --count {count} --sizes {sizes}"
        f" --side {side}",
        environment=Environment.current(),
        side=side,
        sets=[
            Set(
                shown_path(folder) if folder else "scikit-image",
                [
                    search
                    for path in evenly(photo_files(folder), count)
                    for search in searches_of(path.name, middle(read_rgb(path), side), sizes)
                ],
            )
            for folder in folders
        ],
    )
    write_results(output, "targets", asdict(result), to_markdown(result))
    typer.echo(to_markdown(result))


def evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """At most so many of the paths, at equal distances."""
    count = min(count, len(paths))
    return [paths[number * len(paths) // count] for number in range(count)]


def middle(picture: Image.Image, side: int) -> Image.Image:
    """The middle of a picture, of at most so many pixels in width and height."""
    width, height = min(side, picture.width), min(side, picture.height)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def searches_of(name: str, image: Image.Image, sizes: int) -> list[Search]:
    """The searches of one picture, whose targets are equally far apart by their ratio."""
    picture = read_picture(image)
    plain: dict[int, float] = {}

    def plain_size(quality: int) -> int:
        encode = partial(encode_picture, picture, replace(SETTINGS, quality=quality))
        plain[quality], made = cpu_timed(encode)
        return len(made.to_bytes())

    least, most = plain_size(LEAST_QUALITY), plain_size(MOST_QUALITY)
    found = []
    for target in np.geomspace(least, most, sizes + 2).round().astype(int).tolist()[1:-1]:
        search = partial(encode_to, picture, SETTINGS, size_target(picture, target))
        seconds, reached = cpu_timed(search)
        quality, size = reached.image.quality, len(reached.image.to_bytes())
        if quality not in plain:
            plain_size(quality)
        found.append(Search(name, target, size, quality, reached.attempts, seconds, plain[quality]))
    return found


def cpu_timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of this process that a call takes, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def to_markdown(result: Targets) -> str:
    """All results as a table."""
    sentences = (
        f"The middle {result.side} x {result.side} pixels of each picture, or all of a smaller "
        f"one; target sizes between those of its files at qualities {LEAST_QUALITY} and "
        f"{MOST_QUALITY}. "
        "Reached is the share of the target that a file has. Times are CPU seconds of a search "
        "over those of one encode at the quality that it ended with, one thread: of all together, "
        "and the largest of one search."
    )
    header = [
        *("pictures", "searches", "above the target", "reached", "least reached"),
        *("files made", "most", "time", "largest"),
    ]
    rows = [_row(one) for one in result.sets]
    return f"""# Target sizes

    {result.command}

Machine: {result.environment}.

{fill(sentences, 100)}

{markdown_table(header, rows)}
"""


def _row(one: Set) -> list[str]:
    found = one.searches
    attempts = [search.attempts for search in found]
    reached = [search.reached for search in found]
    seconds = sum(search.seconds for search in found)
    return [
        one.images,
        str(len(found)),
        str(sum(share > 1 for share in reached)),
        f"{fmean(reached):.2%}",
        f"{min(reached):.2%}",
        f"{fmean(attempts):.2f}",
        str(max(attempts)),
        f"{seconds / sum(search.plain_seconds for search in found):.2f}",
        f"{max(search.seconds / search.plain_seconds for search in found):.2f}",
    ]
