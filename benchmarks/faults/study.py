"""Batches under attack: processes killed, disks full, inputs gone or broken; what is left of them?

    python -m benchmarks.faults [--pictures 500] [-o benchmarks/results]

Every scenario starts `collage batch` on generated pictures, does its damage in the middle, and
runs the same again. Then every output has to be there once, whole, and with the bytes that an
undisturbed run gives.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from neural_collage.evaluation.environment import Environment
from neural_collage.io.files import write_atomically

SIDE = 80
"""Pixels of a picture, each way."""
_PATIENCE = 300.0


@dataclass(frozen=True)
class Result:
    """What a scenario came to.

    Attributes:
        scenario: its name.
        pictures: inputs, broken ones included.
        exits: codes of the runs.
        kept: outputs of the first run that the last one did not make again.
        failed: inputs without an output in the end, which has to be `expected`.
        lost, wrong, litter: outputs that are missing, that have other bytes than they should, and
            files that nobody asked for: all have to be 0.
        seconds: of all runs.
        said: last line of the first run on stderr.
    """

    scenario: str
    pictures: int
    exits: tuple[int, ...]
    kept: int
    failed: int
    expected: int
    lost: int
    wrong: int
    litter: int
    seconds: float
    said: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing was lost, and nothing wrong or superfluous is there."""
        problems = (self.lost, self.wrong, self.litter, self.failed - self.expected)
        return not any(problems) and self.exits[-1] == (1 if self.expected else 0)


class Stage:
    """A folder with pictures, and what an undisturbed run makes of them."""

    def __init__(self, folder: Path, pictures: int, seed: int = 0) -> None:
        self.pictures = pictures
        self.folder = folder
        self.source = folder / "source"
        generator = np.random.default_rng(seed)
        for number in range(pictures):
            path = self.source / f"{number % 7}" / f"{number:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)
        self.reference = folder / "reference"
        finished = run("batch", self.source, self.reference)
        if finished.returncode:
            raise RuntimeError(f"the undisturbed run fails: {finished.stderr}")

    def result(
        self,
        scenario: str,
        out: Path,
        runs: Sequence[subprocess.CompletedProcess[str]],
        started: float,
        gone: Sequence[str] = (),
    ) -> Result:
        """Compare what lies in `out` with what should; `gone` are names without endings."""
        should = {name: data for name, data in outputs(self.reference).items() if name not in gone}
        there = outputs(out)
        try:
            summary = json.loads(runs[-1].stdout.splitlines()[-1])
        except (IndexError, ValueError):
            raise RuntimeError(f"{scenario}: no summary, but {runs[-1].stderr}") from None
        return Result(
            scenario=scenario,
            pictures=self.pictures,
            exits=tuple(finished.returncode for finished in runs),
            kept=summary["kept"],
            failed=summary["failed"],
            expected=len(gone),
            lost=len(should.keys() - there.keys()),
            wrong=sum(there[name] != data for name, data in should.items() if name in there),
            litter=len(there.keys() - should.keys()) + len(list(out.rglob("*.part"))),
            seconds=round(time.perf_counter() - started, 1),
            said=(["", *(x for x in runs[0].stderr.splitlines() if x.startswith("collage:"))])[-1],
        )


def outputs(folder: Path) -> dict[str, bytes]:
    """The .clg files of a folder by name, without the ending."""
    return {
        str(path.relative_to(folder).with_suffix("")): path.read_bytes()
        for path in folder.rglob("*.clg")
    }


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`collage` with some arguments, until it ends."""
    return finish(start(*arguments))


def start(*arguments: object) -> subprocess.Popen[str]:
    """`collage` with some arguments."""
    program = Path(sys.executable).with_name("collage")
    command = [str(program), *map(str, arguments), "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for its end."""
    stdout, stderr = process.communicate(timeout=_PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def wait_for_outputs(process: subprocess.Popen[str], out: Path, least: int) -> None:
    """Until so many are there, and the batch goes on."""
    until = time.monotonic() + _PATIENCE
    while sum(1 for _ in out.rglob("*.clg")) < least:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the batch ended too early: {finish(process).stderr}")
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """Processes that this one started, and those that they started, from /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # it has ended
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, front = [], [pid]
    while front:
        front = [child for child, parent in parents.items() if parent in front]
        found += front
    return found


def killed_worker(stage: Stage, out: Path) -> Result:
    """One process of the pool is killed; the run itself has to cope."""
    started = time.perf_counter()
    process = start("batch", stage.source, out)
    wait_for_outputs(process, out, stage.pictures // 4)
    os.kill(descendants(process.pid)[-1], signal.SIGKILL)
    return stage.result("worker killed", out, [finish(process)], started)


def killed_driver(stage: Stage, out: Path) -> Result:
    """The program is killed; its workers have to end too, the next run completes its work."""
    started = time.perf_counter()
    process = start("batch", stage.source, out)
    wait_for_outputs(process, out, stage.pictures // 4)
    workers = descendants(process.pid)
    process.kill()
    first = finish(process)
    until = time.monotonic() + 10
    while any(Path("/proc", str(pid)).exists() for pid in workers):
        if time.monotonic() > until:
            raise RuntimeError("workers outlive the program that started them")
        time.sleep(0.05)
    return stage.result("driver killed", out, [first, run("batch", stage.source, out)], started)


def full_disk(stage: Stage, out: Path) -> Result:
    """The disk has room for half of the outputs; then it grows."""
    started = time.perf_counter()
    blocks = sum(-(-len(data) // 4096) for data in outputs(stage.reference).values())
    out.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={blocks * 2048}", "tmpfs", str(out)], check=True
    )
    try:
        first = run("batch", stage.source, out)
        subprocess.run(["mount", "-o", "remount,size=64m", str(out)], check=True)
        return stage.result("disk full", out, [first, run("batch", stage.source, out)], started)
    finally:
        subprocess.run(["umount", "--lazy", str(out)], check=False)


def vanished_source(stage: Stage, out: Path) -> Result:
    """Some inputs are deleted when the run has begun; the others are to be done."""
    started = time.perf_counter()
    source = out.with_name("vanishing")
    shutil.copytree(stage.source, source)
    gone = [str(p.relative_to(source).with_suffix("")) for p in sorted(source.rglob("*.png"))[-5:]]
    process = start("batch", source, out)
    wait_for_outputs(process, out, 1)
    for name in gone:
        (source / name).with_suffix(".png").unlink()
    return stage.result("source vanished", out, [finish(process)], started, gone)


def corrupt_inputs(stage: Stage, out: Path) -> Result:
    """One input in a hundred is damaged; the others are to be done."""
    started = time.perf_counter()
    source = out.with_name("corrupt")
    shutil.copytree(stage.source, source)
    broken = sorted(source.rglob("*.png"))[:: max(1, min(100, stage.pictures // 2))]
    for path in broken:
        path.write_bytes(path.read_bytes()[:-60])
    gone = [str(path.relative_to(source).with_suffix("")) for path in broken]
    return stage.result("corrupt inputs", out, [run("batch", source, out)], started, gone)


def killed_node(stage: Stage, out: Path) -> Result:
    """One of two nodes of a Ray cluster is killed."""
    started = time.perf_counter()
    with cluster() as (address, second):
        process = start("batch", stage.source, out, "--engine", "ray", "--address", address)
        wait_for_outputs(process, out, stage.pictures // 4)
        for pid in second:
            os.kill(pid, signal.SIGKILL)
        runs = [finish(process)]
        if not runs[0].stdout:  # its own node it was
            runs.append(run("batch", stage.source, out, "--engine", "ray", "--address", address))
        return stage.result("Ray node killed", out, runs, started)


@contextmanager
def cluster() -> Iterator[tuple[str, list[int]]]:
    """A Ray cluster of two nodes of one core; its address, and the processes of the second."""
    ray = str(Path(sys.executable).with_name("ray"))
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}

    def call(*arguments: str) -> None:
        subprocess.run([ray, *arguments], check=True, capture_output=True, env=environment)

    def raylets() -> set[int]:
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == "raylet":
                found.add(int(entry.name))
        return found

    before = raylets()
    port = "26379"
    memory = ("--num-cpus=1", "--object-store-memory=200000000", "--disable-usage-stats")
    try:
        call("start", "--head", f"--port={port}", "--include-dashboard=false", *memory)
        first = raylets() - before
        call("start", f"--address=127.0.0.1:{port}", *memory)
        second = raylets() - before - first
        yield f"127.0.0.1:{port}", [pid for root in second for pid in [*descendants(root), root]]
    finally:
        subprocess.run([ray, "stop", "--force"], check=False, capture_output=True)


SCENARIOS: tuple[Callable[[Stage, Path], Result], ...] = (
    killed_worker,
    killed_driver,
    full_disk,
    vanished_source,
    corrupt_inputs,
    killed_node,
)


def measure(pictures: int, scenarios: Sequence[Callable[[Stage, Path], Result]]) -> list[Result]:
    """Play scenarios, each on an empty destination."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), pictures)
        for number, scenario in enumerate(scenarios):
            (Path(folder) / f"{number}").mkdir()
            results.append(scenario(stage, Path(folder, f"{number}", "out")))
            print(results[-1], flush=True)
    return results


def page(results: Sequence[Result], environment: Environment) -> str:
    """The table as markdown."""
    lines = [
        "# Faults",
        "",
        "    python -m benchmarks.faults",
        "",
        f"Machine: {environment}.",
        "",
        "Every output has to be there once, whole, with the bytes of an undisturbed run.",
        "",
        "| scenario | pictures | exits | kept | failed (expected) | lost | wrong | litter | s |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for r in results:
        exits = ", ".join(map(str, r.exits))
        lines.append(
            f"| {r.scenario} | {r.pictures} | {exits} | {r.kept} | {r.failed} ({r.expected}) | "
            f"{r.lost} | {r.wrong} | {r.litter} | {r.seconds:.0f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Play all scenarios, write JSON and a page; exit code 1 if one of them went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    results = measure(arguments.pictures, SCENARIOS)
    rows = {"faults": [asdict(result) for result in results]}
    arguments.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rows, indent=1) + "\n"
    write_atomically(arguments.output / "faults.json", text.encode())
    write_atomically(arguments.output / "faults.md", page(results, Environment.current()).encode())
    raise SystemExit(not all(result.good for result in results))


if __name__ == "__main__":
    main()
