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
    model: options.Model = None,
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Decode .clg files to pictures: PNG, or the format that the suffix of -o FILE names."""
    rectangle = None if region is None else _parse_region(region)
    options.check_scale(scale)

    from neural_collage.cli.support.jobs import OutputFile, run_jobs
    from neural_collage.cli.support.plan import Job, plan_jobs
    from neural_collage.codec import api
    from neural_collage.io.modes import PICTURE_SUFFIXES
    from neural_collage.io.writing import image_bytes
    from neural_collage.runtime import use_threads

    def work(job: Job) -> OutputFile:
        collage = api.load(job.source, partial=partial)
        image = collage.to_pil(scale, rectangle, pixelated=pixelated, detail=detail)
        return OutputFile(image_bytes(image, job.target.suffix), image.width, image.height)

    use_threads(threads)
    api.preload_weights(model)
    plan = plan_jobs(
        inputs, output, searched=(SUFFIX,), written=PICTURE_SUFFIXES, overwrite=overwrite
    )
    run_jobs(plan, work, as_json=json, debug=ctx.obj)


def _parse_region(text: str) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"--region {text}: give four whole numbers, as in 0,0,640,480"
        ) from error
    return x, y, width, height
