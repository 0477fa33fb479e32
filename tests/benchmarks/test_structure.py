"""Each study is a folder with a command, and studies share code through `support` alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.root import ROOT

BENCHMARKS = ROOT / "benchmarks"
STUDIES = sorted(
    path.parent.name for path in BENCHMARKS.glob("*/__init__.py") if path.parent.name != "support"
)


def imported(path: Path) -> Iterator[str]:
    """The folders of `benchmarks` that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("benchmarks."))


def test_studies_import_support_and_their_own_folder_alone() -> None:
    wrong = {
        str(path.relative_to(ROOT)): name
        for path in BENCHMARKS.rglob("*.py")
        for name in imported(path)
        if name not in ("support", path.parent.name)
    }
    assert not wrong


def test_every_folder_is_a_study_with_a_command() -> None:
    folders = {path.parent.name for path in BENCHMARKS.rglob("*.py")} - {"benchmarks"}
    assert folders == {*STUDIES, "support"}
    for name in STUDIES:
        assert {"__main__.py", "study.py"} <= {path.name for path in (BENCHMARKS / name).iterdir()}


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_names_its_command(study: str) -> None:
    tree = ast.parse((BENCHMARKS / study / "study.py").read_text(encoding="utf-8"))
    assert f"\n    python -m benchmarks.{study}" in (ast.get_docstring(tree) or "")


def test_a_command_runs_and_names_a_missing_data_set(tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-m", "benchmarks.aerial", *arguments]
        return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)

    assert "python -m benchmarks.aerial [OPTIONS]" in command("--help").stdout
    failed = command("--images", str(tmp_path / "none"), "-o", str(tmp_path))
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == f"{tmp_path / 'none'} is not a folder: give one that holds pictures\n"
