"""Batches with faults: killed processes, a full disk, missing or damaged inputs.

    python -m benchmarks.faults [--pictures 500] [-o benchmarks/results]

Every scenario starts `collage batch` on generated pictures, causes a fault during the run, and
runs the same command again where the first run could not finish. Afterwards the destination must
hold exactly the outputs of an undisturbed run, with the same bytes. Writes faults.json and
faults.md; the exit code is 1 if a scenario fails.
"""

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
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from benchmarks.support.options import OutputFolder
from benchmarks.support.processes import descendants
from benchmarks.support.results import RESULTS, write_results
from neural_collage.evaluation.environment import Environment

SIDE = 80
"""Width and height of a picture in pixels."""
_TIMEOUT = 300.0
"""Seconds."""


@dataclass(frozen=True)
class Result:
    """Outcome of a scenario.

    Attributes:
        scenario: its name.
        pictures: number of inputs, including damaged ones.
        exits: exit codes of the runs.
        kept: outputs of the first run that the last one did not write again.
        failed: inputs that failed in the last run.
        expected: inputs that must fail.
        lost: missing outputs.
        wrong: outputs with other bytes than those of an undisturbed run.
        stray_files: other files left in the destination, temporary ones included.
        seconds: duration of all runs.
        last_stderr_line: last line of the program in the first run on stderr.
    """

    scenario: str
    pictures: int
    exits: tuple[int, ...]
    kept: int
    failed: int
    expected: int
    lost: int
    wrong: int
    stray_files: int
    seconds: float
    last_stderr_line: str = ""

    def to_json(self) -> dict[str, object]:
        """The fields under the keys of faults.json."""
        keys = {"stray_files": "litter", "last_stderr_line": "said"}
        return {keys.get(name, name): value for name, value in asdict(self).items()}

    @property
    def good(self) -> bool:
        """Whether the outputs, the failures and the last exit code are those expected."""
        problems = (self.lost, self.wrong, self.stray_files, self.failed - self.expected)
        return not any(problems) and self.exits[-1] == (1 if self.expected else 0)


class Stage:
    """A folder of generated pictures, and the outputs of an undisturbed run on them."""

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
        """Compare the outputs in `out` with those of the undisturbed run.

        started: time of the start. gone: names, without suffixes, of inputs that must fail.
        """
        reference = outputs(self.reference)
        expected = {name: data for name, data in reference.items() if name not in gone}
        found = outputs(out)
        try:
            summary = json.loads(runs[-1].stdout.splitlines()[-1])
        except (IndexError, ValueError):
            raise RuntimeError(f"{scenario}: no summary: {runs[-1].stderr}") from None
        lines = [line for line in runs[0].stderr.splitlines() if line.startswith("collage:")]
        return Result(
            scenario=scenario,
            pictures=self.pictures,
            exits=tuple(finished.returncode for finished in runs),
            kept=summary["kept"],
            failed=summary["failed"],
            expected=len(gone),
            lost=len(expected.keys() - found.keys()),
            wrong=sum(found[name] != data for name, data in expected.items() if name in found),
            stray_files=len(found.keys() - expected.keys()) + len(list(out.rglob("*.part"))),
            seconds=round(time.perf_counter() - started, 1),
            last_stderr_line=lines[-1] if lines else "",
        )


def outputs(folder: Path) -> dict[str, bytes]:
    """The .clg files of a folder by relative path, without the suffix."""
    return {
        str(path.relative_to(folder).with_suffix("")): path.read_bytes()
        for path in folder.rglob("*.clg")
    }


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `collage` with some arguments."""
    return finish(start(*arguments))


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start `collage` with some arguments."""
    program = Path(sys.executable).with_name("collage")
    command = [str(program), *map(str, arguments), "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a process to end."""
    stdout, stderr = process.communicate(timeout=_TIMEOUT)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def wait_for_outputs(process: subprocess.Popen[str], out: Path, least: int) -> None:
    """Wait until a running batch has written at least so many outputs."""
    until = time.monotonic() + _TIMEOUT
    while sum(1 for _ in out.rglob("*.clg")) < least:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the batch ended too early: {finish(process).stderr}")
        time.sleep(0.01)


def killed_worker(stage: Stage, out: Path) -> Result:
    """One worker process is killed; the same run must complete all outputs."""
    started = time.perf_counter()
    process = start("batch", stage.source, out)
    wait_for_outputs(process, out, stage.pictures // 4)
    os.kill(descendants(process.pid)[-1], signal.SIGKILL)
    return stage.result("worker killed", out, [finish(process)], started)


def killed_driver(stage: Stage, out: Path) -> Result:
    """The program is killed; its workers must end within 10 s, and a second run completes it."""
    started = time.perf_counter()
    process = start("batch", stage.source, out)
    wait_for_outputs(process, out, stage.pictures // 4)
    workers = descendants(process.pid)
    process.kill()
    first = finish(process)
    until = time.monotonic() + 10
    while any(Path("/proc", str(pid)).exists() for pid in workers):
        if time.monotonic() > until:
            raise RuntimeError("workers still run after the program that started them has ended")
        time.sleep(0.05)
    return stage.result("driver killed", out, [first, run("batch", stage.source, out)], started)


def full_disk(stage: Stage, out: Path) -> Result:
    """The disk has room for half of the outputs, and is enlarged before a second run."""
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
    """Five inputs are deleted during the run; all others must be compressed."""
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
    """One input in a hundred is truncated; all others must be compressed."""
    started = time.perf_counter()
    source = out.with_name("corrupt")
    shutil.copytree(stage.source, source)
    broken = sorted(source.rglob("*.png"))[:: max(1, min(100, stage.pictures // 2))]
    for path in broken:
        path.write_bytes(path.read_bytes()[:-60])
    gone = [str(path.relative_to(source).with_suffix("")) for path in broken]
    return stage.result("corrupt inputs", out, [run("batch", source, out)], started, gone)


def killed_node(stage: Stage, out: Path) -> Result:
    """One of the two nodes of a Ray cluster is killed."""
    started = time.perf_counter()
    with cluster() as (address, second):
        process = start("batch", stage.source, out, "--engine", "ray", "--address", address)
        wait_for_outputs(process, out, stage.pictures // 4)
        for pid in second:
            os.kill(pid, signal.SIGKILL)
        runs = [finish(process)]
        if not runs[0].stdout:  # the program was connected to the killed node
            runs.append(run("batch", stage.source, out, "--engine", "ray", "--address", address))
        return stage.result("Ray node killed", out, runs, started)


@contextmanager
def cluster() -> Iterator[tuple[str, list[int]]]:
    """A Ray cluster of two nodes with one core each: its address, and processes of the second."""
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
    """Run scenarios, each with an empty destination."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), pictures)
        for number, scenario in enumerate(scenarios):
            (Path(folder) / f"{number}").mkdir()
            results.append(scenario(stage, Path(folder, f"{number}", "out")))
            print(results[-1], flush=True)
    return results


def to_markdown(results: Sequence[Result], environment: Environment) -> str:
    """The results as a table."""
    lines = [
        "# Faults",
        "",
        "    python -m benchmarks.faults",
        "",
        f"Machine: {environment}.",
        "",
        "Every output must exist once, complete, with the bytes of an undisturbed run.",
        "",
        "| scenario | pictures | exits | kept | failed (expected) | lost | wrong | extra | s |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for r in results:
        exits = ", ".join(map(str, r.exits))
        lines.append(
            f"| {r.scenario} | {r.pictures} | {exits} | {r.kept} | {r.failed} ({r.expected}) | "
            f"{r.lost} | {r.wrong} | {r.stray_files} | {r.seconds:.0f} |"
        )
    return "\n".join([*lines, ""])


def main(
    pictures: Annotated[int, typer.Option(help="Pictures in each batch.")] = 500,
    output: OutputFolder = RESULTS,
) -> None:
    """Run all scenarios; writes faults.json and faults.md. Exit code 1 if a scenario fails."""
    results = measure(pictures, SCENARIOS)
    rows = {"faults": [result.to_json() for result in results]}
    write_results(output, "faults", rows, to_markdown(results, Environment.current()))
    if not all(result.good for result in results):
        raise typer.Exit(1)
