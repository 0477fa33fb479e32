"""Work beside a busy process."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.speed.calls import decoder, limit_threads
from benchmarks.support.timing import timed

_PROGRAM = "print(flush=True)\nwhile True: pass"
_SETTLING = 0.1
"""Seconds until the system has found a core for the busy process."""


@dataclass(frozen=True)
class Slowdown:
    """Median seconds of some work alone, and beside a busy process."""

    quiet: float
    busy: float

    @property
    def row(self) -> dict[str, float]:
        """The columns of a table."""
        return {
            "ms, quiet": 1e3 * self.quiet,
            "ms, beside it": 1e3 * self.busy,
            "factor": self.busy / self.quiet,
        }


@contextmanager
def busy_process() -> Iterator[None]:
    """Another process computes without a pause, with one thread."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PROGRAM], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(_SETTLING)
            yield
        finally:
            process.kill()


def slowdown(work: Callable[[], float], rounds: int) -> Slowdown:
    """Seconds that work says it took, alone and beside a busy process in turn.

    An untimed round comes first.
    """
    work()
    quiet, busy = [], []
    for _ in range(rounds):
        quiet.append(work())
        with busy_process():
            busy.append(work())
    return Slowdown(median(quiet), median(busy))


def decode_slowdown(path: Path, threads: int, rounds: int) -> Slowdown:
    """That of the decode of a file in this process."""
    limit_threads(threads)
    decode = decoder(path)
    return slowdown(lambda: timed(decode)[0], rounds)
