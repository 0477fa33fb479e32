"""When checkpoints are written, which are kept, and what they are called.

last.ckpt      the newest, to resume from
previous.ckpt  the one before, for when the newest is lost
best.ckpt      the best validation; best-2.ckpt and so on if more are kept
"""

import math
import os
import time
from bisect import bisect
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from neural_collage.errors import CheckpointError, ConfigError
from neural_collage.training.checkpoint_io import AtomicCheckpointIO

LAST, PREVIOUS, NEXT = "last.ckpt", "previous.ckpt", "next.ckpt"


class Checkpoints(Checkpoint):
    """Writes checkpoints every so often, after every validation, and at the end.

    They are in `checkpoints/` of the run folder, the trainer's default_root_dir.

    Args:
        every_n_steps: Write last.ckpt after so many optimiser steps; null: not for that reason.
        every_n_minutes: Write last.ckpt after so many minutes; null: not for that reason.
        best: How many of the best to keep.
        monitor: What they are best in: a logged loss, such as val/loss.
        mode: Whether the smallest ("min") or the largest ("max") is best.
    """

    def __init__(
        self,
        every_n_steps: int | None = 1000,
        every_n_minutes: float | None = 10.0,
        best: int = 1,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
    ) -> None:
        wrong = [
            f"{name} {value}: {expected}"
            for name, value, expected, fits in (
                ("every_n_steps", every_n_steps, "above 0", (every_n_steps or 1) > 0),
                ("every_n_minutes", every_n_minutes, "above 0", (every_n_minutes or 1) > 0),
                ("best", best, "0 or more", best >= 0),
            )
            if not fits
        ]
        if wrong:
            raise ValueError("expected " + "; ".join(wrong))
        self.every_n_steps = every_n_steps
        self.every_n_minutes = every_n_minutes
        self.best = best
        self.monitor = monitor
        self.sign = 1 if mode == "min" else -1
        self.scores: list[float] = []  # of the files kept, best (smallest) first
        self.saved: tuple[Path, int] | None = None  # the newest, and its step
        self._step = 0
        self._time = 0.0
        self._validating = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step, self._time = trainer.global_step, time.monotonic()
        if trainer.ckpt_path:
            self.saved = (Path(trainer.ckpt_path), trainer.global_step)
        if trainer.is_global_zero:
            for leftover in folder_of(trainer).glob(".*.part"):  # of a killed process
                leftover.unlink(missing_ok=True)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if trainer.global_step == self._step:  # gradients are being accumulated and not saved
            return
        self._step = trainer.global_step
        enough = bool(self.every_n_steps and self._step % self.every_n_steps == 0)
        if enough or self._step == trainer.max_steps or self._time_is_up(trainer):
            self.save(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._validating = True
            self.save(trainer)  # a validation may take long, and may be the last thing that happens

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._validating:
            self._validating = False
            self._save_if_best(trainer)
            self.save(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._validating:
            # Lightning repeats a validation when the training is resumed only if it was in the
            # middle of a batch of it; else it takes it for done.
            counts = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
            checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"] = {
                "total": counts,
                "current": dict(counts),
                "is_last_batch": False,
            }

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.saved is None or self.saved[1] != trainer.global_step:
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """Write last.ckpt, on all devices together.

        Raises:
            CheckpointError: it cannot be written; the last good one is still there.
        """
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        folder = folder_of(trainer)
        self._write(trainer, folder / NEXT)
        if trainer.is_global_zero:
            if (folder / LAST).exists():
                os.replace(folder / LAST, folder / PREVIOUS)  # noqa: PTH105
            os.replace(folder / NEXT, folder / LAST)  # noqa: PTH105
        self.saved = (folder / LAST, trainer.global_step)
        self._time = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"scores": self.scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.scores = state_dict["scores"][: self.best]

    def _save_if_best(self, trainer: Trainer) -> None:
        if not self.best or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        metrics = trainer.callback_metrics
        if self.monitor not in metrics:
            known = ", ".join(name for name in sorted(metrics) if name.startswith("val/"))
            raise ConfigError(
                f"checkpoints.monitor: {self.monitor} is not measured: choose among {known}"
            )
        score = self.sign * float(metrics[self.monitor])
        place = bisect(self.scores, score)
        if math.isnan(score) or place >= self.best:
            return
        self.scores = [*self.scores[:place], score, *self.scores[place:]][: self.best]
        folder = folder_of(trainer)
        self._write(trainer, folder / NEXT)
        if trainer.is_global_zero:
            for worse in reversed(range(place, len(self.scores) - 1)):
                if (folder / best_name(worse)).exists():
                    os.replace(folder / best_name(worse), folder / best_name(worse + 1))  # noqa: PTH105
            os.replace(folder / NEXT, folder / best_name(place))  # noqa: PTH105

    def _write(self, trainer: Trainer, path: Path) -> None:
        failure = ""
        try:
            trainer.save_checkpoint(path)
        except CheckpointError as error:
            failure = str(error)
            # Only the process that writes comes here; the others wait for it at this barrier,
            # which it did not reach in save_checkpoint.
            trainer.strategy.barrier()
        failure = trainer.strategy.broadcast(failure)
        if failure:
            raise CheckpointError(f"{failure}; {last_good(trainer)}")

    def _time_is_up(self, trainer: Trainer) -> bool:
        """Whether the first device's clock says so: clocks differ, all must do the same."""
        if self.every_n_minutes is None:
            return False
        late = time.monotonic() - self._time >= 60 * self.every_n_minutes
        return trainer.strategy.reduce_boolean_decision(late and trainer.is_global_zero, all=False)


def folder_of(trainer: Trainer) -> Path:
    """Where the checkpoints of a run are."""
    return Path(trainer.default_root_dir) / "checkpoints"


def best_name(place: int) -> str:
    """The name of the best checkpoint (0) and of those after it."""
    return f"best-{place + 1}.ckpt" if place else "best.ckpt"


def checkpoints_of(trainer: Trainer) -> Checkpoints | None:
    """What writes the checkpoints of a trainer, if anything does."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
    return next((c for c in callbacks if isinstance(c, Checkpoints)), None)


def last_good(trainer: Trainer) -> str:
    """What to tell a user whose training has stopped about what is left of it."""
    checkpoints = checkpoints_of(trainer)
    if checkpoints is None or checkpoints.saved is None:
        return "no checkpoint has been written"
    path, step = checkpoints.saved
    return f"the last good checkpoint is {path} (step {step}): resume with --ckpt {path}"
