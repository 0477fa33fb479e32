"""`collage benchmark`: rate-distortion curves of this library's codecs and others."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from neural_collage.cli.support import options
from neural_collage.errors import OutputError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def benchmark() -> None:
    """Measure codecs side by side."""


@app.command()
def rd(
    images: Annotated[
        Path,
        typer.Option(help="A folder of pictures.", metavar="DIR", show_default=False),
    ],
    codecs: Annotated[
        str, typer.Option(help="Names, separated by commas.", metavar="NAMES")
    ] = "neural,fractal,jpeg,webp,jpeg2000,avif",
    qualities: Annotated[
        str | None,
        typer.Option(
            help="1..100, separated by commas, for this library's codecs; others use their own.",
            metavar="LIST",
        ),
    ] = None,
    effort: Annotated[int, typer.Option(help="Of this library's codecs.", min=0, max=9)] = 5,
    model: options.Model = None,
    jobs: Annotated[int, typer.Option(help="Pictures measured in parallel.", min=1)] = 1,
    anchors: Annotated[
        Path | None,
        typer.Option(
            help='Published curves to compare with: JSON of name -> {"bpp": [...], "psnr": [...]}.',
            metavar="FILE",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write.", metavar="DIR")
    ] = Path(),
    overwrite: options.Overwrite = False,
) -> None:
    """Rate-distortion curves of several codecs: writes rd.json, rd.md, rd.png and rd.svg."""
    from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn

    from neural_collage.cli.support.progress import progress_bar
    from neural_collage.data.catalogue import image_folder
    from neural_collage.evaluation.environment import Environment
    from neural_collage.evaluation.peers import benchmark_codecs
    from neural_collage.evaluation.rate_distortion import (
        RateDistortionResult,
        Settings,
        find_pictures,
        measure,
    )
    from neural_collage.evaluation.report import (
        REPORT_FILES,
        bd_rate_sections,
        read_anchors,
        report_files,
    )
    from neural_collage.io.files import write_atomically

    pictures = find_pictures(image_folder(images))
    chosen = benchmark_codecs(codecs.split(","), _parse_qualities(qualities), effort, model)
    published = read_anchors(anchors, [codec.name for codec in chosen]) if anchors else {}
    _prepare(output, REPORT_FILES, overwrite=overwrite)
    with progress_bar(BarColumn(), TaskProgressColumn(), TimeRemainingColumn()) as bar:
        measured = list(bar.track(measure(pictures, chosen, jobs), total=len(pictures)))
    settings = Settings(
        command=_command(images, codecs, qualities, effort, model, jobs, anchors),
        folder=images.resolve().name,
        jobs=jobs,
        codecs={codec.name: codec.options for codec in chosen},
    )
    result = RateDistortionResult(settings, Environment.current(), measured, published)
    for name, data in report_files(result).items():
        write_atomically(output / name, data)
    typer.echo(bd_rate_sections(result))


def _parse_qualities(text: str | None) -> list[int] | None:
    if text is None:
        return None
    if not all(word.isdecimal() and 1 <= int(word) <= 100 for word in text.split(",")):
        raise typer.BadParameter(f"{text}: whole numbers 1..100 separated by commas expected")
    return [int(word) for word in text.split(",")]


def _prepare(folder: Path, names: Iterable[str], *, overwrite: bool) -> None:
    """Check before hours of measuring that the results can be written."""
    for name in names:
        if (folder / name).exists() and not overwrite:
            raise OutputError(f"{folder / name} exists: pass --overwrite to replace it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


def _command(
    images: Path,
    codecs: str,
    qualities: str | None,
    effort: int,
    model: str | None,
    jobs: int,
    anchors: Path | None,
) -> str:
    """The command that repeats the measurement, without the paths of this machine."""
    words = ["--images", images.resolve().name, "--codecs", codecs]
    if qualities:
        words += ["--qualities", qualities]
    if model:
        words += ["--model", model]
    words += ["--effort", str(effort), "--jobs", str(jobs)]
    if anchors:
        words += ["--anchors", anchors.name]
    return shlex.join(["collage", "benchmark", "rd", *words])
