"""The task that trains the neural compressor."""

from dataclasses import replace
from pathlib import Path
from typing import final

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, seed_everything
from torch import Tensor

from neural_collage.errors import CheckpointError, ConfigError
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import (
    Compressor,
    CompressorConfig,
    lambda_at,
)
from neural_collage.models.compression.decoder_model import CENTRE, RANGE
from neural_collage.models.compression.initial_patches import (
    centred_windows,
    cosine_blocks,
    principal_blocks,
)
from neural_collage.models.compression.prefilter import lapped_windows, prefiltered
from neural_collage.training.callbacks.ema import Ema
from neural_collage.training.export.codec_weights import codec_model_to_bytes
from neural_collage.training.run.experiment import Experiment
from neural_collage.training.tasks.compression import VALIDATION_LEVELS, CompressionTask
from neural_collage.training.tasks.optimiser import OptimiserConfig
from tests.models.compression.codecs import SMALL, lively_compressor
from tests.pictures import photo_crop
from tests.training.finished import save_checkpoint
from tests.training.toy import Loader
from tests.training.toy_runs import lightning_noise, make_trainer

pytestmark = lightning_noise


def crops() -> Tensor:
    """(12, 3, 32, 32) of a photo."""
    return photo_crop(128).unfold(1, 32, 32).unfold(2, 32, 32).flatten(1, 2).transpose(0, 1)[:12]


@final
class Crops(LightningDataModule):
    """A few crops of a photo, always in the same order."""

    def train_dataloader(self) -> Loader:
        return Loader(crops(), 4, (0, 1))

    def val_dataloader(self) -> Loader:
        return Loader(crops()[:4], 4, (0, 1))


def make_task(
    start: str = "principal", config: CompressorConfig = SMALL, overlap: bool = True
) -> CompressionTask:
    seed_everything(0, verbose=False)
    return CompressionTask(Compressor(config), OptimiserConfig(3e-3), start, overlap)


def fit(
    folder: Path, task: CompressionTask, *callbacks: Callback, steps: int = 2
) -> CompressionTask:
    """Train from the beginning, as an experiment does."""
    trainer = make_trainer(folder, *callbacks, max_steps=steps, limit_val_batches=0)
    Experiment(task, Crops(), trainer, folder, None, 0, ()).fit()
    return task


class Start(Callback):
    """Weights as they are before the first step."""

    def __init__(self) -> None:
        self.weights: dict[str, Tensor] = {}

    def on_train_start(self, trainer: object, pl_module: torch.nn.Module) -> None:
        assert isinstance(pl_module, CompressionTask)
        self.weights = {n: v.clone() for n, v in pl_module.model.state_dict().items()}


def test_losses_are_finite_and_reach_all_parameters() -> None:
    task = CompressionTask(lively_compressor(), OptimiserConfig()).train()
    losses = task.losses(crops())
    assert set(losses) == {"loss", "bpp", "side_bpp", "psnr"}
    assert all(value.ndim == 0 and bool(value.isfinite()) for value in losses.values())
    losses["loss"].backward()
    for name, parameter in task.model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name


def test_training_quantises_with_noise_then_by_rdoq_which_evaluation_always_does(
    tmp_path: Path,
) -> None:
    model, quantisations = lively_compressor().train(), []
    task = CompressionTask(model, OptimiserConfig(), rdoq_from=2)

    def note(_: object, arguments: tuple[object, ...]) -> None:
        quantisations.append(arguments[2])

    model.register_forward_pre_hook(note)
    fit(tmp_path, task, steps=4)
    assert quantisations == ["noise", "noise", "relaxed-rdoq", "relaxed-rdoq"]
    with torch.no_grad():
        task.validation_losses(crops())
    assert set(quantisations[4:]) == {"rdoq"}
    with pytest.raises(ValueError, match="0 or more, not -1"):
        CompressionTask(model, OptimiserConfig(), rdoq_from=-1)


def test_a_perfect_picture_has_a_finite_loss() -> None:
    task = make_task().eval()
    with torch.no_grad():
        losses = task.validation_losses(torch.full((2, 3, 32, 32), CENTRE))
    assert all(bool(value.isfinite()) for value in losses.values())


def test_validation_is_the_mean_over_levels_of_quality() -> None:
    task, batch = CompressionTask(lively_compressor(), OptimiserConfig()).eval(), crops()
    with torch.no_grad():
        losses = task.validation_losses(batch)
        again = task.validation_losses(batch)
    assert {f"{n}_{level}" for n in ("bpp", "psnr") for level in VALIDATION_LEVELS} < set(losses)
    assert all(torch.equal(losses[name], again[name]) for name in losses)
    for name in ("bpp", "psnr"):
        each = [losses[f"{name}_{level}"] for level in VALIDATION_LEVELS]
        assert float(losses[name]) == pytest.approx(float(torch.stack(each).mean()))
        assert each == sorted(each)  # better qualities cost more and err less


def test_the_loss_is_rate_plus_lambda_times_distortion() -> None:
    """The gradient of the loss is, up to one factor, that of bits and errors so weighed."""
    task, batch = CompressionTask(lively_compressor(), OptimiserConfig()).eval(), crops()[:1]
    level = torch.tensor([VALIDATION_LEVELS[1]])
    image, bits, side_bits = task.model(batch, level)
    error = 255**2 * (image - batch).square().mean()
    wanted = (bits + side_bits).sum() / 32**2 + lambda_at(level)[0] * error
    patches = task.model.patches
    (expected,) = torch.autograd.grad(wanted, patches)
    (got,) = torch.autograd.grad(task._losses(batch, level, "rdoq")[0]["loss"], patches)
    ratio = float(got.norm() / expected.norm())
    assert 0.1 < ratio < 10
    torch.testing.assert_close(got, ratio * expected, atol=1e-4 * float(got.abs().max()), rtol=1e-3)


def test_pictures_show_three_qualities() -> None:
    with torch.no_grad():
        pictures = make_task().eval().pictures(crops())
    assert list(pictures) == ["input", "level-0.2", "level-0.5", "level-0.8"]
    for picture in pictures.values():
        assert picture.shape == (12, 3, 32, 32)
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1


@pytest.mark.parametrize("start", ["principal", "cosine"])
def test_patches_begin_as_blocks_that_suit_the_data(start: str, tmp_path: Path) -> None:
    seen = Start()
    fit(tmp_path, make_task(start), seen)
    blocks = {"principal": principal_blocks, "cosine": cosine_blocks}[start]
    components, spread = blocks(crops(), RANGE, 16, CENTRE)
    assert torch.equal(seen.weights["patches"], centred_windows(components))
    assert torch.equal(seen.weights["analysis.linear.weight"], components)
    scales = seen.weights["entropy.log_scale.rungs"]
    assert float((scales[1] - spread.log()).std()) < 0.5  # as they spread, up to limits


def test_lapped_patches_begin_overlapped(tmp_path: Path) -> None:
    model, seen = Compressor(replace(SMALL, lapped=True)), Start()
    fit(tmp_path, CompressionTask(model, OptimiserConfig()), seen)
    blocks = seen.weights["analysis.linear.weight"]
    of_images, _ = cosine_blocks(prefiltered(crops() - CENTRE, RANGE) + CENTRE, RANGE, 16, CENTRE)
    assert torch.equal(blocks, of_images)
    assert torch.equal(seen.weights["patches"], lapped_windows(blocks))
    with pytest.raises(ValueError, match="set overlap to true"):
        CompressionTask(model, OptimiserConfig(), overlap=False)


def test_patches_may_begin_as_those_of_a_checkpoint(tmp_path: Path) -> None:
    model, seen = lively_compressor(), Start()
    fit(tmp_path, make_task(str(save_checkpoint(tmp_path / "other.ckpt", model))), seen)
    assert seen.weights.keys() == model.state_dict().keys()
    assert all(torch.equal(seen.weights[name], v) for name, v in model.state_dict().items())


def test_patches_may_begin_as_those_of_finished_weights(tmp_path: Path) -> None:
    model, seen = CodecModel.finish(lively_compressor()), Start()
    (tmp_path / "x.safetensors").write_bytes(codec_model_to_bytes(model))
    fit(tmp_path, make_task(str(tmp_path / "x.safetensors")), seen)
    torch.testing.assert_close(
        seen.weights["patches"], model.compressor.patches.detach(), atol=0.02, rtol=0.02
    )
    with pytest.raises(CheckpointError, match="of another config"):
        fit(tmp_path, make_task("natural"))


def test_a_checkpoint_that_is_missing_or_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"missing\.ckpt: no such checkpoint"):
        fit(tmp_path, make_task(str(tmp_path / "missing.ckpt")))
    other = save_checkpoint(
        tmp_path / "other.ckpt", lively_compressor(CompressorConfig((4,), (8, 8), (0, 0), 8, 4))
    )
    with pytest.raises(CheckpointError, match="of a compressor of another config"):
        fit(tmp_path, make_task(str(other)))


def test_more_patches_than_a_block_has_samples_are_refused(tmp_path: Path) -> None:
    config = CompressorConfig(groups=(769,), widths=(2, 2), depths=(0, 0), state=2, side=2, rungs=2)
    with pytest.raises(ConfigError, match="769 patches are more than a block has"):
        fit(tmp_path, make_task(config=config))


def test_a_resumed_training_goes_on_with_its_weights(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, max_steps=2, limit_val_batches=0)
    task = make_task()
    trainer.fit(task, Crops())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    seen = Start()
    more = make_trainer(tmp_path, seen, max_steps=3, limit_val_batches=0)
    more.fit(make_task(), Crops(), ckpt_path=tmp_path / "last.ckpt")
    assert all(torch.equal(seen.weights[n], value) for n, value in task.model.state_dict().items())
    assert more.global_step == 3


def test_a_resumed_training_does_not_begin_again(tmp_path: Path) -> None:
    """What it began with need not be there any more."""
    start, last = tmp_path / "start.ckpt", tmp_path / "last.ckpt"
    trainer = make_trainer(tmp_path, max_steps=2, limit_val_batches=0)
    task = make_task(str(save_checkpoint(start, lively_compressor())))
    Experiment(task, Crops(), trainer, tmp_path, None, 0, ()).fit()
    trainer.save_checkpoint(last)
    start.unlink()
    more = make_trainer(tmp_path, max_steps=3, limit_val_batches=0)
    Experiment(make_task(str(start)), Crops(), more, tmp_path, last, 2, ()).fit()
    assert more.global_step == 3


def test_validating_does_not_begin_again(tmp_path: Path) -> None:
    task = CompressionTask(lively_compressor(), OptimiserConfig())
    before = {name: value.clone() for name, value in task.state_dict().items()}
    (metrics,) = make_trainer(tmp_path).validate(task, datamodule=Crops(), verbose=False)
    assert {"val/loss", "val/bpp", "val/psnr", "val/psnr_0.8"} <= metrics.keys()
    assert all(torch.equal(task.state_dict()[name], value) for name, value in before.items())


def test_training_reduces_the_loss(tmp_path: Path) -> None:
    def loss(task: CompressionTask) -> float:
        with torch.no_grad():
            return float(task.eval().validation_losses(crops())["loss"])

    short, long = (fit(tmp_path, make_task(), steps=steps) for steps in (1, 25))
    assert loss(long) < 0.9 * loss(short)


def beyond_ranges(patches: Tensor) -> float:
    edge = RANGE // 2
    outside = patches.detach().clone()
    outside[..., edge:-edge, edge:-edge] = 0
    return float(outside.abs().max())


def test_without_overlap_patches_stay_inside_their_ranges(tmp_path: Path) -> None:
    seen = Start()
    task = fit(tmp_path, make_task(overlap=False), seen, steps=3)
    assert beyond_ranges(task.model.patches) == 0
    assert not torch.equal(task.model.patches, seen.weights["patches"])
    assert beyond_ranges(fit(tmp_path, make_task(), steps=3).model.patches) > 0


def test_without_overlap_their_average_does_so_too(tmp_path: Path) -> None:
    ema = Ema(0.9)
    task = fit(tmp_path, make_task(overlap=False), ema, steps=3)
    with ema.applied(task):
        assert beyond_ranges(task.model.patches) == 0
