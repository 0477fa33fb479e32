from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from neural_collage.cli.main import app

Run = Callable[..., Result]
Photo = Callable[..., Path]


@pytest.fixture
def collage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder: `collage("compress", "x.png")`."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def photo(tmp_path: Path, rng: np.random.Generator) -> Photo:
    """Write a small picture there: `photo("folder/x.png", size=(12, 8), mode="RGB")`."""

    def write(name: str, size: tuple[int, int] = (12, 8), mode: str = "RGB") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (2, 3, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).convert(mode).save(path)
        return path

    return write
