"""Hostile files: a million mutants against every way in, and every single-bit flip of 1,000 files.

    python -m benchmarks.hostile [--mutants 1000000] [--files 1000] [-o benchmarks/results]

Mutants come from the corpus under tests/fuzz, most with a checksum that fits. A crash is any error
that is not meant for users; a hang, more than two seconds. Of a flipped bit, the checksum has to
tell.
"""

import argparse
import json
import os
import random
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import neural_collage as nc
from neural_collage.errors import CollageFormatError
from neural_collage.evaluation.environment import Environment
from neural_collage.io.files import write_atomically
from tests.fuzz.targets import TARGETS, corpus, mutated, sealed

SECONDS = 2.0
MEMORY = 2 << 30
"""Bytes that a process may have at most beside what it has after a first decode of each file."""
_SHARES = {"container": 0.7, "decode": 0.15, "pillow": 0.15}
_SEALED = 0.9
_CHUNK = 5_000


@dataclass
class Attack:
    """What mutants did to a target.

    Attributes:
        target: its name.
        mutants: how many there were. taken: of them, for pictures.
        crashes, hangs: what must not be: the bytes, in hexadecimal, and what came of them.
        slowest: seconds. memory: bytes of the largest process.
    """

    target: str
    mutants: int = 0
    taken: int = 0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    slowest: float = 0.0
    memory: int = 0

    def add(self, other: "Attack") -> None:
        """Both together."""
        self.mutants += other.mutants
        self.taken += other.taken
        self.crashes += other.crashes
        self.hangs += other.hangs
        self.slowest = max(self.slowest, other.slowest)
        self.memory = max(self.memory, other.memory)


def attack(name: str, seed: int, mutants: int) -> Attack:
    """Some mutants against one target."""
    torch.set_num_threads(1)
    target, files, rng = TARGETS[name], corpus(), random.Random(seed)
    for file in files:
        target(file)  # reads weights, which is no mutant's fault
    _bound_memory()
    result = Attack(name)
    signal.signal(signal.SIGALRM, _interrupt)
    for _ in range(mutants):
        data = mutated(rng.choice(files), files, rng)
        data = sealed(data) if rng.random() < _SEALED else data
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            result.taken += target(data)
        except TimeoutError:
            result.hangs.append(data.hex())
        except BaseException as error:  # that is what is looked for
            result.crashes.append(f"{data.hex()} {type(error).__name__}: {error}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        result.slowest = max(result.slowest, time.perf_counter() - started)
        result.mutants += 1
    result.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return result


def flips(file: bytes) -> int:
    """How many of its single-bit flips a reader does not notice."""
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
    """Files of generated pictures of 1 to 48 pixels a side, by all codecs."""
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
    """All attacks, and the flips: files, bits and how many of them were not noticed."""
    attacks = {name: Attack(name) for name in TARGETS}
    torch.set_num_threads(1)
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


def page(attacks: Sequence[Attack], flipped: dict[str, int], environment: Environment) -> str:
    """The tables as markdown."""
    lines = [
        *("# Hostile files", "", "    python -m benchmarks.hostile", ""),
        *(f"Machine: {environment}.", ""),
        "| target | mutants | taken for pictures | crashes | hangs | slowest (s) | memory (MiB) |",
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
        f"{flipped['missed']} were not noticed.",
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Attack, write JSON and a page; exit code 1 if anything was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    attacks, flipped = measure(arguments.mutants, arguments.files)
    found = {"attacks": [asdict(a) for a in attacks], "flips": flipped}
    arguments.output.mkdir(parents=True, exist_ok=True)
    write = partial(write_atomically, durable=False)
    write(arguments.output / "hostile.json", (json.dumps(found, indent=1) + "\n").encode())
    text = page(attacks, flipped, Environment.current())
    write(arguments.output / "hostile.md", text.encode())
    print(text)
    bad = flipped["missed"] or any(a.crashes or a.hangs for a in attacks)
    raise SystemExit(bool(bad))


def _bound_memory() -> None:
    """So that a mutant that asks for more memory than its header justifies is a crash."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.RLIM_INFINITY))


def _interrupt(*_: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
