"""`collage compress`: pictures to .clg files."""

from typing import Annotated

import typer

from neural_collage.cli import options
from neural_collage.codec.container import SUFFIX
from neural_collage.codec.registry import CODECS, get_codec


def compress(
    ctx: typer.Context,
    inputs: options.Inputs,
    output: options.Output = None,
    codec: Annotated[
        str, typer.Option("--codec", metavar="|".join(CODECS), help="How to compress.")
    ] = "neural",
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality", "-q", min=1, max=100, help="1 smallest, 100 best; 50 if left out."
        ),
    ] = None,
    effort: Annotated[
        int | None,
        typer.Option("--effort", min=0, max=9, help="0 fastest, 9 smallest files; 5 if left out."),
    ] = None,
    model: options.Model = None,
    device: options.Device = "cpu",
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Compress pictures to .clg files."""
    if codec not in CODECS:
        raise typer.BadParameter(f"unknown codec {codec!r}: choose from {', '.join(CODECS)}")

    from neural_collage.cli.jobs import Product, run_jobs
    from neural_collage.cli.plan import Job, plan_jobs
    from neural_collage.codec import api
    from neural_collage.codec.picture import PICTURE_SUFFIXES

    def work(job: Job) -> Product:
        collage = api.encode(
            job.source, codec=codec, quality=quality, effort=effort, model=model, device=device
        )
        return Product(collage.to_bytes(), collage.width, collage.height)

    api.check_device(device)
    _ = get_codec(codec, model).model  # what is wrong with it would be wrong for every input
    plan = plan_jobs(
        inputs, output, searched=PICTURE_SUFFIXES, written=(SUFFIX,), overwrite=overwrite
    )
    run_jobs(plan, work, as_json=json, debug=ctx.obj)
