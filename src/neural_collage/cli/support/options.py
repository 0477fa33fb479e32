"""Options that several commands share, and their checks."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from neural_collage.cli.support.streams import STANDARD
from neural_collage.codec.registry import AUTO, CODECS, codec_entry
from neural_collage.errors import CollageError


def _check_codec(name: str) -> str:
    """A callback and not a `Literal`, because programs can register codecs at run time."""
    try:
        codec_entry(name)
    except CollageError as error:
        raise typer.BadParameter(str(error)) from error
    return name


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Files, or folders searched for them; - for standard input.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|DIR|-",
        help="A folder if it exists as one, ends in /, or if INPUT is a folder or several; "
        "relative paths are kept in it. - for standard output. Without -o, outputs lie beside "
        "their inputs.",
    ),
]
Codec = Annotated[
    str,
    typer.Option(
        "--codec",
        metavar="|".join((AUTO, *CODECS)),
        callback=_check_codec,
        help="How to compress; auto is neural, or fractal where that cannot hold a picture.",
    ),
]
Graphics = Annotated[
    bool,
    typer.Option(
        "--graphics/--no-graphics",
        help="Whether copies and few colours are stored as such, exactly at high quality.",
    ),
]
Quality = Annotated[
    int | None,
    typer.Option("--quality", "-q", min=1, max=100, help="1 smallest, 100 best; 50 if left out."),
]
Effort = Annotated[
    int | None,
    typer.Option("--effort", min=0, max=9, help="0 fastest, 9 smallest files; 5 if left out."),
]
Device = Annotated[str, typer.Option("--device", metavar="D", help="cpu, cuda, cuda:1 ...")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", min=1, help="At most so many; else one per core."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="Weights: natural (photos), natural-psnr, aerial, a .safetensors file, or a name on "
        "the hub.",
    ),
]
Tune = Annotated[
    Literal["visual", "psnr"] | None,
    typer.Option("--tune", help="Photos are tuned for the eye if left out; chooses the --model."),
]
Strip = Annotated[
    Literal["all", "gps"] | None,
    typer.Option(
        "--strip",
        metavar="[all|gps]",
        help="Leave out EXIF and XMP, all if no more is said, or the position in them; the ICC "
        "profile stays.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
KeepTimes = Annotated[
    bool, typer.Option("--keep-times", help="Give outputs the modification times of their inputs.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Report failures alone; --json objects are still printed.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say how each output was made.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per input.")]


class StripCommand(TyperCommand):
    """A command whose `--strip` may stand without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        given = [
            "--strip=all" if one == "--strip" and following not in ("all", "gps") else one
            for one, following in zip(args[:end], [*args[1:end], None], strict=False)
        ]
        return super().parse_args(ctx, given + args[end:])


def model_of(model: str | None, tune: str | None) -> str | None:
    """The value of --model, or the model that --tune chooses; typer.BadParameter for both."""
    from neural_collage.codec.weights import tuned_model

    try:
        return tuned_model(model, tune)
    except CollageError as error:
        raise typer.BadParameter(str(error)) from error


def check_scale(scale: float | None) -> None:
    """Raise typer.BadParameter unless the value of --scale is None, or above 0 and finite."""
    if scale is not None and not 0 < scale < math.inf:
        raise typer.BadParameter(f"--scale {scale:g}: give a number above 0")


def check_times(keep_times: bool, inputs: Sequence[str], output: str | None) -> None:
    """Raise typer.BadParameter if --keep-times is given for a pipe, which has no times."""
    if keep_times and STANDARD in (*inputs, output):
        raise typer.BadParameter("--keep-times: standard input and output have no times")


def check_verbosity(quiet: bool, verbose: bool) -> None:
    """Raise typer.BadParameter if both --quiet and --verbose are given."""
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose: they exclude each other")
