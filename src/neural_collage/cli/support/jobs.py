"""Runs the jobs of a plan one after the other; a failure does not stop the others."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from neural_collage.cli.support.plan import Failure, Job, Plan, name_of
from neural_collage.cli.support.progress import progress_of_jobs
from neural_collage.cli.support.reports import Reports, picture_warnings_as_lines
from neural_collage.cli.support.streams import (
    STANDARD,
    check_standard_output,
    write_standard_output,
)
from neural_collage.errors import OutputError
from neural_collage.io.files import write_atomically

if TYPE_CHECKING:
    from neural_collage.codec.image import CollageImage


@dataclass(frozen=True)
class OutputFile:
    """The complete output file of a job, and the size of its picture in pixels.

    facts: what its JSON object says beside that, note: what its line does. details: how it was
    made.
    """

    data: bytes
    width: int
    height: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    details: str = ""


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


def run_jobs(
    plan: Plan,
    work: Callable[[Job], OutputFile],
    reports: Reports,
    *,
    keep_times: bool = False,
    dry_run: bool = False,
) -> None:
    """Run every job of a plan: compute its output with `work`, write it, and report it.

    Reports go to stdout as text, or as one JSON object per input, and to stderr where stdout
    carries the output; failures and warnings go to stderr, one line each.

    keep_times: outputs get the modification times of their inputs. dry_run: nothing is written.

    Raises:
        OutputError: an output is to go to a stdout that cannot take it.
        BrokenPipeError: what reads stdout has ended.
        typer.Exit: with code 1, at the end, if anything failed.
    """
    into_pipe = any(job.target is None for job in plan.jobs)
    reports = replace(reports, on_stderr=into_pipe)
    if into_pipe and not dry_run:
        check_standard_output()
    failures = list(plan.failures)
    for failure in plan.failures:
        _report_failure(reports, failure)
    with progress_of_jobs(plan.jobs, quiet=reports.quiet) as jobs:
        broken: set[Path | None] = set()
        for job in jobs:
            if job.frame is not None and job.source in broken:
                continue  # frames lie on those before them
            try:
                with picture_warnings_as_lines(quiet=reports.quiet):
                    facts, *texts = _run_job(job, work, keep_times=keep_times, dry_run=dry_run)
            except BrokenPipeError:
                raise
            except Exception as error:
                failures.append(Failure(job.source, error))
                _report_failure(reports, failures[-1])
                broken.add(job.source)
            else:
                reports.result(facts, *texts)
    if failures:
        raise typer.Exit(1)


def collage_details(collage: "CollageImage") -> str:
    """What a .clg file is made of, in a line."""
    model = collage.header.model
    parts = [f"codec {collage.codec}", f"quality {collage.quality}"]
    if model is not None:
        parts.append(f"model {model.name}")
    if collage.graphics is not None:
        parts.append(f"graphics layer over {collage.graphics.owned_share():.0%}")
    return ", ".join(parts)


def _run_job(
    job: Job, work: Callable[[Job], OutputFile], *, keep_times: bool, dry_run: bool
) -> tuple[dict[str, Any], str, str]:
    """Write the output of a job; returns what its JSON object, its line and its details say."""
    started = time.perf_counter()
    output = work(job)
    if not dry_run:
        _write(job, output.data, keep_times=keep_times)
    report = JobReport(
        input=STANDARD if job.source is None else str(job.source),
        output=STANDARD if job.target is None else str(job.target),
        bytes=len(output.data),
        width=output.width,
        height=output.height,
        bpp=8 * len(output.data) / (output.width * output.height),
        seconds=time.perf_counter() - started,
    )
    text = "  ".join([str(report), *filter(None, [output.note, "not written" * dry_run])])
    facts = {**asdict(report), **output.facts}
    if job.frame is not None:
        facts["frame"] = job.frame
    return facts | ({"dry_run": True} if dry_run else {}), text, output.details


def _write(job: Job, data: bytes, *, keep_times: bool) -> None:
    if job.target is None:
        write_standard_output(data)
        return
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.target.parent}: cannot be made: {error.strerror}") from error
    times = job.source.stat() if keep_times and job.source is not None else None
    write_atomically(job.target, data)
    if times is not None:
        os.utime(job.target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _report_failure(reports: Reports, failure: Failure) -> None:
    source = STANDARD if failure.source is None else str(failure.source)
    reports.failure(source, name_of(failure.source), failure.error)
