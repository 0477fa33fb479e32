"""The task that trains the predictor of detail, and its committed config."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from neural_collage.cli.main import app
from neural_collage.core.blocks import pool
from neural_collage.errors import CheckpointError
from neural_collage.models.enlargement.detail_predictor import DetailConfig, DetailPredictor
from neural_collage.training.export.detail_weights import detail_to_bytes
from neural_collage.training.tasks.detail import DetailTask
from neural_collage.training.tasks.optimiser import OptimiserConfig
from tests.pictures import photo_crop
from tests.root import ROOT
from tests.training.finished import save_checkpoint
from tests.training.toy_runs import lightning_noise

CONFIG = ROOT / "configs/enlargement/detail.yaml"
SMALL = DetailConfig(width=6, depth=1)


def make_task(
    coded: float = 0.0, two_octaves: float = 0.0, start: str | None = None, seed: int = 0
) -> DetailTask:
    torch.manual_seed(seed)
    model = DetailPredictor(SMALL)
    return DetailTask(model, OptimiserConfig(), coded, two_octaves, start=start)


def batch(size: int = 64) -> Tensor:
    return torch.stack([photo_crop(size), photo_crop(size, 200, 100), photo_crop(size, 0, 300)])


@pytest.mark.parametrize(("coded", "two_octaves"), [(0, 0), (0, 1)])
def test_steps_lower_the_loss_of_a_batch(coded: float, two_octaves: float) -> None:
    task = make_task(coded, two_octaves).train()
    optimiser = torch.optim.Adam(task.model.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        loss = task.losses(batch())["loss"]
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.985 * losses[0]
    assert losses[-1] < min(losses[:10])


def test_a_step_on_coded_crops_lowers_their_loss() -> None:
    task = make_task(coded=1.0).train()
    optimiser = torch.optim.Adam(task.model.parameters(), 1e-3)
    values = []
    for _ in range(10):
        torch.manual_seed(1)  # the same qualities
        loss = task.losses(batch(128))["loss"]
        values.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert values[-1] < values[0]
    assert all(value.grad is None for value in task._codec[0].parameters())


def test_coded_crops_are_worse_than_exact_ones() -> None:
    torch.manual_seed(0)
    exact, coded = (
        float(make_task(share).train().losses(batch(128))["psnr"]) for share in (0.0, 1.0)
    )
    assert coded < exact - 0.5


def test_the_loss_is_that_of_the_enlarged_picture() -> None:
    task, images = make_task().eval(), batch()
    with torch.no_grad():
        losses = task.losses(images)
        enlarged = task.model(pool(images, 2), torch.ones(3))
    error = (enlarged.clamp(0, 1) - images).square().mean((1, 2, 3))
    assert float(losses["psnr"]) == pytest.approx(float(-10 * error.log10().mean()), abs=1e-3)
    luma = torch.einsum("bchw,c->bhw", enlarged - images, torch.tensor([0.299, 0.587, 0.114]))
    expected = luma.abs().mean() + 0.3 * (
        (enlarged - images).abs().mean() + luma.diff(dim=1).abs().mean() + luma.diff().abs().mean()
    )
    assert float(losses["loss"]) == pytest.approx(float(expected), rel=0.05)


def test_validation_adds_coded_crops_and_two_octaves() -> None:
    task = make_task().eval()
    with torch.no_grad():
        losses = task.validation_losses(batch(128))
    assert set(losses) == {"loss", "psnr", "psnr_coded", "psnr_two_octaves"}
    assert float(losses["psnr_two_octaves"]) < float(losses["psnr"])
    assert float(losses["psnr_coded"]) < float(losses["psnr"])


def test_the_codec_is_no_part_of_what_is_saved() -> None:
    names = {name.partition(".")[0] for name in make_task(coded=0.5).state_dict()}
    assert names == {"model"}


@pytest.mark.parametrize(("coded", "two_octaves"), [(-0.1, 0), (1.1, 0), (0, 2), (0, float("nan"))])
def test_shares_outside_of_0_to_1_are_refused(coded: float, two_octaves: float) -> None:
    with pytest.raises(ValueError, match="shares must be 0 to 1"):
        make_task(coded, two_octaves)


@pytest.mark.parametrize("kind", ["checkpoint", "weights"])
def test_a_training_goes_on_from_weights(kind: str, tmp_path: Path) -> None:
    trained = make_task(seed=5).model
    if kind == "checkpoint":
        path = save_checkpoint(tmp_path / "last.ckpt", trained)
    else:
        path = tmp_path / "detail.safetensors"
        path.write_bytes(detail_to_bytes(trained))
    task = make_task(start=str(path))
    assert not torch.equal(task.model.first.weight, trained.first.weight)
    task.begin(LightningDataModule())
    for name, value in trained.state_dict().items():
        found = task.model.state_dict()[name]
        torch.testing.assert_close(found, value, atol=1e-3, rtol=1e-3)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "detail.safetensors"
    path.write_bytes(detail_to_bytes(DetailPredictor(DetailConfig(5, 1))))
    with pytest.raises(CheckpointError, match=r"detail\.safetensors"):
        make_task(start=str(path)).begin(LightningDataModule())


@lightning_noise
def test_the_config_trains(tmp_path: Path, rng: np.random.Generator) -> None:
    for use in ("train", "val"):
        (tmp_path / use).mkdir()
        for name in ("a", "b"):
            picture = Image.fromarray(rng.integers(0, 256, (140, 150, 3), dtype=np.uint8))
            picture.save(tmp_path / use / f"{name}.png")
    result = CliRunner().invoke(
        app,
        [
            *("train", "--config", str(CONFIG), "--trainer.fast_dev_run", "true"),
            *("--trainer.accelerator", "cpu", "--data.init_args.batch_size", "2"),
            *("--data.init_args.crops_per_image", "1"),
            *("--data.init_args.train", str(tmp_path / "train")),
            *("--data.init_args.val", str(tmp_path / "val")),
            *("--trainer.default_root_dir", str(tmp_path / "run")),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "DetailPredictor" in result.output
