"""Speed and learning rate, logged beside the losses."""

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class StepMonitor(Callback):
    """Logs `train/images_per_second`, of all devices together, and `train/learning_rate`.

    The speed is averaged since it was last logged, without validations; the learning rate is the
    largest over all parameter groups.
    """

    def __init__(self) -> None:
        self._step = 0
        self._images = 0
        self._since = 0.0
        self._pause = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step = trainer.global_step
        self._images, self._since = 0, time.perf_counter()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if (trainer.global_step + 1) % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
            pl_module.log("train/learning_rate", max(rates))

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._images += len(batch) * trainer.world_size
        if trainer.global_step == self._step:  # gradients are being accumulated
            return
        self._step = trainer.global_step
        if trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            now = time.perf_counter()
            pl_module.log("train/images_per_second", self._images / (now - self._since))
            self._images, self._since = 0, now

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._pause = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since += time.perf_counter() - self._pause
