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
    image.save(path / "walk.gif", save_all=True, append_images=[image.rotate(90)], duration=50)
    return path


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) >= 6


def test_the_commands_run_one_after_the_other(folder: Path) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in COMMANDS:
        done = subprocess.run(
            ["/bin/sh", "-ec", command],
            cwd=folder,
            env={**os.environ, "PATH": programs},
            capture_output=True,
        )
        assert not done.returncode, f"{command}: {done.stderr.decode()}"
    assert len(list(folder.glob("frames/walk-000?.clg"))) == 2
    decoded = list(folder.glob("decoded.*"))
    assert len(decoded) >= 3
    for path in decoded:
        with Image.open(path) as image:
            assert image.size == (64, 64)
