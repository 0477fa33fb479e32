"""Plans which files a command reads and writes, and finds what cannot work before any work."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from neural_collage.cli.support.streams import INPUT, STANDARD
from neural_collage.errors import CollageError, ImageError, OutputError


@dataclass(frozen=True)
class Job:
    """One input and the one output made from it; None for standard input and output.

    frame: of the input, from 1; None if the input has no others that are read.
    """

    source: Path | None
    target: Path | None
    frame: int | None = None


@dataclass(frozen=True)
class Failure:
    """An input without an output, and the reason; None for standard input."""

    source: Path | None
    error: Exception


@dataclass(frozen=True)
class Plan:
    """Jobs in the order of the inputs (sorted within a folder), and inputs that cannot be used."""

    jobs: Sequence[Job]
    failures: Sequence[Failure]


def name_of(source: Path | None) -> str:
    """What messages call an input."""
    return INPUT if source is None else str(source)


def plan_jobs(
    inputs: Sequence[str],
    output: str | None,
    *,
    searched: Sequence[str],
    written: Sequence[str],
    overwrite: bool,
    spare_beside: bool = False,
    frames_of: Callable[[Path], int] = lambda source: 1,
) -> Plan:
    """Pair inputs with outputs.

    inputs: files, or folders that are searched for files with a suffix in `searched`; or "-" alone,
        standard input.
    output: None writes beside each input, standard input to standard output, which "-" names. A
        folder if it exists as one, ends in a slash, or if `inputs` is a folder or several; paths
        below an input folder are then kept in it. Else a file with a suffix in `written`. The first
        of `written` is the default suffix. Where inputs differ in their suffix alone, it is
        added to theirs, not put in its place.
    spare_beside: existing files in the folder of their input are replaced only if `output` names
        them: a picture beside its .clg file may be the original.
    frames_of: how many frames of an input are read. Where there are several, each has an output
        with its number: name-0001.clg.

    Raises:
        typer.BadParameter: `output` is a file where a folder is needed, or the reverse, or has
            another suffix; "-" beside other inputs.
    """
    if STANDARD in inputs or output == STANDARD:
        return _checked_plan([_stream_job(inputs, output, written)], [], overwrite)
    into_folder = output is not None and _is_folder(output, inputs, written)
    pairs: list[tuple[Path, Path]] = []
    failures: list[Failure] = []
    for given in map(Path, dict.fromkeys(inputs)):
        sources = list(_search(given, searched)) if given.is_dir() else [given]
        if not sources:
            missing = ImageError(f"{given}: this folder holds no {', '.join(searched)} files")
            failures.append(Failure(given, missing))
        for source in sources:
            kept = source.relative_to(given) if given.is_dir() else Path(source.name)
            target = Path(output) if output is not None else source
            if into_folder or output is None:
                target = (target / kept if into_folder else target).with_suffix(written[0])
            pairs.append((source, target))
    if into_folder or output is None:
        pairs = _with_distinct_names(pairs, written[0])
        if spare_beside:
            pairs, spared = _without_originals(pairs, overwrite)
            failures += spared
    unique = {(s.resolve(), t.resolve()): Job(s, t) for s, t in pairs}
    jobs = [part for job in unique.values() for part in _by_frame(job, frames_of)]
    return _checked_plan(jobs, failures, overwrite)


def _by_frame(job: Job, frames_of: Callable[[Path], int]) -> list[Job]:
    """A job as one for each frame of its input."""
    if job.source is None or job.target is None or (count := frames_of(job.source)) < 2:
        return [job]
    stem, suffix = job.target.stem, job.target.suffix
    return [
        Job(job.source, job.target.with_name(f"{stem}-{frame:04}{suffix}"), frame)
        for frame in range(1, count + 1)
    ]


def _with_distinct_names(
    pairs: Sequence[tuple[Path, Path]], suffix: str
) -> list[tuple[Path, Path]]:
    """Inputs and outputs; where several inputs have the same output, the names of all are kept."""
    sources_of: dict[Path, set[Path]] = defaultdict(set)
    for source, target in pairs:
        sources_of[target.resolve()].add(source.resolve())
    return [
        (source, target.with_name(source.name + suffix))
        if len(sources_of[target.resolve()]) > 1
        else (source, target)
        for source, target in pairs
    ]


def _without_originals(
    pairs: Sequence[tuple[Path, Path]], overwrite: bool
) -> tuple[list[tuple[Path, Path]], list[Failure]]:
    """Inputs and outputs, but for existing outputs beside their inputs, which are failures."""
    kept, spared = [], []
    for source, target in pairs:
        is_beside = target.resolve().parent == source.resolve().parent
        if overwrite and is_beside and target.is_file() and target.resolve() != source.resolve():
            reason = f"{target} may be the original of {source}: -o {target} replaces it"
            spared.append(Failure(source, OutputError(reason)))
        else:
            kept.append((source, target))
    return kept, spared


def _stream_job(inputs: Sequence[str], output: str | None, written: Sequence[str]) -> Job:
    """The one job with standard input or standard output."""
    if len(inputs) > 1:
        what = "standard input goes" if STANDARD in inputs else "standard output takes one file"
        raise typer.BadParameter(f"- stands for a stream: {what} alone, so give one INPUT")
    source = None if inputs[0] == STANDARD else Path(inputs[0])
    if source is not None and source.is_dir():
        raise typer.BadParameter(f"{source} is a folder, but standard output takes one file")
    if output is None or output == STANDARD:
        return Job(source, None)
    if _is_folder(output, inputs, written):
        raise typer.BadParameter(f"{output}: standard input has no name: give -o FILE")
    return Job(source, Path(output))


def _search(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Files with these suffixes at any depth, except hidden ones."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file():
            yield path


def _is_folder(output: str, inputs: Sequence[str], written: Sequence[str]) -> bool:
    path = Path(output)
    if path.is_dir() or output.endswith((os.sep, "/")):
        return True
    if len(inputs) > 1 or Path(inputs[0]).is_dir():
        if path.exists():
            raise typer.BadParameter(f"{output} is a file, but a folder is needed here")
        return True
    if path.suffix.lower() not in written:
        raise typer.BadParameter(
            f"{output}: end a file in {' or '.join(written)}, and a new folder in /"
        )
    return False


def _checked_plan(jobs: Sequence[Job], failures: list[Failure], overwrite: bool) -> Plan:
    """The jobs that can run; the others are added to the failures."""
    sources_of: dict[Path, set[Path]] = defaultdict(set)
    for job in jobs:
        if job.source is not None and job.target is not None:
            sources_of[job.target.resolve()].add(job.source)
    sources = {job.source.resolve() for job in jobs if job.source is not None}
    accepted = []
    for job in jobs:
        error = _input_error(job.source) or _output_error(job, sources_of, sources, overwrite)
        if error is None:
            accepted.append(job)
        else:
            failures.append(Failure(job.source, error))
    return Plan(accepted, failures)


def _input_error(source: Path | None) -> CollageError | None:
    """Why an input cannot be read; None if nothing is known to prevent it."""
    if source is None or source.exists():
        return None
    return ImageError(f"{source}: no such file")


def _output_error(
    job: Job, sources_of: Mapping[Path, set[Path]], sources: set[Path], overwrite: bool
) -> CollageError | None:
    """Why the output of a job cannot be written; None if nothing prevents it.

    sources_of: the inputs of each output. sources: all inputs.
    """
    target = job.target
    if target is None:
        return None
    if others := sources_of[target.resolve()] - {job.source}:
        return OutputError(f"{target} is also the output of {min(others)}: rename one")
    if target.resolve() in sources:
        return OutputError(f"{target} is also an input: choose another output")
    if target.exists() and not target.is_file():
        return OutputError(f"{target} is not a regular file: choose another output")
    if target.exists() and not overwrite:
        return OutputError(f"{target} exists: pass --overwrite to replace it")
    parent = next(folder for folder in target.resolve().parents if folder.exists())
    if not parent.is_dir():
        return OutputError(f"{target} cannot be written: {parent} is not a folder")
    if not os.access(parent, os.W_OK):
        return OutputError(f"{target} cannot be written: {parent} is write-protected")
    return None
