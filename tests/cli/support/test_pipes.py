"""Standard input and output: `-` in place of a file, pipes that close, terminals."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from neural_collage.cli.main import app
from tests.cli.conftest import Photo, Run

PROGRAM = (sys.executable, "-m", "neural_collage")


def piped(data: bytes, *arguments: object) -> Result:
    """The result of a command line that reads these bytes, in the current folder."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=data)


def test_a_pipe_gives_the_bytes_of_files(collage: Run, photo: Photo, tmp_path: Path) -> None:
    source = photo("x.png")
    assert collage("compress", "x.png", "-q", 40).exit_code == 0
    assert collage("decompress", "x.clg", "-o", "y.png").exit_code == 0
    small = piped(source.read_bytes(), "compress", "-", "-o", "-", "-q", 40)
    assert (small.exit_code, small.stdout_bytes) == (0, (tmp_path / "x.clg").read_bytes())
    decoded = piped(small.stdout_bytes, "decompress", "-", "-o", "-")
    assert (decoded.exit_code, decoded.stdout_bytes) == (0, (tmp_path / "y.png").read_bytes())
    assert piped(source.read_bytes(), "compress", "-", "-q", 40).stdout_bytes == small.stdout_bytes


def test_either_end_may_be_a_file(collage: Run, photo: Photo, tmp_path: Path) -> None:
    source = photo("x.png")
    to_pipe = collage("compress", "x.png", "-o", "-")
    assert to_pipe.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.png"]
    to_file = piped(source.read_bytes(), "compress", "-", "-o", "y.clg")
    assert to_file.exit_code == 0
    assert to_file.stdout.startswith("y.clg  12 x 8  ")
    assert (tmp_path / "y.clg").read_bytes() == to_pipe.stdout_bytes


def test_reports_of_a_pipe_go_to_stderr(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("x.png")
    result = collage("compress", "x.png", "-o", "-", "--json")
    facts = json.loads(result.stderr)
    assert (facts["input"], facts["output"]) == ("x.png", "-")
    assert facts["bytes"] == len(result.stdout_bytes)
    broken = piped(b"no collage", "decompress", "-", "--json")
    assert (broken.exit_code, broken.stdout_bytes) == (1, b"")
    line, facts = broken.stderr.splitlines()
    assert line.startswith("collage: standard input: not a .clg file")
    assert json.loads(facts)["input"] == "-"


def test_the_format_of_a_pipe_can_be_chosen(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("x.png")
    collage("compress", "x.png")
    collage("decompress", "x.clg", "-o", "y.jpg")
    for ending in ("jpg", ".JPG"):
        result = collage("decompress", "x.clg", "-o", "-", "--format", ending)
        assert result.stdout_bytes == (tmp_path / "y.jpg").read_bytes()
    assert collage("decompress", "x.clg", "-o", "all/", "--format", "webp").exit_code == 0
    assert (tmp_path / "all/x.webp").read_bytes()[8:12] == b"WEBP"


def test_info_reads_standard_input(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("x.png")
    collage("compress", "x.png")
    data = (tmp_path / "x.clg").read_bytes()
    facts = json.loads(piped(data, "info", "-", "--json").stdout)
    assert (facts["input"], facts["bytes"], facts["width"]) == ("-", len(data), 12)
    cut = piped(data[:-1], "info", "-")
    assert cut.exit_code == 1
    assert cut.stderr.startswith("collage: standard input: the file is truncated")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("compress", "-", "x.png", "-o", "out/"), "standard input goes alone"),
        (("compress", "x.png", "y.png", "-o", "-"), "standard output takes one file"),
        (("compress", ".", "-o", "-"), "is a folder, but standard output takes one file"),
        (("compress", "-", "-o", "."), "standard input has no name: give -o FILE"),
        (("compress", "-", "-o", "x.jpg"), "end a file in .clg"),
        (("decompress", "-", "--format", "clg"), "--format clg: choose one of .png"),
        (("decompress", "x.clg", "-o", "x.jpg", "--format", "png"), "leave out one of them"),
    ],
)
def test_wrong_uses_of_a_pipe_are_usage_errors(
    collage: Run, arguments: tuple[str, ...], reason: str
) -> None:
    result = collage(*arguments)
    assert (result.exit_code, result.stdout_bytes) == (2, b"")
    assert reason in " ".join(result.stderr.split())


def test_an_output_file_is_not_replaced_by_what_a_pipe_brings(collage: Run, tmp_path: Path) -> None:
    (tmp_path / "x.clg").write_text("precious")
    result = piped(b"", "compress", "-", "-o", "x.clg")
    assert result.exit_code == 1
    assert result.stderr == (
        "collage: standard input: x.clg exists: pass --overwrite to replace it\n"
    )
    assert (tmp_path / "x.clg").read_text() == "precious"


def test_an_empty_pipe_fails_in_one_line(collage: Run) -> None:
    for command in ("compress", "decompress"):
        result = piped(b"", command, "-")
        assert (result.exit_code, result.stdout_bytes) == (1, b"")
        assert result.stderr == "collage: standard input: the file is empty\n"


def test_a_pipe_that_closes_early_ends_the_program_without_a_traceback(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("x.png", size=(300, 300))
    collage("compress", "x.png")
    reader, writer = os.pipe()
    os.close(reader)
    finished = subprocess.run(
        [*PROGRAM, "decompress", "x.clg", "-o", "-"],
        cwd=tmp_path,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (finished.returncode, finished.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_output_that_takes_nothing_fails_in_one_line(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("x.png")
    with Path("/dev/full").open("wb") as full:
        finished = subprocess.run(
            [*PROGRAM, "compress", "x.png", "-o", "-"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert finished.returncode == 1
    assert finished.stderr == (
        "collage: x.png: standard output: cannot be written: No space left on device\n"
    )


def test_nothing_binary_goes_to_a_terminal_or_is_awaited_from_one(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("x.png")
    outer, terminal = pty.openpty()
    for arguments, stream in (
        (("compress", "x.png", "-o", "-"), "stdout"),
        (("compress", "-", "-o", "y.clg"), "stdin"),
    ):
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, stream: terminal}
        finished = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=tmp_path,
            stdin=streams["stdin"],
            stdout=streams["stdout"],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert finished.returncode == 1
        name = {"stdout": "output", "stdin": "input"}[stream]
        assert finished.stderr.startswith(f"collage: standard {name} is a terminal: ")
        assert len(finished.stderr.splitlines()) == 1
    os.close(outer)
    os.close(terminal)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.png"]


@pytest.mark.parametrize("arguments", ["compress x.png", "info x.clg", "decompress x.clg -o y.png"])
def test_a_closed_standard_output_is_no_failure_of_a_file(
    collage: Run, photo: Photo, tmp_path: Path, arguments: str
) -> None:
    photo("x.png")
    if "clg" in arguments:
        collage("compress", "x.png")
    closed = subprocess.run(
        ["/bin/sh", "-c", f"exec {' '.join(PROGRAM)} {arguments} >&-"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (closed.returncode, closed.stderr) == (0, b"")
