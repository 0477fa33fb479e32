"""`collage compress`: pictures to .clg files."""

import typer

from neural_collage.cli import options
from neural_collage.codec.container import SUFFIX
from neural_collage.codec.registry import CODECS, get_codec


def compress(
    ctx: typer.Context,
    inputs: options.Inputs,
    output: options.Output = None,
    codec: options.Codec = "neural",
    quality: options.Quality = None,
    effort: options.Effort = None,
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
