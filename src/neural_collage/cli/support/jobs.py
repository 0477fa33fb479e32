"""Runs the jobs of a plan one after the other; a failure does not stop the others."""

import json
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import typer
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TimeElapsedColumn

from neural_collage.cli.support.plan import Failure, Job, Plan
from neural_collage.cli.support.progress import progress_bar
from neural_collage.errors import CollageError, OutputError, PictureWarning, describe
from neural_collage.io.files import write_atomically


@dataclass(frozen=True)
class OutputFile:
    """The complete output file of a job, and the size of its picture in pixels."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True)
class JobReport:
    """What was written for an input; the fields are the keys of the JSON object.

    bytes: size of the output; width, height: pixels of its picture; bpp: bits per pixel.
    """

    input: str
    output: str
    bytes: int
    width: int
    height: int
    bpp: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.output}  {self.width} x {self.height}  {self.bytes:,} bytes  "
            f"{self.bpp:.3f} bpp  {self.seconds:.2f} s"
        )


def run_jobs(plan: Plan, work: Callable[[Job], OutputFile], *, as_json: bool, debug: bool) -> None:
    """Run every job of a plan: compute its output with `work`, write it, and report it.

    Reports go to stdout as text, or as one JSON object per input; failures and warnings go to
    stderr, one line each.

    Raises:
        typer.Exit: with code 1, at the end, if anything failed.
    """
    failures = list(plan.failures)
    for failure in plan.failures:
        _report_failure(failure, as_json=as_json, debug=debug)
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with progress_bar(*columns) as progress:
        for job in progress.track(plan.jobs, description=""):
            try:
                with _picture_warnings_as_lines():
                    report = _run_job(job, work)
            except Exception as error:
                failures.append(Failure(job.source, error))
                _report_failure(failures[-1], as_json=as_json, debug=debug)
            else:
                typer.echo(json.dumps(asdict(report)) if as_json else str(report))
    if failures:
        raise typer.Exit(1)


def one_line(error: Exception) -> str:
    """An error as one line, with a hint at --debug if it was not raised on purpose."""
    hint = "" if isinstance(error, CollageError) else " (`collage --debug` shows where)"
    return describe(error) + hint


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


def report_error(message: str, error: Exception, *, debug: bool) -> None:
    """Print one line to stderr, after the traceback if `debug`."""
    if debug:
        traceback.print_exception(error)
    typer.echo(f"collage: {message}", err=True)


def _run_job(job: Job, work: Callable[[Job], OutputFile]) -> JobReport:
    started = time.perf_counter()
    output = work(job)
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.target.parent}: cannot be made: {error.strerror}") from error
    write_atomically(job.target, output.data)
    return JobReport(
        input=str(job.source),
        output=str(job.target),
        bytes=len(output.data),
        width=output.width,
        height=output.height,
        bpp=8 * len(output.data) / (output.width * output.height),
        seconds=time.perf_counter() - started,
    )


def _report_failure(failure: Failure, *, as_json: bool, debug: bool) -> None:
    message = one_line(failure.error)
    if not message.startswith(str(failure.source)):
        message = f"{failure.source}: {message}"
    report_error(message, failure.error, debug=debug)
    if as_json:
        typer.echo(json.dumps({"input": str(failure.source), "error": message}))


@contextmanager
def _picture_warnings_as_lines() -> Iterator[None]:
    """Print warnings about pictures as lines on stderr, and ignore all others."""
    with warnings.catch_warnings(), warnings_as_lines():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PictureWarning)
        yield
