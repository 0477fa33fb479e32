"""Hostile files: a million mutated files in every decoder, and all single-bit flips of 1,000 files.

    python -m benchmarks.hostile [--mutants 1000000] [--files 1000] [-o benchmarks/results]

The files of the corpus in tests/fuzz are mutated, also their payloads and tables of segments alone;
most mutants get a valid checksum. The target partial accepts files that break off. A crash is any
exception other than those documented for invalid files; a hang takes more than two seconds of
processor time, or a minute. The checksum must detect every flipped bit. Writes hostile.json and
hostile.md; the exit code is 1 if anything was found.
"""

import os
import random
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from neural_collage.errors import CollageFormatError
from neural_collage.evaluation.environment import Environment
from neural_collage.runtime import use_threads
from tests.fuzz.targets import TARGETS, corpus, mutated, sealed

SECONDS = 2.0
"""Limit on the processor time of a decode, which other work on the machine does not change."""
_WAITING = 60.0  # seconds: limit on the time of a decode that waits
MEMORY = 2 << 30
"""Limit in bytes on the memory that a process allocates after decoding each corpus file once."""
_SHARES = {"container": 0.6, "decode": 0.15, "partial": 0.1, "pillow": 0.15}
"""Share of the mutants that each target gets."""
_SEALED = 0.9
"""Share of the mutants that get a valid checksum."""
_CHUNK = 5_000


@dataclass
class Attack:
    """Outcome of feeding mutants to a target.

    Attributes:
        target: its name.
        mutants: number of mutants.
        taken: number of mutants that decode without an error.
        crashes: mutants in hexadecimal, each with the exception that it raised.
        hangs: mutants in hexadecimal.
        slowest: longest decode in seconds.
        memory: peak of the largest process in bytes.
    """

    target: str
    mutants: int = 0
    taken: int = 0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    slowest: float = 0.0
    memory: int = 0

    def add(self, other: "Attack") -> None:
        """Add the counts of another attack on the same target."""
        self.mutants += other.mutants
        self.taken += other.taken
        self.crashes += other.crashes
        self.hangs += other.hangs
        self.slowest = max(self.slowest, other.slowest)
        self.memory = max(self.memory, other.memory)


def attack(name: str, seed: int, mutants: int) -> Attack:
    """Feed a number of mutants to one target."""
    use_threads(1)
    target, files, rng = TARGETS[name], corpus(), random.Random(seed)
    for file in files:
        target(file)  # loads the weights before the limits on time and memory apply
    _limit_memory()
    result = Attack(name)
    signal.signal(signal.SIGPROF, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    for _ in range(mutants):
        data = mutated(rng.choice(files), files, rng)
        data = sealed(data) if rng.random() < _SEALED else data
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, _WAITING)
        try:
            result.taken += target(data)
        except TimeoutError:
            result.hangs.append(data.hex())
        except BaseException as error:  # any other exception is a crash
            result.crashes.append(f"{data.hex()} {type(error).__name__}: {error}")
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        result.slowest = max(result.slowest, time.process_time() - started)
        result.mutants += 1
    result.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return result


def flips(file: bytes) -> int:
    """Number of single-bit flips of a file that its reader does not detect."""
    missed = 0
    data = bytearray(file)
    for bit in range(8 * len(data)):
        data[bit >> 3] ^= 1 << (bit & 7)
        try:
            nc.CollageImage.from_bytes(bytes(data))
            missed += 1
        except CollageFormatError:
            pass
        data[bit >> 3] ^= 1 << (bit & 7)
    return missed


def small_files(count: int) -> Iterator[bytes]:
    """Files of generated pictures of 1 to 48 pixels per side, from all codecs in turn."""
    rng = np.random.default_rng(0)
    for number in range(count):
        width, height = (int(side) for side in rng.integers(1, 49, 2))
        coarse = Image.fromarray(rng.integers(0, 256, (3, 4, 4), dtype=np.uint8), "RGBA")
        mode = ("RGB", "L", "RGBA", "LA")[number % 4]
        image = coarse.resize((width, height), Image.Resampling.BICUBIC).convert(mode)
        codec = ("fractal", "neural", "poli2022")[number % 3]
        options: dict[str, Any] = {} if codec == "poli2022" else {"quality": 20, "effort": 0}
        yield nc.compress(image, codec=codec, **options)


def measure(mutants: int, files: int) -> tuple[list[Attack], dict[str, int]]:
    """All attacks, and the bit flips: numbers of files, of bits, and of undetected flips."""
    attacks = {name: Attack(name) for name in TARGETS}
    use_threads(1)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        chunks = [
            (name, min(_CHUNK, round(mutants * _SHARES[name]) - start), seed)
            for name in attacks
            for seed, start in enumerate(range(0, round(mutants * _SHARES[name]), _CHUNK))
        ]
        futures = [pool.submit(attack, name, seed, count) for name, count, seed in chunks]
        for future in futures:
            attacks[(part := future.result()).target].add(part)
        made = list(small_files(files))
        missed = sum(pool.map(flips, made, chunksize=10))
    bits = 8 * sum(map(len, made))
    return list(attacks.values()), {"files": len(made), "bits": bits, "missed": missed}


def to_markdown(
    attacks: Sequence[Attack], flipped: dict[str, int], environment: Environment
) -> str:
    """The results as a table and a sentence."""
    lines = [
        *("# Hostile files", "", "    python -m benchmarks.hostile", ""),
        *(f"Machine: {environment}.", ""),
        "| target | mutants | decoded | crashes | hangs | slowest (CPU s) | memory (MiB) |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {a.target} | {a.mutants:,} | {a.taken:,} | {len(a.crashes)} | {len(a.hangs)} | "
        f"{a.slowest:.2f} | {a.memory >> 20:,} |"
        for a in attacks
    ]
    lines += [
        "",
        f"Of {flipped['bits']:,} single-bit flips of {flipped['files']:,} files, "
        f"{flipped['missed']} were not detected.",
    ]
    return "\n".join([*lines, ""])


def main(
    mutants: Annotated[int, typer.Option(help="Number of mutated files.")] = 1_000_000,
    files: Annotated[int, typer.Option(help="Files whose bits are flipped.")] = 1_000,
    output: OutputFolder = RESULTS,
) -> None:
    """Decode hostile files; writes hostile.json and hostile.md. Exit code 1 on a failure."""
    attacks, flipped = measure(mutants, files)
    found = {"attacks": [asdict(a) for a in attacks], "flips": flipped}
    page = to_markdown(attacks, flipped, Environment.current())
    write_results(output, "hostile", found, page)
    typer.echo(page)
    if flipped["missed"] or any(a.crashes or a.hangs for a in attacks):
        raise typer.Exit(1)


def _limit_memory() -> None:
    """Limit the memory of this process, so that an excessive allocation raises an exception."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.RLIM_INFINITY))


def _interrupt(*_: object) -> None:
    raise TimeoutError
