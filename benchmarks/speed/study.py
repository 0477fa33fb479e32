"""Speed and memory of our codecs, beside Pillow's formats and plain iteration.

    python -m benchmarks.speed --image photo.png

Measures a photo and a large picture made of photos. What a table compares is timed in turn; times
are medians. Calls are made in fresh processes, so that decoding has only what it needs. Writes
speed.json and speed.md, in which the parts of `--only` replace those of an earlier run.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.speed.batch import batch_tables
from benchmarks.speed.growth import growth_tables
from benchmarks.speed.in_process import call_tables
from benchmarks.speed.neighbour import neighbour_tables
from benchmarks.speed.processes import process_tables
from benchmarks.speed.report import Part, Table, read_parts, to_markdown, write_parts
from benchmarks.speed.samples import PHOTOS, Samples, Settings, photos_in
from benchmarks.support.commands import numbers, shown_path
from benchmarks.support.options import CORES, OutputFolder
from benchmarks.support.results import RESULTS
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment

PARTS: Mapping[str, tuple[str, Callable[[Settings, Samples], list[Table]]]] = {
    "processes": ("Whole processes", process_tables),
    "in-process": ("Calls in one process", call_tables),
    "neighbour": ("Beside a busy process", neighbour_tables),
    "batch": ("Batches", batch_tables),
    "growth": ("Time and memory by picture size", growth_tables),
}
"""Titles and measurements of the parts by name."""


def main(
    image: Annotated[
        Path | None, typer.Option(help="A photo; by default the astronaut of scikit-image.")
    ] = None,
    large: Annotated[
        Path | None,
        typer.Option(
            help="Photos for large pictures; by default data/photos, or else the one photo."
        ),
    ] = None,
    aerial: Annotated[
        Path | None,
        typer.Option(
            help="Pictures for the batch; by default data/aid/train, or else parts of the photo."
        ),
    ] = None,
    output: OutputFolder = RESULTS,
    only: Annotated[
        str, typer.Option(help="Parts to measure; earlier results of the others are kept.")
    ] = ",".join(PARTS),
    size: Annotated[
        tuple[int, int], typer.Option(help="Width and height of the photo in comparisons.")
    ] = (768, 512),
    large_size: Annotated[
        tuple[int, int], typer.Option(help="Width and height of the large picture.")
    ] = (6000, 4000),
    threads: Annotated[str, typer.Option(help="Numbers of threads of calls.")] = ",".join(
        map(str, sorted({1, CORES}))
    ),
    process_rounds: Annotated[int, typer.Option(help="Rounds of processes.")] = 5,
    decode_rounds: Annotated[int, typer.Option(help="Rounds of decodes of the photo.")] = 11,
    encode_rounds: Annotated[int, typer.Option(help="Rounds of encodes of the photo.")] = 3,
    large_rounds: Annotated[int, typer.Option(help="Rounds with the large picture.")] = 3,
    neighbour_rounds: Annotated[int, typer.Option(help="Rounds beside a busy process.")] = 11,
    batch_pictures: Annotated[int, typer.Option(help="Pictures of the batch.")] = 400,
    workers: Annotated[int, typer.Option(help="Processes of the batch.")] = 2,
    megapixels: Annotated[
        str, typer.Option(help="Sizes for time and memory by picture size.")
    ] = "0.1,0.4,1,2,6,12,24",
    large_megapixels: Annotated[
        str, typer.Option(help='More sizes, of the neural codec alone; "" for none.')
    ] = "100",
    plain_megapixels: Annotated[
        str, typer.Option(help='Sizes of pictures of one colour; "" for none.')
    ] = "176",
    growth_effort: Annotated[int, typer.Option(help="Effort of the encodes at these sizes.")] = 5,
    memory_limit: Annotated[
        int, typer.Option(help="Limit of memory of a process at these sizes, in MiB.")
    ] = 8192,
) -> None:
    """Measure speed and memory of our codecs; writes speed.json and speed.md."""
    given = {name: value for name, value in locals().items() if name not in ("output", "only")}
    command = f"python -m benchmarks.speed{_changed(given)}"
    chosen = _chosen(only)
    settings = Settings(
        threads=numbers(threads),
        process_rounds=process_rounds,
        decode_rounds=decode_rounds,
        encode_rounds=encode_rounds,
        large_rounds=large_rounds,
        neighbour_rounds=neighbour_rounds,
        aerial=aerial,
        batch_pictures=batch_pictures,
        workers=workers,
        megapixels=_sizes(megapixels),
        large_megapixels=_sizes(large_megapixels),
        plain_megapixels=_sizes(plain_megapixels),
        growth_effort=growth_effort,
        memory_limit=memory_limit,
    )
    parts = {} if len(chosen) == len(PARTS) else read_parts(output)
    with TemporaryDirectory() as folder:
        samples = Samples(Path(folder), image, photos_in(large, PHOTOS), size, large_size)
        for name in chosen:
            title, measure = PARTS[name]
            tables = measure(settings, samples)
            parts[name] = Part(title, command, Environment.current(), tables)
            parts = {each: parts[each] for each in PARTS if each in parts}
            write_parts(output, parts)
            typer.echo(to_markdown({name: parts[name]}))


def _changed(given: Mapping[str, object]) -> str:
    """The options whose values are not their defaults, as they are typed."""
    defaults = signature(main).parameters
    texts = []
    for name, value in given.items():
        if value != defaults[name].default:
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, Path):
                texts.append(f" {option} {shown_path(value)}")
            elif isinstance(value, tuple):
                texts.append(f" {option} {' '.join(map(str, value))}")
            else:
                texts.append(f" {option} {shlex.quote(str(value))}")
    return "".join(texts)


def _chosen(only: str) -> Sequence[str]:
    """The parts that were chosen, in their order."""
    names = only.split(",")
    if unknown := sorted({*names} - {*PARTS}):
        raise CollageError(f"no part {', '.join(unknown)}: choose some of {', '.join(PARTS)}")
    return [name for name in PARTS if name in names]


def _sizes(text: str) -> list[float]:
    """Numbers separated by commas."""
    return [float(word) for word in text.split(",") if word]
