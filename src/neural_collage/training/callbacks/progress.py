"""Progress of a training: a bar with the time left on a terminal, else a line now and then."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

REDRAW_SECONDS = 0.2
LINE_SECONDS = 30.0


class TrainingProgress(ProgressBar):
    """Steps done, loss, speed and time left, of the whole training instead of an epoch.

    console: the output; None is stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._enabled = True
        self._started = (0, 0.0)  # step and time
        self._shown = (0, 0.0)
        self._pause = 0.0

    def disable(self) -> None:
        """Called by Lightning in all processes but that of rank 0."""
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = self._shown = (trainer.global_step, time.monotonic())
        if self._enabled and self._console.is_terminal:
            total = int(trainer.estimated_stepping_batches)
            columns = BarColumn(), TextColumn("{task.description}", markup=False)
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task("", total=total, completed=trainer.global_step)
            self._bar.start()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        step, now = trainer.global_step, time.monotonic()
        wait = REDRAW_SECONDS if self._bar else LINE_SECONDS
        if not self._enabled or step == self._shown[0] or now - self._shown[1] < wait:
            return
        self._shown = (step, now)
        text = self._status(trainer, float(outputs["loss"]), len(batch), now)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=step, description=text)
        else:
            self._print(text)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._pause = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step, since = self._started
        self._started = (step, since + time.monotonic() - self._pause)
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            metrics = trainer.callback_metrics.items()
            values = [f"{name} {float(v):.4g}" for name, v in metrics if name.startswith("val/")]
            self._print(f"step {trainer.global_step}: {'  '.join(values)}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._stop()

    def _status(self, trainer: Trainer, loss: float, batch_size: int, now: float) -> str:
        step, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        first, since = self._started
        per_second = (step - first) / max(now - since, 1e-9)
        images = per_second * batch_size * trainer.world_size * trainer.accumulate_grad_batches
        skipped = int(trainer.callback_metrics.get("train/skipped_steps", 0))
        return (
            f"step {step}/{total}  loss {loss:.4g}  {images:.3g} images/s  "
            f"{_duration((total - step) / per_second)} left"
            + (f"  {skipped} steps skipped" if skipped else "")
        )

    def _print(self, text: str) -> None:
        if self._enabled:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _stop(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


def _duration(seconds: float) -> str:
    """A time in seconds as 1:02:03 (hours, minutes, seconds) or 2:03."""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"
