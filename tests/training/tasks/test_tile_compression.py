"""The task that trains the paper's compressor, and its committed config."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from neural_collage.cli.main import app
from neural_collage.models.poli2022 import TileCompressor, TileCompressorConfig, estimated_bits
from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.tile_compression import TileCompressionTask
from tests.root import ROOT
from tests.training.toy_runs import lightning_noise

CONFIG = ROOT / "configs/compression/paper.yaml"
SMALL = TileCompressorConfig(range_size=4, n_patches=3, embedding=4, depth=1)


def small_task(penalty: float = 0.1) -> TileCompressionTask:
    return TileCompressionTask(TileCompressor(SMALL), OptimiserConfig(), penalty)


def test_the_loss_is_the_error_of_a_tile_and_the_penalty() -> None:
    task, batch = small_task(penalty=3.0), torch.rand(5, 3, 8, 8)
    losses = task.train().losses(batch)
    image, code = task.model(batch)
    error = (image - batch).square().flatten(1).sum(1).mean()
    penalty = 3 * code.parameters().square().flatten(1).sum(1).mean()
    torch.testing.assert_close(losses["loss"], error + penalty)
    torch.testing.assert_close(losses["error"] + losses["penalty"], losses["loss"])
    assert float(losses["psnr"]) == pytest.approx(
        float(-10 * (losses["error"] / 192).log10()), abs=0.5
    )
    losses["loss"].backward()
    assert all(p.grad is not None for p in task.model.parameters())


def test_bits_are_estimated_outside_of_training() -> None:
    task, batch = small_task(), torch.rand(5, 3, 8, 8)
    assert "estimated_bpp" not in task.train().losses(batch)
    estimate = float(task.validation_losses(batch)["estimated_bpp"])
    bits = estimated_bits(task.model.symbols(task.model.encode(batch)))
    assert estimate == pytest.approx(bits / (5 * 64))


def test_pictures_show_the_tiles_at_two_sizes() -> None:
    pictures = small_task().eval().pictures(torch.rand(5, 3, 8, 8))
    shapes = {name: tuple(picture.shape) for name, picture in pictures.items()}
    assert shapes == {
        "input": (5, 3, 8, 8),
        "reconstruction": (5, 3, 8, 8),
        "reconstruction-4x": (5, 3, 32, 32),
    }
    assert all(
        float(p.detach().min()) >= 0 and float(p.detach().max()) <= 1 for p in pictures.values()
    )


def test_a_negative_penalty_is_refused() -> None:
    with pytest.raises(ValueError, match="penalty must be 0 or more, not -1"):
        small_task(penalty=-1)


@lightning_noise
def test_the_config_of_the_paper_trains(tmp_path: Path, rng: np.random.Generator) -> None:
    for use in ("train", "test"):
        (tmp_path / use).mkdir()
        for name in ("a", "b"):
            picture = Image.fromarray(rng.integers(0, 256, (50, 60, 3), dtype=np.uint8))
            picture.save(tmp_path / use / f"{name}.png")
    result = CliRunner().invoke(
        app,
        [
            *("train", "--config", str(CONFIG), "--trainer.fast_dev_run", "true"),
            *("--trainer.accelerator", "cpu", "--data.init_args.batch_size", "4"),
            *("--data.init_args.train", str(tmp_path / "train")),
            *("--data.init_args.val", str(tmp_path / "test")),
            *("--trainer.default_root_dir", str(tmp_path / "run")),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "TileCompressor" in result.output


def test_the_config_is_that_of_the_paper() -> None:
    lines = {line.strip() for line in CONFIG.read_text(encoding="utf-8").splitlines()}
    assert {
        "class_path: neural_collage.models.poli2022.TileCompressor",
        "penalty: 0.1",
        "learning_rate: 1.0e-3",
        f"crop: {TileCompressor().config.tile}",
    } <= lines
