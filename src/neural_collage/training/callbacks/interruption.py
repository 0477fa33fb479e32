"""SIGTERM and Ctrl-C during training: finish the step and save the state."""

import signal
import threading
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from neural_collage.errors import TrainingError
from neural_collage.training.callbacks.checkpoints import checkpoints_of

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class TrainingStoppedError(TrainingError):
    """A training was stopped by a signal, given as `signal`, after its state was saved."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal = signal.Signals(signal_number)


class Interruption(Callback):
    """Ends the training after the current step on a signal, on all devices; a second one at once.

    SLURM sends SIGTERM before the end of a job, and torchrun forwards it.
    """

    def __init__(self) -> None:
        self.received = 0  # the number of the signal
        self._stopping = False
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning has installed its own handlers by now, and restores the original ones later.
        self._step = trainer.global_step
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._receive)

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
        self._stopping = self._signalled(trainer)
        if self._stopping:
            # Saved before the next batch is taken, and ended in a later hook, because a validation
            # may be due first.
            _save(trainer)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._stopping:
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._stopping:
            self._stop(trainer)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._stopping:
            self._stop(trainer)  # `Checkpoints` saved again when the validation started

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        fitting = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if fitting and self._signalled(trainer):
            self._stop(trainer)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for each in SIGNALS:  # a second signal stops without saving
            signal.signal(each, signal.SIG_DFL)

    def _signalled(self, trainer: Trainer) -> bool:
        """Whether any of the processes has received a signal."""
        return trainer.strategy.reduce_boolean_decision(bool(self.received), all=False)

    def _stop(self, trainer: Trainer) -> None:
        number = self.received or signal.SIGTERM  # if another process received it
        checkpoints = checkpoints_of(trainer)
        saved = checkpoints is not None and checkpoints.saved is not None
        raise TrainingStoppedError(
            f"training stopped by {signal.Signals(number).name} after step {trainer.global_step}; "
            + ("its state is saved: resume with --ckpt last" if saved else "nothing is saved"),
            number,
        )


def _save(trainer: Trainer) -> None:
    checkpoints = checkpoints_of(trainer)
    if checkpoints is not None:
        checkpoints.save(trainer)
