"""What a command says about its work: results, failures and warnings, as lines or as JSON."""

import json
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer

from neural_collage.errors import CollageError, PictureWarning, describe


@dataclass(frozen=True)
class Reports:
    """How a command reports.

    as_json: one JSON object per result instead of a line of text.
    quiet: failures and JSON objects alone. verbose: details of results, too.
    debug: tracebacks of failures.
    on_stderr: results go to stderr, because standard output carries a file.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    on_stderr: bool = False

    def result(self, facts: Mapping[str, Any], text: str, details: str = "") -> None:
        """Report what was done: as a JSON object of facts, or as text.

        details: how it was done, a second line of text.
        """
        if self.as_json:
            typer.echo(json.dumps(facts), err=self.on_stderr)
        elif not self.quiet:
            typer.echo(text, err=self.on_stderr)
        if self.verbose and details:
            typer.echo(f"  {details}", err=self.on_stderr or self.as_json)

    def failure(self, source: str, name: str, error: Exception) -> None:
        """Report an input that failed, as one line on stderr, and as JSON if that is asked for.

        source: the input as it was given. name: what the line calls it.
        """
        message = one_line(error)
        if not message.startswith(name):
            message = f"{name}: {message}"
        report_error(message, error, debug=self.debug)
        if self.as_json:
            self.result({"input": source, "error": message}, "")


def one_line(error: Exception) -> str:
    """An error as one line, with a hint at --debug if it was not raised on purpose."""
    hint = "" if isinstance(error, CollageError) else " (`collage --debug` shows where)"
    return describe(error) + hint


def report_error(message: str, error: Exception, *, debug: bool) -> None:
    """Print one line to stderr, after the traceback if `debug`."""
    if debug:
        traceback.print_exception(error)
    typer.echo(f"collage: {message}", err=True)


@contextmanager
def warnings_as_lines(shown: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Print each warning as one line on stderr when it is raised; none while not `shown()`."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        if shown():
            typer.echo(f"collage: warning: {' '.join(str(message).split())}", err=True)

    previous, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = previous


@contextmanager
def picture_warnings_as_lines(*, quiet: bool = False) -> Iterator[None]:
    """Print warnings about pictures as lines on stderr, unless quiet; ignore all others."""
    with warnings.catch_warnings(), warnings_as_lines(lambda: not quiet):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PictureWarning)
        yield
