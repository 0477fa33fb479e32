"""A short comparison of a collage VAE and a VDVAE of colour pictures, from training to table."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.generation import sheets, study
from neural_collage.errors import CollageError
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.training.run.experiment import training_experiment
from tests.models.generation.generators import HIERARCHY, MIXTURE, OPERATOR, SIZE
from tests.training.toy_runs import lightning_noise

TOY = """
model:
  class_path: neural_collage.training.tasks.generation.GenerationTask
  init_args:
    model: {{class_path: {}, init_args: {}}}
    optimiser: {{learning_rate: 0.01}}
data:
  class_path: neural_collage.training.data_modules.ImageData
  init_args:
    {{train: colours, val: colours, test: colours, crop: 12, batch_size: 24, augment: none,
    num_workers: 0}}
trainer:
  {{max_steps: 2, val_check_interval: 1, check_val_every_n_epoch: null, accelerator: cpu,
  enable_progress_bar: false}}
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Finished trainings in collage/ and vdvae/ of the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("colours").mkdir()
    for number in range(24):
        pixels = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"colours/{number}.png")
    mixture = replace(MIXTURE, bits=8)
    operator = replace(OPERATOR, channels=mixture.planes)
    models = (
        ("collage", CollageVae(operator, mixture, HIERARCHY).settings, CollageVae),
        ("vdvae", Vdvae(SIZE, mixture, HIERARCHY).settings, Vdvae),
    )
    for name, settings, kind in models:
        text = TOY.format(f"{kind.__module__}.{kind.__qualname__}", json.dumps(settings))
        Path(f"{name}.yaml").write_text(text)
        training_experiment(["--config", f"{name}.yaml", "--trainer.default_root_dir", name]).fit()


@lightning_noise
@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
@pytest.mark.usefixtures("runs")
def test_models_of_colour_pictures_are_compared(tmp_path: Path) -> None:
    out = tmp_path / "out"
    study.main(Path("collage"), Path("vdvae"), None, 0, "noise", "colours", out)
    found = json.loads((out / "colours.json").read_text())
    assert (found["data"], found["pictures"], found["samples"]) == ("noise", "24", 0)
    for outcome in found["outcomes"].values():
        metrics = outcome["metrics"]
        assert metrics["nats"] == pytest.approx(metrics["distortion"] + metrics["rate"], rel=1e-4)
        dimensions = 3 * SIZE * SIZE
        bits = metrics["nats"] / np.log(2) / dimensions
        assert metrics["bits_per_dim"] == pytest.approx(bits, rel=1e-4)
    page = (out / "colours.md").read_text()
    assert page.startswith("# Generative models of noise\n")
    assert "--samples 0 --data noise --name colours" in page
    assert "importance" not in page
    _check_sheets(out, "both", "curves")
    checkpoint = Path("collage/checkpoints/last.ckpt")
    sheets.main(str(checkpoint), Path("collage.yaml"), "colours", "colours", out)
    _check_sheets(out, "samples", "enlargements", "reconstructions", "interpolations")
    pixels = Path("vdvae/checkpoints/last.ckpt")
    with pytest.raises(CollageError, match="a Vdvae has one scale"):
        sheets.main(str(pixels), Path("vdvae.yaml"), "colours", "colours", out)


def _check_sheets(folder: Path, *titles: str) -> None:
    for title in titles:
        with Image.open(folder / f"colours_{title}.png") as picture:
            assert picture.mode.startswith("RGB"), title
            assert len(np.unique(np.asarray(picture))) > 2, title
