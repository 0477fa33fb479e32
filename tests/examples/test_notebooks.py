"""The notebooks run from top to bottom, and are committed without outputs."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.root import ROOT

FOLDER = ROOT / "examples/notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def cells(name: str) -> list[dict[str, Any]]:
    book = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    found: list[dict[str, Any]] = book["cells"]
    return found


def run(name: str, changes: dict[str, str]) -> dict[str, Any]:
    """The names that the code cells of a notebook leave, after replacing parts of their text."""
    names: dict[str, Any] = {}
    source = "\n".join("".join(c["source"]) for c in cells(name) if c["cell_type"] == "code")
    for old, new in changes.items():
        assert source.count(old) == 1
        source = source.replace(old, new)
    exec(compile(source, f"{name}.ipynb", "exec"), names)
    return names


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_cells_have_names_and_no_outputs(name: str) -> None:
    found = cells(name)
    assert len({cell["id"] for cell in found}) == len(found)
    assert found[0]["cell_type"] == "markdown"
    for cell in found:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_operator_in_ten_cells() -> None:
    assert len(cells("operator")) == 10
    names = run("operator", {"range(100)": "range(15)"})
    for path in names["distances"]:
        assert all(b <= names["factor"] * a + 1e-6 for a, b in pairwise(path))
    assert names["difference"] < 1e-5
    assert names["losses"][-1] < names["losses"][0] / 2


def test_a_neural_collage_is_trained() -> None:
    names = run("training", {"STEPS = 400": "STEPS = 60"})
    assert names["losses"][-1] < names["losses"][0] / 2
    assert names["enlarged"].shape == (4, 3, 256, 256)
    with torch.no_grad():
        assert torch.equal(names["again"](names["photos"]), names["decoded"])


def test_a_photo_is_compressed_and_zoomed() -> None:
    names = run("compression", {})
    assert Path("photo.clg").stat().st_size == names["size"]
    assert names["large"].shape == (3, 1024, 1024)
    assert names["window"].shape == (3, 256, 256)
    assert isinstance(names["decoded"], Image.Image)
    assert names["decoded"].size == names["photo"].size
    left, right = names["views"].crop((0, 0, 256, 256)), names["views"].crop((260, 0, 516, 256))
    assert left.tobytes() != right.tobytes()
