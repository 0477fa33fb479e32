"""Grids of pictures that show the progress of a training."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.io.files import write_atomically
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.training.callbacks.ema import ema_of
from neural_collage.training.tasks.task import Task


class PictureGrids(Callback):
    """Writes the `pictures` of a task, with averaged weights, as PNG files and to the loggers.

    The task gets the same pictures each time: the first of the validation set, or of the first
    training batch without one. Files are `pictures/NAME/step-STEP.png` in the run folder.

    Args:
        every_n_steps: Optimiser steps between grids; there is one more at the end. null: none.
        count: Largest number of pictures in a grid.
    """

    def __init__(self, every_n_steps: int | None = 500, count: int = 8) -> None:
        if count < 1 or not (every_n_steps is None or every_n_steps > 0):
            raise ValueError(
                f"expected every_n_steps {every_n_steps} and count {count} to be above 0"
            )
        self.every_n_steps = every_n_steps
        self.count = count
        self._inputs: Any = None
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if self.every_n_steps is None or not trainer.is_global_zero:
            return
        if self._inputs is None:
            first = next(iter(_validation_batches(trainer)), batch)
            self._inputs = first[: self.count].to(pl_module.device)
        due = trainer.global_step % self.every_n_steps == 0
        if due and trainer.global_step != self._step:  # else gradients are being accumulated
            self._step = trainer.global_step
            self._write(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._inputs is not None and trainer.global_step != self._step:
            self._write(trainer, pl_module)

    def _write(self, trainer: Trainer, task: LightningModule) -> None:
        assert isinstance(task, Task)
        assert self._inputs is not None
        ema = ema_of(trainer)
        with (
            _as_in_validation(task),
            ema.applied(task) if ema else nullcontext(),
            trainer.precision_plugin.forward_context(),
        ):
            pictures = task.pictures(trainer.precision_plugin.convert_input(self._inputs))
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for name, batch in pictures.items():
            image = to_pil(picture_grid(batch.float()))
            path = Path(trainer.default_root_dir, "pictures", name)
            path.mkdir(parents=True, exist_ok=True)
            path /= f"step-{trainer.global_step:07d}.png"
            write_atomically(path, image_bytes(image, ".png"))
            for logger in trainer.loggers:
                if hasattr(logger, "log_image"):
                    logger.log_image(f"pictures/{name}", [image], trainer.global_step)


def picture_grid(
    pictures: Float[Tensor, "n c h w"], columns: int | None = None, padding: int = 2
) -> Float[Tensor, "c H W"]:
    """Pictures in rows, with white lines of `padding` pixels between and around them.

    columns: pictures in a row; None makes the grid about square. Unused cells are white.
    """
    n = len(pictures)
    columns = min(n, columns or math.ceil(math.sqrt(n)))
    rows = -(-n // columns)
    padded = functional.pad(pictures, (padding, 0, padding, 0), value=1.0)
    filled = torch.cat([padded, padded.new_ones(rows * columns - n, *padded.shape[1:])])
    _, c, h, w = filled.shape
    grid = filled.reshape(rows, columns, c, h, w).permute(2, 0, 3, 1, 4)
    grid = grid.reshape(c, rows * h, columns * w)
    return functional.pad(grid, (0, padding, 0, padding), value=1.0)


@contextmanager
def _as_in_validation(module: nn.Module) -> Iterator[None]:
    """Inside: eval mode, no gradients, and a fixed seed; the generators' state is restored."""
    modes = {each: each.training for each in module.modules()}
    device = next(module.parameters()).device
    with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        module.eval()
        try:
            yield
        finally:
            for each, mode in modes.items():
                each.training = mode


def _validation_batches(trainer: Trainer) -> Iterable[Any]:
    loaders = trainer.val_dataloaders or []
    return chain(*loaders) if isinstance(loaders, list) else loaders
