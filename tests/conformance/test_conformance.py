"""The same files give the same pixels, whatever decodes them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.decode import EXPECTED, FOLDER, differing
from tests.conformance.make import NAMES
from tests.root import ROOT


def test_the_set_is_complete() -> None:
    names = {f"{name}.clg" for name in NAMES}
    assert set(json.loads(EXPECTED.read_text())) == names
    assert {path.name for path in FOLDER.glob("*.clg")} == names


def test_pixels_are_those_expected() -> None:
    assert differing() == []


@pytest.mark.parametrize(
    "options",
    ["--threads 2", "--threads 4 --at-once 3", "--plain", "--plain --threads 2 --at-once 2"],
)
def test_a_fresh_process_gives_the_same_pixels(options: str) -> None:
    command = [sys.executable, "-m", "tests.conformance.decode", *options.split()]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout.strip()) == (0, ""), finished.stderr


def test_a_difference_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.conformance import decode

    expected = json.loads(EXPECTED.read_text())
    name = "fractal-grey.clg"
    (tmp_path / "expected.json").write_text(json.dumps(expected | {name: "0" * 64}))
    monkeypatch.setattr(decode, "EXPECTED", tmp_path / "expected.json")
    assert differing() == [name]
