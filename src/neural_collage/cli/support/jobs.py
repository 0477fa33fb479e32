"""Runs the jobs of a plan one after the other; a failure does not stop the others."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TimeElapsedColumn

from neural_collage.cli.support.plan import Failure, Job, Plan, name_of
from neural_collage.cli.support.progress import progress_bar
from neural_collage.cli.support.reports import Reports, picture_warnings_as_lines
from neural_collage.cli.support.streams import (
    STANDARD,
    check_standard_output,
    write_standard_output,
)
from neural_collage.errors import OutputError
from neural_collage.io.files import write_atomically


@dataclass(frozen=True)
class OutputFile:
    """The complete output file of a job, and the size of its picture in pixels.

    facts: what its JSON object says beside that, note: what its line does.
    """

    data: bytes
    width: int
    height: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


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

    Reports go to stdout as text, or as one JSON object per input, and to stderr where stdout
    carries the output; failures and warnings go to stderr, one line each.

    Raises:
        OutputError: an output is to go to a stdout that cannot take it.
        BrokenPipeError: what reads stdout has ended.
        typer.Exit: with code 1, at the end, if anything failed.
    """
    into_pipe = any(job.target is None for job in plan.jobs)
    reports = Reports(as_json=as_json, debug=debug, on_stderr=into_pipe)
    if into_pipe:
        check_standard_output()
    failures = list(plan.failures)
    for failure in plan.failures:
        _report_failure(reports, failure)
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with progress_bar(*columns) as progress:
        for job in progress.track(plan.jobs, description=""):
            try:
                with picture_warnings_as_lines():
                    facts, text = _run_job(job, work)
            except BrokenPipeError:
                raise
            except Exception as error:
                failures.append(Failure(job.source, error))
                _report_failure(reports, failures[-1])
            else:
                reports.result(facts, text)
    if failures:
        raise typer.Exit(1)


def _run_job(job: Job, work: Callable[[Job], OutputFile]) -> tuple[dict[str, Any], str]:
    """Write the output of a job; returns what its JSON object and its line say."""
    started = time.perf_counter()
    output = work(job)
    _write(job, output.data)
    report = JobReport(
        input=STANDARD if job.source is None else str(job.source),
        output=STANDARD if job.target is None else str(job.target),
        bytes=len(output.data),
        width=output.width,
        height=output.height,
        bpp=8 * len(output.data) / (output.width * output.height),
        seconds=time.perf_counter() - started,
    )
    text = f"{report}  {output.note}" if output.note else str(report)
    return {**asdict(report), **output.facts}, text


def _write(job: Job, data: bytes) -> None:
    if job.target is None:
        write_standard_output(data)
        return
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.target.parent}: cannot be made: {error.strerror}") from error
    write_atomically(job.target, data)


def _report_failure(reports: Reports, failure: Failure) -> None:
    source = STANDARD if failure.source is None else str(failure.source)
    reports.failure(source, name_of(failure.source), failure.error)
