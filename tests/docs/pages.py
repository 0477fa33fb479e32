"""What a page asks its reader to run: blocks of Python, and commands, in their order."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from neural_collage.cli.main import app
from tests.root import ROOT

PROGRAMS = "cat|collage|git|make|pip|python3?|sbatch|source|torchrun"
COMMAND = re.compile(rf"(?:{PROGRAMS}) ")
SHELL = re.compile(r"[|<>$;&]|^(?!collage)|^collage (?:batch|train)")
"""What is left to a shell: all that is not `collage` alone, and what starts processes or trains."""


class Step(NamedTuple):
    """A block of Python, or a command, which may have several lines."""

    language: str
    text: str


def page_path(page: str) -> Path:
    """Where a page lies: the README, or in docs/."""
    return ROOT / page if page == "README.md" else ROOT / "docs" / page


def steps(page: str) -> Iterator[Step]:
    """What a reader runs, from top to bottom."""
    lines = page_path(page).read_text(encoding="utf-8").splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith("```"):
            block = taken(lines, lambda text: text != "```")
            if line == "```python":
                yield Step("python", "\n".join(block))
        elif line.startswith("    ") and COMMAND.match(line.strip()):
            block = [line, *taken(lines, lambda text: text.startswith("    ") or not text)]
            for command in commands(textwrap.dedent("\n".join(block)).splitlines()):
                yield Step("shell", command)


def taken(lines: list[str], belongs: Callable[[str], bool]) -> list[str]:
    """The lines at the front that belong together, which are removed."""
    block = []
    while lines and belongs(lines[0]):
        block.append(lines.pop(0))
    return block


def commands(lines: list[str]) -> Iterator[str]:
    """The commands of a block: lines, those that continue them, and their here-documents."""
    while lines:
        command = lines.pop(0)
        while command.endswith("\\"):
            command = command[:-1] + lines.pop(0).strip()
        command = re.sub(r"\s+# .*", "", command)
        if here := re.search(r"<<'(\w+)'$", command):
            text = taken(lines, lambda text, end=here[1]: text != end)  # type: ignore[misc]
            command = "\n".join([command, *text, lines.pop(0)])
        if command:
            yield command


def run_python(text: str, names: dict[str, object], page: str) -> None:
    """Run a block with the names of the blocks before it."""
    exec(compile(text, page, "exec"), names)


def run_command(command: str) -> None:
    """Run a command in the working folder: here if it is `collage` alone, else by a shell."""
    if SHELL.search(command):
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["/bin/sh", "-ec", command],
            env={**os.environ, "PATH": programs},
            capture_output=True,
            text=True,
        )
        assert not done.returncode, f"{command}: {done.stdout}{done.stderr}"
    else:
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, f"{command}: {result.output}"
