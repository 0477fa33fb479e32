"""`collage compress`: pictures to .clg files."""

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neural_collage.cli.support import options, targets
from neural_collage.cli.support.streams import STANDARD
from neural_collage.codec.container import SUFFIX
from neural_collage.codec.registry import AUTO, check_rate, get_encoder

if TYPE_CHECKING:
    from neural_collage.cli.support.jobs import OutputFile
    from neural_collage.codec.encoding.layered import Settings
    from neural_collage.codec.encoding.targets import Target
    from neural_collage.io.picture import Picture


def compress(
    ctx: typer.Context,
    inputs: options.Inputs,
    output: options.Output = None,
    codec: options.Codec = AUTO,
    quality: options.Quality = None,
    size: targets.Size = None,
    psnr: targets.Psnr = None,
    ssimulacra2: targets.Ssimulacra2 = None,
    effort: options.Effort = None,
    model: options.Model = None,
    tune: options.Tune = None,
    graphics: options.Graphics = True,
    device: options.Device = "cpu",
    strip: options.Strip = None,
    all_frames: Annotated[
        bool,
        typer.Option(
            "--all-frames",
            help="Write all frames of animations and pages of TIFF files, numbered; without it the "
            "first one is taken.",
        ),
    ] = False,
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    keep_times: options.KeepTimes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report sizes, but write no file.")
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    json: options.Json = False,
) -> None:
    """Compress pictures to .clg files.

    collage compress photo.jpg -q 50

    collage compress photo.jpg --size 50kB

    cat photo.jpg | collage compress - -o - > photo.clg
    """
    target_of = targets.target_maker(quality, size, psnr, ssimulacra2)
    model = options.model_of(model, tune)
    options.check_times(keep_times, inputs, output)
    options.check_verbosity(quiet, verbose)
    if all_frames and STANDARD in (*inputs, output):
        raise typer.BadParameter("--all-frames writes numbered files: give INPUT and -o as names")

    from neural_collage.cli.support.jobs import OutputFile, collage_details, run_jobs
    from neural_collage.cli.support.plan import Job, name_of, plan_jobs
    from neural_collage.cli.support.reports import Reports
    from neural_collage.cli.support.streams import INPUT, read_standard_input
    from neural_collage.codec import api
    from neural_collage.codec.encoding.layered import Settings
    from neural_collage.io.frames import FrameReader, count_frames
    from neural_collage.io.modes import READ_SUFFIXES
    from neural_collage.io.picture import strip_picture
    from neural_collage.io.reading import parse_picture, read_picture
    from neural_collage.runtime import check_device, use_threads

    default = api.DEFAULT_QUALITY, api.DEFAULT_EFFORT if effort is None else effort
    settings = Settings(codec, *default, model, device, graphics)
    frames = FrameReader()

    def read(job: Job) -> "Picture":
        if job.source is None:
            return parse_picture(read_standard_input(), INPUT)
        return read_picture(job.source) if job.frame is None else frames.read(job.source, job.frame)

    def work(job: Job) -> OutputFile:
        picture = strip_picture(read(job), strip, name_of(job.source))
        if target_of is not None:
            return _reach(picture, target_of, settings)
        collage = api.encode(
            picture,
            codec=codec,
            quality=quality,
            effort=effort,
            model=model,
            graphics=graphics,
            device=device,
        )
        return OutputFile(
            collage.to_bytes(), collage.width, collage.height, details=collage_details(collage)
        )

    use_threads(threads)
    check_device(device)
    check_rate(codec, quality, effort, (target_of,))
    get_encoder(codec, model)  # fails once here, not for every input
    plan = plan_jobs(
        inputs,
        output,
        searched=READ_SUFFIXES,
        written=(SUFFIX,),
        overwrite=overwrite,
        frames_of=count_frames if all_frames else lambda source: 1,
    )
    reports = Reports(as_json=json, quiet=quiet, verbose=verbose, debug=ctx.obj)
    with closing(frames):
        run_jobs(plan, work, reports, keep_times=keep_times, dry_run=dry_run)


def _reach(
    picture: "Picture", target_of: "Callable[[Picture], Target]", settings: "Settings"
) -> "OutputFile":
    """The file that meets a target, and what it reaches."""
    from neural_collage.cli.support.jobs import OutputFile, collage_details
    from neural_collage.codec.encoding.targets import encode_to

    target = target_of(picture)
    reached = encode_to(picture, settings, target)
    collage, measure = reached.image, target.measure
    facts: dict[str, Any] = {"quality": collage.quality, "attempts": reached.attempts}
    text = f"quality {collage.quality}"
    if not measure.at_most:  # the size is reported of every file
        facts[measure.name] = reached.value
        text += f"  {measure.title} {measure.text(reached.value)}"
    details = f"{collage_details(collage)}, {reached.attempts} attempts"
    return OutputFile(collage.to_bytes(), collage.width, collage.height, facts, text, details)
