"""Speed of batches with one process, two processes and Ray; cost and memory by batch size.

    python -m benchmarks.batches [--images data/aid/train] [-o benchmarks/results]

The rate excludes the first tenth of a batch, and with it the start of processes, a cluster and a
model; that is given separately, as the time until the first picture is done. Writes batches.json
and batches.md.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.support.options import OutputFolder
from benchmarks.support.processes import descendants, peak_bytes
from benchmarks.support.results import RESULTS, write_results
from neural_collage.batch.engines import Engine, LocalEngine
from neural_collage.batch.manifest import Manifest, ManifestEntry
from neural_collage.batch.runner import Summary, run_batch
from neural_collage.batch.stores import Folder
from neural_collage.batch.tasks import BatchTask
from neural_collage.data.catalogue import image_folder
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment

SIZES = (100, 300, 1000, 3000)
COMPARED = 2000
TASK = BatchTask(model="aerial")


@dataclass(frozen=True)
class Result:
    """Speed and memory of one batch.

    Attributes:
        engine: name and number of workers.
        pictures: size of the batch.
        start: seconds until the first picture was done.
        rate: pictures per second, without the first tenth of the batch.
        driver, workers: peak MiB of memory of the program, and of the largest of its processes.
    """

    engine: str
    pictures: int
    start: float
    rate: float
    driver: int
    workers: int


def main(
    images: Annotated[
        Path, typer.Option(help=f"A folder of {max(SIZES):,} or more .jpg pictures.")
    ] = Path("data/aid/train"),
    output: OutputFolder = RESULTS,
) -> None:
    """Measure batches; writes batches.json and batches.md."""
    files = sorted(image_folder(images).glob("*.jpg"))
    if len(files) < max(SIZES):
        raise CollageError(f"{images} holds {len(files):,} .jpg files, not {max(SIZES):,}")
    runs: list[tuple[str, Callable[[], Engine], int]] = [
        ("1 process", lambda: LocalEngine(1), COMPARED),
        ("2 processes", lambda: LocalEngine(2), COMPARED),
        ("Ray, 2 actors", _ray, COMPARED),
        *(("2 processes", lambda: LocalEngine(2), size) for size in SIZES),
    ]
    results = []
    for name, engine, size in runs:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "in")
            source.mkdir()
            for path in files[:size]:
                shutil.copy(path, source)
            results.append(measure(name, engine(), source, Path(folder, "out")))
            print(results[-1], flush=True)
    numbers = [asdict(result) for result in results]
    write_results(output, "batches", numbers, to_markdown(results, Environment.current()))


def measure(name: str, engine: Engine, source: Path, out: Path) -> Result:
    """Compress a folder."""
    pictures = sum(1 for _ in source.iterdir())
    times: list[float] = []
    memory = [0, 0]

    def record(_: Summary, entry: ManifestEntry | None) -> None:
        if entry is not None:
            times.append(time.perf_counter())
            if len(times) % 50 == 0 or len(times) == pictures:
                memory[0] = peak_bytes()
                memory[1] = max(memory[1], *map(peak_bytes, descendants(os.getpid())), 0)

    started = time.perf_counter()
    with Manifest(str(out / "manifest.jsonl")) as manifest:
        folders = Folder(str(source), TASK.searched), Folder(str(out))
        summary = run_batch(*folders, TASK, engine, manifest, on_progress=record)
    if summary.done != pictures:
        raise RuntimeError(f"{name}: {summary.failed} of {pictures} pictures failed")
    first = pictures // 10
    rate = (len(times) - 1 - first) / (times[-1] - times[first])
    start = times[0] - started
    driver, workers = (peak >> 20 for peak in memory)
    return Result(name, pictures, round(start, 2), round(rate, 2), driver, workers)


def to_markdown(results: Sequence[Result], environment: Environment) -> str:
    """The results as a table."""
    lines = [
        *("# Batches", "", "    python -m benchmarks.batches", ""),
        *(f"Aerial pictures of 150 x 150 pixels. Machine: {environment}.", ""),
        "| engine | pictures | start (s) | pictures per second | program (MiB) | a worker (MiB) |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r.engine} | {r.pictures:,} | {r.start} | {r.rate} | {r.driver} | {r.workers} |"
        for r in results
    ]
    return "\n".join([*lines, ""])


def _ray() -> Engine:
    from neural_collage.batch.cluster import RayEngine

    return RayEngine(2)
