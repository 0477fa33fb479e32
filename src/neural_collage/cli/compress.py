"""`collage compress`: pictures to .clg files."""

import typer

from neural_collage.cli.support import options
from neural_collage.codec.container import SUFFIX
from neural_collage.codec.registry import AUTO, get_encoder


def compress(
    ctx: typer.Context,
    inputs: options.Inputs,
    output: options.Output = None,
    codec: options.Codec = AUTO,
    quality: options.Quality = None,
    effort: options.Effort = None,
    model: options.Model = None,
    tune: options.Tune = None,
    graphics: options.Graphics = True,
    device: options.Device = "cpu",
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Compress pictures to .clg files.

    collage compress photo.jpg -q 50

    cat photo.jpg | collage compress - -o - > photo.clg
    """
    from neural_collage.cli.support.jobs import OutputFile, run_jobs
    from neural_collage.cli.support.plan import Job, plan_jobs
    from neural_collage.cli.support.streams import INPUT, read_standard_input
    from neural_collage.codec import api
    from neural_collage.io.modes import PICTURE_SUFFIXES
    from neural_collage.io.reading import parse_picture
    from neural_collage.runtime import check_device, use_threads

    def work(job: Job) -> OutputFile:
        source = job.source
        collage = api.encode(
            parse_picture(read_standard_input(), INPUT) if source is None else source,
            codec=codec,
            quality=quality,
            effort=effort,
            model=model,
            graphics=graphics,
            device=device,
        )
        return OutputFile(collage.to_bytes(), collage.width, collage.height)

    use_threads(threads)
    model = options.model_of(model, tune)
    check_device(device)
    get_encoder(codec, model)  # fails once here, not for every input
    plan = plan_jobs(
        inputs, output, searched=PICTURE_SUFFIXES, written=(SUFFIX,), overwrite=overwrite
    )
    run_jobs(plan, work, as_json=json, debug=ctx.obj)
