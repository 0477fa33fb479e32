"""What needs none of the packages of the extra `encode`: decoding, alone and through Pillow."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import neural_collage as nc
from tests.codec.make_golden import NEURAL
from tests.conformance.decode import EXPECTED, FOLDER
from tests.root import ROOT
from tests.test_imports import WITHOUT_TORCH

ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if (top := name.partition(".")[0]) in ("torch", "jaxtyping", "huggingface_hub"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=top)

sys.meta_path.insert(0, Absent())
"""
ADVICE = 'is not installed: pip install "neural-collage[encode]"'
GRAPHICS = FOLDER / "graphics-icon.clg"
FRACTAL = FOLDER / "fractal-photo.clg"


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program without these packages."""
    command = [sys.executable, "-W", "error", "-c", ABSENT + code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def output_of(code: str, *arguments: object) -> str:
    """What a program prints that must not fail."""
    finished = run(code, *arguments)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def collage(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the program `collage`."""
    return run("from neural_collage.cli.main import run; run()", *arguments)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """What becomes of each conformance file: "same" pixels, other ones, or an error."""
    code = """
import json
import neural_collage as nc
from tests.conformance.decode import EXPECTED, FOLDER, digest
outcomes = {}
for name, expected in json.loads(EXPECTED.read_text()).items():
    try:
        outcomes[name] = "same" if digest(FOLDER / name) == expected else "other pixels"
    except nc.MissingExtraError as error:
        outcomes[name] = str(error)
print(json.dumps(outcomes))
"""
    found: dict[str, str] = json.loads(output_of(code))
    return found


OF_DOMAINS = (
    "fractal",
    "poli2022",
    "graphics-empty",
    "graphics-fractal",
    "metadata",
    "neural-links",
)
"""Starts of the names of files that hold collages of the kind that may have domains."""


@pytest.mark.parametrize("name", json.loads(EXPECTED.read_text()))
def test_files_decode_to_the_same_pixels_or_name_what_they_need(
    name: str, outcomes: dict[str, str]
) -> None:
    if name.startswith(OF_DOMAINS):
        assert outcomes[name] in (f"torch {ADVICE}", f"jaxtyping {ADVICE}")
    else:
        assert outcomes[name] == "same"


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 3, "region": (20, 31, 50, 40)},
        {"scale": 0.37},
        {"scale": 1 / 16},
        {"scale": 2, "pixelated": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [NEURAL["natural"], GRAPHICS], ids=lambda path: path.stem)
def test_any_scale_and_region_has_the_same_pixels(path: Path, options: dict[str, Any]) -> None:
    code = f"""
import hashlib, pathlib
import neural_collage as nc
pixels = nc.decompress(pathlib.Path(sys.argv[1]).read_bytes(), **{options!r})
print(pixels.shape, hashlib.sha256(pixels.tobytes()).hexdigest())
"""
    expected = nc.decompress(path.read_bytes(), **options)
    digest = hashlib.sha256(expected.tobytes()).hexdigest()
    assert output_of(code, path) == f"{expected.shape} {digest}\n"


def test_pillow_opens_files(tmp_path: Path) -> None:
    code = """
import neural_collage
from PIL import Image
with Image.open(sys.argv[1]) as image:
    assert image.format == "CLG"
    image.save(sys.argv[2])
"""
    for path in (NEURAL["natural"], GRAPHICS):
        output_of(code, path, tmp_path / "x.png")
        decoded = np.asarray(Image.open(tmp_path / "x.png"))
        np.testing.assert_array_equal(decoded, np.asarray(nc.load(path).to_pil()), strict=True)


def test_the_program_decodes_files(tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    for path in (NEURAL["natural"], GRAPHICS):
        finished = collage("decompress", path, "-o", target, "--scale", 2, "--overwrite")
        assert finished.returncode == 0, finished.stderr
        expected = np.asarray(nc.load(path).to_pil(2))
        np.testing.assert_array_equal(np.asarray(Image.open(target)), expected, strict=True)


@pytest.mark.parametrize("path", [NEURAL["natural"], GRAPHICS, FRACTAL], ids=lambda path: path.stem)
def test_the_program_describes_files(path: Path) -> None:
    finished = collage("info", path, "--json")
    assert finished.returncode == 0, finished.stderr
    facts = json.loads(finished.stdout)
    image = nc.load(path)
    assert (facts["width"], facts["height"]) == (image.width, image.height)
    assert facts["codec"] == image.codec


@pytest.mark.parametrize(
    "arguments",
    [
        ("compress", ROOT / "tests/codec/golden/aerial.png"),
        ("decompress", FRACTAL),
        ("fractalize", ROOT / "tests/codec/golden/aerial.png"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_program_names_the_extra_that_it_needs(
    arguments: tuple[object, ...], tmp_path: Path
) -> None:
    finished = collage(*arguments, "-o", tmp_path / "x.png")
    assert finished.returncode == 1
    assert ADVICE in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not list(tmp_path.iterdir())


def test_encoding_names_the_extra_that_it_needs() -> None:
    code = """
import io
import neural_collage as nc
import numpy as np
from PIL import Image
for make in (
    lambda: nc.encode(np.zeros((8, 8))),
    lambda: nc.Collage,
    lambda: Image.new("L", (8, 8)).save(io.BytesIO(), "CLG"),
):
    try:
        make()
    except nc.MissingExtraError as error:
        print(error)
"""
    lines = output_of(code).splitlines()
    assert len(lines) == 3
    assert all(line.endswith(ADVICE) for line in lines)


def test_modules_that_decode_can_be_imported() -> None:
    code = """
import importlib
for name in sys.argv[1:]:
    importlib.import_module(f"neural_collage.{name}")
print(len({"torch", "jaxtyping", "huggingface_hub"} & set(sys.modules)))
"""
    assert output_of(code, *WITHOUT_TORCH) == "0\n"
