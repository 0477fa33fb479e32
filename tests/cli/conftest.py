from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from neural_collage.cli.main import app
from neural_collage.io.writing import to_pil
from tests.pictures import texture

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


TRAINING = """\
seed_everything: 3
model:
  class_path: tests.training.toy.Denoising
  init_args:
    model:
      class_path: tests.training.toy.Linear
      init_args: {width: 3}
    optimiser: {learning_rate: 1e-2, warmup_steps: 4, floor: 0.1}
    noise: 0.1
data:
  class_path: neural_collage.training.data_modules.ImageData
  init_args:
    train: pictures
    val: pictures
    test: pictures
    crop: 4
    channels: 1
    batch_size: 4
    crops_per_image: 6
ema: {decay: 0.9}
checkpoints: {every_n_steps: 5}
trainer:
  max_epochs: 4
  accelerator: cpu
  log_every_n_steps: 1
"""
"""4 images, so that an epoch has 6 batches."""


@pytest.fixture
def config(collage: Run, tmp_path: Path) -> Path:
    """A config, and the images it names, in an empty folder which is the current one."""
    (tmp_path / "pictures").mkdir()
    for seed in range(4):
        to_pil(texture(16, 12, 3, seed=seed)).save(tmp_path / f"pictures/{seed}.png")
    path = tmp_path / "toy.yaml"
    path.write_text(TRAINING)
    return path
