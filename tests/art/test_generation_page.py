"""The Python blocks and command lines of docs/generation.md run."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from neural_collage.cli.main import app
from tests.root import ROOT

PAGE = (ROOT / "docs/generation.md").read_text(encoding="utf-8")


def test_python_blocks_run() -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "generation.md", "exec"), names)
    large, tight = names["large"], names["tight"]
    assert isinstance(large, list)
    assert large[0].shape == (1, 280, 280)
    assert isinstance(tight, Tensor)
    assert tight.shape == (2,)


def test_command_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^    collage (sample .*?)(?:\s+#.*)?$", PAGE, flags=re.MULTILINE)
    commands = [command for command in commands if "mine.safetensors" not in command]
    assert len(commands) == 5
    for command in commands:
        frames = ["--frames", "3"] if "zoom" in command else []
        result = CliRunner().invoke(app, [*shlex.split(command), *frames])
        assert result.exit_code == 0, f"collage {command}: {result.output}"
    with Image.open(tmp_path / "large.png") as large:
        assert large.size == (848, 848)
