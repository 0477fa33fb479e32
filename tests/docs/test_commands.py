"""All Python and all commands of the pages run, in order; what cannot run here is understood."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import skimage.data
import typer
from PIL import Image
from typer.core import TyperGroup

from neural_collage.cli.main import app
from neural_collage.codec import ids, registry
from tests.docs.pages import Step, run_command, run_python, steps
from tests.root import ROOT

RUN = (
    "README.md",
    "art.md",
    "batch.md",
    "collages.md",
    "comparison.md",
    "compression.md",
    "faq.md",
    "folder.md",
    "neural-codec.md",
    "operator.md",
    "start.md",
    "train.md",
    "write-codec.md",
    "zoom.md",
)
OTHERS = {
    "adding.md": "docs/test_examples.py",
    "command-line.md": "cli/test_command_line_page.py",
    "gallery.md": "examples/test_gallery.py",
    "generation.md": "art/test_generation_page.py",
    "pifs.md": "fractal/test_pifs_page.py",
    "training.md": "cli/training/test_training_page.py",
}
"""Pages whose code other tests run."""
QUICK = {
    r"--seconds [\d.]+": "--seconds 0.1",
    r"--size (?:360|1024x768)\b": "--size 64",
    r"frames=\d+": "frames=3",
    "max_steps: 100": "max_steps: 2",
    "val_check_interval: 50": "val_check_interval: 2",
}
"""The same with less to compute."""
NOT_HERE = re.compile(
    r"(?:pip|python3 -m venv|source|make|git|sbatch|torchrun|python -m benchmarks)\b"
    r"|collage (?:benchmark|evaluate|studio)\b|.*(?:s3://|--engine ray|configs/|x\.yaml)"
)
"""What needs a network, another machine, data sets, or hours."""
USAGE_ERROR = typer.BadParameter.__mro__[1]
"""Of the click that typer brings, or that it is built on."""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a photo and a folder of photos; codecs that a page adds go with it."""
    (tmp_path / "holiday").mkdir()
    for name, pixels in (("coffee", skimage.data.coffee()), ("chelsea", skimage.data.chelsea())):
        Image.fromarray(pixels).resize((160, 128)).save(tmp_path / f"holiday/{name}.jpg")
    Image.fromarray(skimage.data.astronaut()[:256, 100:356]).save(tmp_path / "photo.jpg")
    (tmp_path / "photos").symlink_to(tmp_path / "holiday")
    monkeypatch.chdir(tmp_path)
    with patch.dict(registry._codecs), patch.dict(ids._NAMES):
        yield tmp_path


@pytest.mark.parametrize("page", RUN)
def test_a_page_can_be_followed_from_top_to_bottom(page: str, reader: Path) -> None:
    names: dict[str, object] = {}
    for step in steps(page):
        text = step.text
        for pattern, replacement in QUICK.items():
            text = re.sub(pattern, replacement, text)
        if step.language == "python":
            run_python(text, names, page)
        elif not NOT_HERE.match(text):
            run_command(text)
            for output in re.findall(r" -o (\w\S*)", text):
                assert Path(output).exists(), text


@pytest.mark.parametrize("page", [*RUN, *OTHERS])
def test_what_does_not_run_here_is_understood(page: str) -> None:
    for step in steps(page):
        if step.language == "shell" and (page in OTHERS or NOT_HERE.match(step.text)):
            understand(step.text)


def understand(command: str) -> None:
    """Fail if a program, a target, an extra or an option of a command does not exist."""
    words = shlex.split(command.partition("\n")[0])
    if words[:2] == ["python", "-m"] and words[2].startswith("benchmarks."):
        study = importlib.import_module(f"{words[2]}.study")
        program = typer.Typer()
        program.command()(study.main)
        typer.main.get_command(program).make_context(words[2], words[3:])
    elif words[0] == "collage" and "|" not in words:
        parse(words[1:])
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "pip":
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        for extra in re.findall(r"(?<=[\[,])\w+", " ".join(words)):
            assert re.search(rf"^{extra} = \[", project, re.MULTILINE)


def parse(words: list[str]) -> None:
    """Parse the arguments of `collage` without calling the command."""
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        found = command.get_command(command.make_context("collage", [*words]), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    command.make_context("collage", words)


@pytest.mark.parametrize(
    "command",
    [
        "collage compress a.jpg --nope",
        "collage restore nope a.jpg",
        "make nope",
        "pip install 'neural-collage[encode,nope]'",
        "python -m benchmarks.nope",
        "python -m benchmarks.speed --nope",
    ],
)
def test_commands_with_mistakes_are_not_understood(command: str) -> None:
    with pytest.raises((AssertionError, ImportError, USAGE_ERROR)):
        understand(command)


def test_pages_with_code_are_run() -> None:
    pages = [path.name for path in (ROOT / "docs").glob("*.md")]
    with_steps = {page for page in pages if any(True for _ in steps(page))}
    assert with_steps <= {*RUN, *OTHERS}
    for test in OTHERS.values():
        assert (ROOT / "tests" / test).exists()


def test_commands_are_found_with_what_belongs_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
    cat > a <<'END'
    collage no

    END
    collage train \\
      --config x  # a remark

text

```python
x = 1
```

    z = 1
"""
    monkeypatch.setattr("tests.docs.pages.page_path", lambda page: tmp_path / page)
    (tmp_path / "a.md").write_text(text)
    assert list(steps("a.md")) == [
        Step("shell", "cat > a <<'END'\ncollage no\n\nEND"),
        Step("shell", "collage train --config x"),
        Step("python", "x = 1"),
    ]
