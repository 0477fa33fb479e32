"""The `collage` program: its commands, and their common handling of errors.

Exit codes: 0 done, 1 a job failed, 2 wrong usage, 130 interrupted.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import neural_collage
from neural_collage.cli import benchmark, restore
from neural_collage.cli.batch import batch
from neural_collage.cli.compress import compress
from neural_collage.cli.data import data
from neural_collage.cli.decompress import decompress
from neural_collage.cli.fractalize import fractalize
from neural_collage.cli.info import info
from neural_collage.cli.sample import sample
from neural_collage.cli.studio import studio
from neural_collage.cli.stylize import stylize
from neural_collage.cli.support.options import StripCommand
from neural_collage.cli.train import PASS_ON, evaluate, train
from neural_collage.cli.view import view
from neural_collage.cli.zoom import converge, zoom
from neural_collage.extras import needs_extra
from neural_collage.runtime import wait_passively


class _Commands(TyperGroup):
    """Turns an exception raised by a command into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with needs_extra("encode"):
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            typer.echo("collage: interrupted", err=True)
            raise typer.Exit(130) from error
        except Exception as error:
            if isinstance(error, typer.Abort | BrokenPipeError) or hasattr(error, "exit_code"):
                raise  # typer handles these itself
            from neural_collage.cli.support.reports import one_line, report_error

            report_error(one_line(error), error, debug=ctx.params["debug"])
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=StripCommand)(compress)
app.command()(decompress)
app.command()(info)
app.command()(view)
app.command(cls=StripCommand)(batch)
app.command()(fractalize)
app.command()(stylize)
app.command()(zoom)
app.command()(converge)
app.add_typer(restore.app, name="restore")
app.command()(sample)
app.command()(studio)
app.command(context_settings=PASS_ON)(train)
app.command(context_settings=PASS_ON)(evaluate)
app.command()(data)
app.add_typer(benchmark.app, name="benchmark")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"neural-collage {neural_collage.__version__}")
        raise typer.Exit


@app.callback()
def main(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_show_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Compress pictures as fractals, and decode them at any size."""
    ctx.obj = debug


def run() -> None:
    """Entry point of the console script."""
    wait_passively()
    app(prog_name="collage")


if __name__ == "__main__":
    run()
