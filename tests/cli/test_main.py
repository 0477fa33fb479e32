"""The program as a process: help, version, exit codes, signals."""

import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Photo, Run

COMMANDS = (
    *("compress", "decompress", "info", "fractalize", "zoom", "stylize", "converge", "restore"),
    *("sample", "studio", "batch", "data", "train", "evaluate", "benchmark"),
)

# Blocks in the middle of a job: the replaced function prints a line and sleeps.
STUCK = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from {module} import {owner} as owner
from neural_collage.cli.main import run

def wait(*arguments, **options):
    print("stuck", flush=True)
    time.sleep(60)

setattr(owner, "{name}", wait)
sys.argv = ["collage", "compress", "x.png", "-o", "out/", "--effort", "0"]
run()
"""


def test_help_names_every_command(collage: Run) -> None:
    for flag in ("--help", "-h"):
        result = collage(flag)
        assert result.exit_code == 0
        assert all(f"  {command}" in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(collage: Run, command: str) -> None:
    result = collage(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: root {command}" in result.stdout


def test_version(collage: Run) -> None:
    assert collage("--version").stdout == f"neural-collage {version('neural-collage')}\n"


def test_the_console_script_reports_usage_and_failure_by_exit_code(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("collage")
    for arguments, code in ((["--version"], 0), (["info", "missing.clg"], 1), (["info"], 2)):
        finished = subprocess.run(
            [program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert finished.returncode == code
        assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("module", "owner", "name"),
    [("neural_collage.codec", "api", "encode"), ("neural_collage.io.files", "os", "replace")],
    ids=["while encoding", "while writing"],
)
def test_ctrl_c_exits_with_130_and_leaves_no_file(
    photo: Photo, tmp_path: Path, module: str, owner: str, name: str
) -> None:
    photo("x.png")
    with subprocess.Popen(
        [sys.executable, "-c", STUCK.format(module=module, owner=owner, name=name)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "stuck\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "collage: interrupted\n"
        assert process.wait() == 130
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "x.png"]
