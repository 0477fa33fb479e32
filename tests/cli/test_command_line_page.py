"""The commands of docs/command-line.md are run, by a shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop
from tests.root import ROOT

pytestmark = pytest.mark.xdist_group("command-line page")  # commands need those before them
COMMANDS = re.findall(
    r"^    (.*?collage .*?)$",
    (ROOT / "docs/command-line.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page speaks of, and what its commands leave for those after them."""
    path = tmp_path_factory.mktemp("page")
    (path / "holiday").mkdir()
    image = to_pil(photo_crop(64))
    image.save(path / "photo.jpg")
    image.save(path / "holiday/beach.jpg")
    return path


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(folder: Path, command: str) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["/bin/sh", "-ec", command],
        cwd=folder,
        env={**os.environ, "PATH": programs},
        capture_output=True,
        check=True,
    )
    for path in folder.glob("decoded.*"):
        with Image.open(path) as decoded:
            assert decoded.size == (64, 64)
