"""The commands of the gallery make its pictures; on small photos here."""

import re
from pathlib import Path

import pytest
import skimage.data
from PIL import Image
from typer.testing import CliRunner

from examples import gallery
from neural_collage.cli.main import app

PICTURES = set(re.findall(r"\]\(gallery/([\w.-]+)\)", gallery.PAGE))
COPIES = {"scratched.jpg", "noisy.jpg"}


def test_every_picture_has_its_command() -> None:
    made = {arguments[arguments.index("-o") + 1] for arguments in gallery.commands()}
    assert made | COPIES == PICTURES
    assert {p.name for p in (gallery.DOCS / "gallery").iterdir()} == PICTURES


def test_commands_and_code_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(gallery.photos(), "gallery.md", "exec"), {})
    assert {p.stem for p in tmp_path.iterdir()} >= {"astronaut", "coffee", "cat", "mask", "noisy"}
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            image.resize((image.width // 10, image.height // 10)).save(path)
    for arguments in gallery.commands():
        quick = ["--seconds", "0.2"] if arguments[-1].endswith(".webp") else []
        quick += ["--steps", "2"] if "--network" in arguments else []
        result = CliRunner().invoke(app, [*arguments, *quick])
        assert result.exit_code == 0, f"collage {arguments}: {result.output}"


def test_the_photos_are_those_that_scikit_image_ships() -> None:
    shipped = Path(skimage.data.data_dir)
    for name in ("astronaut.png", "coffee.png", "chelsea.png", "ihc.png", "brick.png"):
        assert (shipped / name).exists()
