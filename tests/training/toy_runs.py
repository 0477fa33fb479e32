"""Trainings of the toy task, and callbacks that record or stop them."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Checkpoint, ProgressBar

from neural_collage.training.run.quiet import HARMLESS
from neural_collage.training.tasks.optimiser import OptimiserConfig
from tests.training.toy import Denoising, Linear, Ramps

lightning_noise = pytest.mark.filterwarnings(*(f"ignore:{pattern}" for pattern in HARMLESS))


class Record(Callback):
    """Losses of the steps and of the validations."""

    def __init__(self) -> None:
        self.losses: list[tuple[int, float]] = []
        self.validations: list[tuple[int, float]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.losses.append((trainer.global_step, float(outputs["loss"])))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            loss = float(trainer.callback_metrics["val/loss"])
            self.validations.append((trainer.global_step, loss))


class BatchLog(Callback):
    """Writes the epoch and the mean colours of each batch, as 8-bit values, to a file a process."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        levels = (255 * batch.flatten(1).mean(1)).round().int().tolist()
        name = f"batches-{trainer.global_rank}-of-{trainer.world_size}.txt"
        with Path(trainer.default_root_dir, name).open("a") as file:
            print(trainer.current_epoch, *levels, file=file)


class Terminate(Callback):
    """Sends a signal to the last process, after a step or in the first batch of a validation.

    Args:
        step: The step after which it is sent.
        validation: The step whose validation it is sent in.
        signal: Number of the signal.
    """

    def __init__(self, step: int = -1, validation: int = -1, signal: int = 15) -> None:
        self.step = step
        self.validation = validation
        self.signal = signal

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step and trainer.global_rank == trainer.world_size - 1:
            os.kill(os.getpid(), self.signal)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.global_step == self.validation and batch_idx == 0:
            os.kill(os.getpid(), self.signal)


def make_task(**settings: Any) -> Denoising:
    """The same weights each time; a learning rate that does not depend on how long it trains."""
    seed_everything(0, verbose=False)
    return Denoising(Linear(3), OptimiserConfig(1e-2, warmup_steps=5, floor=1.0), **settings)


def make_trainer(folder: Path, *callbacks: Callback, **settings: Any) -> Trainer:
    return Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(c, Checkpoint) for c in callbacks),
        enable_progress_bar=any(isinstance(c, ProgressBar) for c in callbacks),
        enable_model_summary=False,
        **{"logger": False, "log_every_n_steps": 1, **settings},
    )


def fit(
    folder: Path, *callbacks: Callback, task: Denoising | None = None, **settings: Any
) -> Denoising:
    """Train for 4 epochs of 4 steps, unless `settings` set another length."""
    task = task or make_task()
    checkpoint = settings.pop("ckpt_path", None)
    data = Ramps(val=settings.pop("val", 16))
    limits = {} if "max_steps" in settings else {"max_epochs": 4}
    make_trainer(folder, *callbacks, **{**limits, **settings}).fit(
        task, datamodule=data, ckpt_path=checkpoint
    )
    return task


def weights(task: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in task.state_dict().items()}


CONFIG = """\
seed_everything: 0
model:
  class_path: tests.training.toy.Denoising
  init_args:
    model:
      class_path: tests.training.toy.Linear
      init_args:
        width: 3
    optimiser:
      learning_rate: 1e-2
      warmup_steps: 5
      floor: 1.0
    noise: 0.1
data:
  class_path: tests.training.toy.Ramps
  init_args:
    val: 16
trainer:
  max_steps: 8
  accelerator: cpu
  log_every_n_steps: 1
"""
"""The same training, as a config."""
