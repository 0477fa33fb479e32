"""How fast batches are: one process, all cores, Ray; and whether cost and memory stay flat.

    python -m benchmarks.batches [--images ../shared/data/aid/train] [-o benchmarks/results]

Pictures a second are those after the first tenth, from then on: what starts a process, a cluster
and a model is told apart, as the time until the first outcome.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.faults.study import descendants
from neural_collage.batch.engines import Engine, LocalEngine
from neural_collage.batch.manifest import Manifest, ManifestEntry
from neural_collage.batch.runner import Summary, run_batch
from neural_collage.batch.stores import Folder
from neural_collage.batch.tasks import BatchTask
from neural_collage.evaluation.environment import Environment
from neural_collage.io.files import write_atomically

SIZES = (100, 300, 1000, 3000)
COMPARED = 2000
TASK = BatchTask(model="aerial")


@dataclass(frozen=True)
class Result:
    """A batch.

    Attributes:
        engine: and its workers.
        pictures: how many.
        start: seconds until the first was done. rate: pictures a second, start apart.
        driver, workers: peak MiB of memory of the program, and of the largest of its processes.
    """

    engine: str
    pictures: int
    start: float
    rate: float
    driver: int
    workers: int


def measure(name: str, engine: Engine, source: Path, out: Path) -> Result:
    """Compress a folder."""
    pictures = sum(1 for _ in source.iterdir())
    times: list[float] = []
    memory = [0, 0]

    def told(summary: Summary, entry: ManifestEntry | None) -> None:
        if entry is not None:
            times.append(time.perf_counter())
            if len(times) % 50 == 0 or len(times) == pictures:
                memory[0] = max(memory[0], _resident("self"))
                own = [_resident(str(pid)) for pid in descendants(_pid())]
                memory[1] = max(memory[1], *own, 0)

    started = time.perf_counter()
    with Manifest(str(out / "manifest.jsonl")) as manifest:
        folders = Folder(str(source), TASK.searched), Folder(str(out))
        summary = run_batch(*folders, TASK, engine, manifest, told=told)
    if summary.done != pictures:
        raise RuntimeError(f"{name}: {summary.failed}")
    first = pictures // 10
    rate = (len(times) - 1 - first) / (times[-1] - times[first])
    start = times[0] - started
    return Result(name, pictures, round(start, 2), round(rate, 2), *memory)


def page(results: Sequence[Result], environment: Environment) -> str:
    """The table as markdown."""
    lines = [
        *("# Batches", "", "    python -m benchmarks.batches", ""),
        *(f"Aerial pictures of 150 x 150 pixels. Machine: {environment}.", ""),
        "| engine | pictures | start (s) | pictures a second | program (MiB) | a worker (MiB) |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r.engine} | {r.pictures:,} | {r.start} | {r.rate} | {r.driver} | {r.workers} |"
        for r in results
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, write JSON and a page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, default=Path("../shared/data/aid/train"))
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*.jpg"))
    if len(files) < max(SIZES):
        raise SystemExit(f"{arguments.images}: not {max(SIZES)} .jpg files: see docs/data.md")
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
    arguments.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(result) for result in results], indent=1) + "\n"
    write_atomically(arguments.output / "batches.json", text.encode())
    text = page(results, Environment.current())
    write_atomically(arguments.output / "batches.md", text.encode())


def _ray() -> Engine:
    from neural_collage.batch.cluster import RayEngine

    return RayEngine(2)


def _pid() -> int:
    return int(Path("/proc/self").resolve().name)


def _resident(process: str) -> int:
    """MiB of memory of a process; 0 if it has ended."""
    try:
        for line in Path("/proc", process, "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    except OSError:
        pass
    return 0


if __name__ == "__main__":
    main()
