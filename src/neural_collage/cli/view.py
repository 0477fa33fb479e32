"""`collage view`: .clg files to pages that show them in any browser."""

from typing import Annotated

import typer

from neural_collage.cli.support import options
from neural_collage.codec.container import SUFFIX


def view(
    ctx: typer.Context,
    inputs: options.Inputs,
    output: options.Output = None,
    alt: Annotated[
        str | None,
        typer.Option("--alt", metavar="TEXT", help="What the picture shows, for screen readers."),
    ] = None,
    model: options.Model = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    json: options.Json = False,
) -> None:
    """Write an HTML page for each .clg file, which shows it and zooms into it.

    A page holds the file, a decoder and the weights that it needs (2.4 MB for photos), and asks
    nothing of a server or a network. What its decoder does not know, files of the codecs fractal
    and poli2022 and of qualities above 90, is decoded beforehand to PNG.
    """
    options.check_verbosity(quiet, verbose)

    from neural_collage.cli.support.jobs import OutputFile, collage_details, run_jobs
    from neural_collage.cli.support.plan import Job, plan_jobs
    from neural_collage.cli.support.reports import Reports
    from neural_collage.cli.support.streams import standard_input
    from neural_collage.codec import api
    from neural_collage.codec.container import read_collage, read_collage_file
    from neural_collage.codec.image import CollageImage
    from neural_collage.viewer.page import make_page

    def work(job: Job) -> OutputFile:
        if job.source is None:
            data, name = read_collage(standard_input()), "picture.clg"
        else:
            data, name = read_collage_file(job.source), job.source.name
        collage = CollageImage.from_bytes(data)
        page = make_page(collage, data, name, alt)
        return OutputFile(page, collage.width, collage.height, details=collage_details(collage))

    api.preload_weights(model)
    plan = plan_jobs(
        inputs, output, searched=(SUFFIX,), written=(".html", ".htm"), overwrite=overwrite
    )
    run_jobs(plan, work, Reports(as_json=json, quiet=quiet, verbose=verbose, debug=ctx.obj))
