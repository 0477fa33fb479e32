"""Schedule, retention and names of checkpoints.

last.ckpt      the newest, to resume from
previous.ckpt  the one before, in case the newest is damaged
best.ckpt      that of the best validation; best-2.ckpt and so on if more are kept
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

from neural_collage.arguments import check_choice
from neural_collage.errors import CheckpointError, ConfigError
from neural_collage.training.checkpoint_io import AtomicCheckpointIO

LAST, PREVIOUS, NEXT = "last.ckpt", "previous.ckpt", "next.ckpt"


class Checkpoints(Checkpoint):
    """Writes checkpoints periodically, before and after every validation, and at the end.

    They are in `checkpoints/` of the run folder, the trainer's default_root_dir.

    Args:
        every_n_steps: Optimiser steps between writes of last.ckpt; null: no limit.
        every_n_minutes: Minutes between writes of last.ckpt; null: no limit.
        best: Number of best checkpoints to keep.
        monitor: The logged metric that ranks them, such as val/loss.
        mode: Whether the smallest ("min") or the largest ("max") value is best.
    """

    def __init__(
        self,
        every_n_steps: int | None = 1000,
        every_n_minutes: float | None = 10.0,
        best: int = 1,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
    ) -> None:
        problems = [
            f"{name} {value}: {expected}"
            for name, value, expected, valid in (
                ("every_n_steps", every_n_steps, "above 0", (every_n_steps or 1) > 0),
                ("every_n_minutes", every_n_minutes, "above 0", (every_n_minutes or 1) > 0),
                ("best", best, "0 or more", best >= 0),
            )
            if not valid
        ]
        if problems:
            raise ValueError("expected " + "; ".join(problems))
        check_choice("mode", mode, ("min", "max"))
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
        if trainer.global_step == self._step:  # checkpoints do not hold accumulated gradients
            return
        self._step = trainer.global_step
        due = bool(self.every_n_steps and self._step % self.every_n_steps == 0)
        if due or self._step == trainer.max_steps or self._time_is_up(trainer):
            self.save(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._validating = True
            self.save(trainer)  # a validation may take long, and the process may end during it

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._validating:
            self._validating = False
            self._save_if_best(trainer)
            self.save(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._validating:
            # A resumed training repeats the validation only if Lightning finds one of its batches
            # started and not completed.
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
            CheckpointError: it cannot be written; the earlier files are unchanged.
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
            # Raised only in the process that writes; the others wait at the barrier inside
            # save_checkpoint, which this process has not reached.
            trainer.strategy.barrier()
        failure = trainer.strategy.broadcast(failure)
        if failure:
            raise CheckpointError(f"{failure}; {resume_hint(trainer)}")

    def _time_is_up(self, trainer: Trainer) -> bool:
        """Whether a save is due by the clock of the first process, for the same result in all."""
        if self.every_n_minutes is None:
            return False
        late = time.monotonic() - self._time >= 60 * self.every_n_minutes
        return trainer.strategy.reduce_boolean_decision(late and trainer.is_global_zero, all=False)


def folder_of(trainer: Trainer) -> Path:
    """The folder of the checkpoints of a run."""
    return Path(trainer.default_root_dir) / "checkpoints"


def best_name(place: int) -> str:
    """The file name of the checkpoint at a rank, from 0 for the best."""
    return f"best-{place + 1}.ckpt" if place else "best.ckpt"


def checkpoints_of(trainer: Trainer) -> Checkpoints | None:
    """The `Checkpoints` callback of a trainer, if it has one."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
    return next((c for c in callbacks if isinstance(c, Checkpoints)), None)


def resume_hint(trainer: Trainer) -> str:
    """The end of a message on a stopped training: its newest checkpoint, and how to resume."""
    checkpoints = checkpoints_of(trainer)
    if checkpoints is None or checkpoints.saved is None:
        return "no checkpoint has been written"
    path, step = checkpoints.saved
    return f"the last good checkpoint is {path} (step {step}): resume with --ckpt {path}"
