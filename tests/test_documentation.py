"""What the README shows is run: its Python blocks, and its command lines of a few seconds."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from neural_collage.cli.main import app
from tests.pictures import photo_crop
from tests.root import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def holiday(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pictures that the README speaks of, made the working directory."""
    image = Image.fromarray((photo_crop(192).permute(1, 2, 0) * 255).byte().numpy())
    image.save(tmp_path / "photo.jpg")
    (tmp_path / "holiday").mkdir()
    image.save(tmp_path / "holiday" / "beach.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python_blocks_run(holiday: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert (holiday / "photo.clg").stat().st_size < (holiday / "photo.jpg").stat().st_size
    assert getattr(names["image"], "shape", None) == (3, 128, 128)
    assert getattr(names["weights"], "grad", None) is not None


def test_command_lines_run(holiday: Path) -> None:
    line = re.compile(
        r"^    collage (?!benchmark|train|evaluate|studio)(.*?)(?:\s+#.*)?$", flags=re.MULTILINE
    )
    commands = line.findall(README)
    assert len(commands) >= 4
    for command in commands:
        result = CliRunner().invoke(app, shlex.split(command))
        assert result.exit_code == 0, f"collage {command}: {result.output}"
    with Image.open(holiday / "photo.png") as enlarged:
        assert enlarged.size == (384, 384)
    assert (holiday / "small" / "beach.clg").exists()


def test_links_lead_somewhere() -> None:
    folders = ("", "docs", "docs/reference", ".github", ".github/ISSUE_TEMPLATE", "benchmarks")
    cards = (ROOT / "src/neural_collage/weights").glob("*.md")
    documents = [path for folder in folders for path in (ROOT / folder).glob("*.md")]
    assert len(documents) > 20
    for document in (*documents, *cards):
        prose = re.sub(r"^    .*$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for target in re.findall(r"\]\(([^)#]+)\)", prose):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"
