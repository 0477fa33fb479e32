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
    match: Annotated[
        str, typer.Option(help="Which of its files, such as '*.png'.", metavar="PATTERN")
    ] = "*",
    codecs: Annotated[
        str,
        typer.Option(
            help="Names, separated by commas: of this library's codecs, also as neural:MODEL; of "
            "others; or peers, all others that are installed. BD-rates are relative to the first.",
            metavar="NAMES",
        ),
    ] = "neural,fractal,peers",
    metrics: Annotated[
        str | None,
        typer.Option(
            help="psnr, ms-ssim, ssimulacra2, separated by commas; by default those installed.",
            metavar="NAMES",
            show_default=False,
        ),
    ] = None,
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
    """Rate-distortion curves of several codecs: writes rd.json, rd.md and a figure per metric.

    Points that are measured are kept in rd-points beside them: an interrupted run continues.
    """
    from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn

    from neural_collage.cli.support.progress import progress_bar
    from neural_collage.data.catalogue import image_folder
    from neural_collage.evaluation.anchors import read_anchors
    from neural_collage.evaluation.codecs import benchmark_codecs, missing_peers
    from neural_collage.evaluation.distortion import chosen_metrics
    from neural_collage.evaluation.environment import Environment
    from neural_collage.evaluation.kept_points import KeptPoints
    from neural_collage.evaluation.rate_distortion import find_pictures, measure
    from neural_collage.evaluation.report import report_files, report_names
    from neural_collage.evaluation.results import RateDistortionResult, Settings
    from neural_collage.evaluation.tables import summary_sections
    from neural_collage.io.files import write_atomically

    pictures = find_pictures(image_folder(images), match)
    names = codecs.split(",")
    chosen = benchmark_codecs(names, _parse_qualities(qualities), effort, model)
    measured_by, missing = chosen_metrics(metrics.split(",") if metrics else None)
    left_out = {**missing_peers(names), **missing}
    published = read_anchors(anchors, [codec.name for codec in chosen]) if anchors else {}
    _prepare(output, report_names(measured_by), overwrite=overwrite)
    for name, reason in left_out.items():
        typer.echo(f"{name} is left out: {reason}", err=True)
    environment = Environment.current()
    keep = KeptPoints(output / "rd-points", environment)
    with progress_bar(BarColumn(), TaskProgressColumn(), TimeRemainingColumn()) as bar:
        found = measure(pictures, chosen, jobs, measured_by, keep)
        measured = list(bar.track(found, total=len(pictures)))
    settings = Settings(
        command=_command(images, match, codecs, metrics, qualities, effort, model, jobs, anchors),
        folder=images.resolve().name,
        jobs=jobs,
        codecs={codec.name: codec.options for codec in chosen},
        metrics=[metric.name for metric in measured_by],
        left_out=left_out,
    )
    result = RateDistortionResult(settings, environment, measured, published)
    for name, data in report_files(result).items():
        write_atomically(output / name, data)
    typer.echo(summary_sections(result))


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
    match: str,
    codecs: str,
    metrics: str | None,
    qualities: str | None,
    effort: int,
    model: str | None,
    jobs: int,
    anchors: Path | None,
) -> str:
    """The command that repeats the measurement, without the paths of this machine."""
    from neural_collage.evaluation.codecs import shown_model

    shown = (name.partition(":") for name in codecs.split(","))
    named = ",".join(f"{codec}{colon}{shown_model(own)}" for codec, colon, own in shown)
    words = ["--images", images.resolve().name]
    if match != "*":
        words += ["--match", match]
    words += ["--codecs", named]
    if metrics:
        words += ["--metrics", metrics]
    if qualities:
        words += ["--qualities", qualities]
    if model:
        words += ["--model", shown_model(model)]
    words += ["--effort", str(effort), "--jobs", str(jobs)]
    if anchors:
        words += ["--anchors", anchors.name]
    return shlex.join(["collage", "benchmark", "rd", *words])
