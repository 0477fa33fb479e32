"""`collage decompress`: .clg files to pictures, at any size."""

from typing import Annotated, Literal

import typer

from neural_collage.cli.support import options
from neural_collage.codec.container import SUFFIX


def decompress(
    ctx: typer.Context,
    inputs: options.Inputs,
    output: options.Output = None,
    scale: Annotated[
        float,
        typer.Option("--scale", metavar="S", help="Output pixels per pixel; any number above 0."),
    ] = 1.0,
    region: Annotated[
        str | None,
        typer.Option(
            "--region", metavar="X,Y,W,H", help="Decode only this region, in pixels at that scale."
        ),
    ] = None,
    pixelated: Annotated[
        bool,
        typer.Option("--pixelated", help="Above scale 1, repeat pixels, for pixel art."),
    ] = False,
    detail: Annotated[
        Literal["none", "links", "full"],
        typer.Option(help="What is added above scale 1: nothing, self-similarity, all."),
    ] = "full",
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Show what there is of a file that breaks off."),
    ] = False,
    ending: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar=".png|.jpg|...",
            help="Format of pictures in a folder or a pipe; .png if left out.",
            show_default=False,
        ),
    ] = None,
    model: options.Model = None,
    threads: options.Threads = None,
    jpeg_quality: Annotated[
        int | None,
        typer.Option(
            "--jpeg-quality", min=1, max=100, help="Of JPEG, WebP and AVIF outputs; 95 if left out."
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    keep_times: options.KeepTimes = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    json: options.Json = False,
) -> None:
    """Decode .clg files to pictures: PNG, or the format that --format or the end of -o FILE names.

    collage decompress photo.clg --scale 2

    collage decompress - -o - --format jpg < photo.clg > photo.jpg
    """
    rectangle = None if region is None else _parse_region(region)
    options.check_scale(scale)
    written = _written(ending, output)
    if jpeg_quality is not None:
        _check_lossy(output, written[0])
    options.check_times(keep_times, inputs, output)
    options.check_verbosity(quiet, verbose)

    from neural_collage.cli.support.jobs import OutputFile, collage_details, run_jobs
    from neural_collage.cli.support.plan import Job, plan_jobs
    from neural_collage.cli.support.reports import Reports
    from neural_collage.cli.support.streams import standard_input
    from neural_collage.codec import api
    from neural_collage.codec.container import read_collage
    from neural_collage.codec.image import CollageImage
    from neural_collage.io.writing import DEFAULT_QUALITY, image_bytes
    from neural_collage.runtime import use_threads

    def work(job: Job) -> OutputFile:
        if job.source is None:
            collage = CollageImage.from_bytes(read_collage(standard_input()), partial=partial)
        else:
            collage = api.load(job.source, partial=partial)
        image = collage.to_pil(scale, rectangle, pixelated=pixelated, detail=detail)
        suffix = written[0] if job.target is None else job.target.suffix
        data = image_bytes(image, suffix, jpeg_quality or DEFAULT_QUALITY)
        return OutputFile(data, image.width, image.height, details=collage_details(collage))

    use_threads(threads)
    api.preload_weights(model)
    plan = plan_jobs(
        inputs,
        output,
        searched=(SUFFIX,),
        written=written,
        overwrite=overwrite,
        spare_beside=True,
    )
    reports = Reports(as_json=json, quiet=quiet, verbose=verbose, debug=ctx.obj)
    run_jobs(plan, work, reports, keep_times=keep_times)


def _parse_region(text: str) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"--region {text}: give four whole numbers, as in 0,0,640,480"
        ) from error
    return x, y, width, height


def _written(ending: str | None, output: str | None) -> tuple[str, ...]:
    """The endings of pictures, that of --format first.

    output: the value of --output.
    """
    from pathlib import Path

    from neural_collage.io.modes import PICTURE_SUFFIXES

    if ending is None:
        return PICTURE_SUFFIXES
    chosen = f".{ending.lower().removeprefix('.')}"
    if chosen not in PICTURE_SUFFIXES:
        raise typer.BadParameter(f"--format {ending}: choose one of {', '.join(PICTURE_SUFFIXES)}")
    named = Path(output or "").suffix.lower()
    if named in PICTURE_SUFFIXES and named != chosen and not Path(output or "").is_dir():
        raise typer.BadParameter(f"--format {ending} and -o {output}: leave out one of them")
    return tuple(dict.fromkeys((chosen, *PICTURE_SUFFIXES)))


def _check_lossy(output: str | None, default: str) -> None:
    """Check that --jpeg-quality is for a format that has one.

    output: the value of --output. default: the ending of pictures that it does not name.
    """
    from pathlib import Path

    from neural_collage.io.modes import PICTURE_SUFFIXES
    from neural_collage.io.writing import LOSSY_SUFFIXES

    named = Path(output or "").suffix.lower()
    suffix = named if named in PICTURE_SUFFIXES else default
    if suffix not in LOSSY_SUFFIXES:
        raise typer.BadParameter(
            f"--jpeg-quality: {suffix} has none, choose one of {', '.join(LOSSY_SUFFIXES)} "
            "with -o or --format"
        )
