"""`collage data`: the data sets of configs and benchmarks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from neural_collage.data.catalogue import CATALOGUE, VARIABLE
from tests.cli.conftest import Run

HEAVY = ("torch", "numpy", "datasets", "pyarrow", "lightning")


def test_every_set_is_listed_with_its_licence_and_source(collage: Run) -> None:
    result = collage("data")
    assert result.exit_code == 0
    for each in CATALOGUE:
        for text in (each.name, each.content, each.used_for, each.licence, each.address):
            assert text in result.stdout
    listed = [line.split()[0] for line in result.stdout.splitlines() if line[0] != " "]
    assert listed == [each.name for each in CATALOGUE]
    assert "present" not in result.stdout


def test_sets_are_present_or_missing(
    collage: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data/kodak").mkdir(parents=True)
    rows = {row["name"]: row for row in json.loads(collage("data", "--json").stdout)}
    assert list(rows) == [each.name for each in CATALOGUE]
    assert {name for name, row in rows.items() if row["present"]} == {"kodak"}
    assert rows["kodak"]["folder"] == str(Path("data/kodak"))
    lines = collage("data").stdout.splitlines()
    assert lines[0].split() == ["kodak", "present", str(Path("data/kodak"))]
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    assert collage("data").stdout.split()[:2] == ["kodak", "missing"]


def test_it_loads_no_large_library() -> None:
    script = (
        "import sys; from neural_collage.cli.main import app; app(['data'], standalone_mode=False);"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
