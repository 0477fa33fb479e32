"""The command line of a study."""

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from neural_collage.errors import CollageError


def run(main: Callable[..., object]) -> None:
    """Call `main` with the options of the command line.

    A `CollageError` becomes one line on stderr and exit code 1.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except CollageError as error:
        sys.exit(" ".join(str(error).splitlines()))


def numbers(text: str) -> list[int]:
    """Whole numbers separated by commas."""
    return [int(word) for word in text.split(",")]


def shown_path(path: Path) -> str:
    """A path for the command in a report: as given, or its name if it leaves the working folder.

    Results are published and must not contain the folders of one machine.
    """
    return path.resolve().name if path.is_absolute() or ".." in path.parts else path.as_posix()
