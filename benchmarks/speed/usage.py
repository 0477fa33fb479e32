"""Time and memory of whole processes."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from neural_collage.errors import CollageError

MIB = 1 << 20
COLLAGE = (sys.executable, "-c", "from neural_collage.cli.main import run; run()")
"""The program `collage` of this environment."""
_ROOT = Path(__file__).parents[2]
_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Usage:
    """What a process used.

    Attributes:
        seconds: from its start to its end.
        cpu: seconds on all cores together.
        peak: resident memory in MiB, of the largest if it started others.
    """

    seconds: float
    cpu: float
    peak: float

    @property
    def row(self) -> dict[str, float]:
        """The columns of a table."""
        return {"s": self.seconds, "CPU s": self.cpu, "peak MiB": self.peak}


def usage(command: Sequence[str]) -> Usage:
    """Run a command to its end, in the root of the project.

    Raises:
        CollageError: it failed; says what it printed last.
    """
    launcher = (sys.executable, "-I", "-S", str(_LAUNCHER))
    done = subprocess.run(
        [*launcher, *command], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.splitlines() or ["no message"])[-1]
        raise CollageError(f"{' '.join(command)} failed: {last}")
    seconds, cpu, peak = map(float, done.stdout.split())
    return Usage(seconds, cpu, peak / MIB)


def median_usages(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Usage]:
    """Medians over rounds in each of which every command runs once, in turn."""
    found: dict[str, list[Usage]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(usage(command))
    return {
        name: Usage(
            median(each.seconds for each in usages),
            median(each.cpu for each in usages),
            median(each.peak for each in usages),
        )
        for name, usages in found.items()
    }
