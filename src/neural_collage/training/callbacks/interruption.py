"""SIGTERM and Ctrl-C while training: the step is finished and the state saved."""

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
    """A training that was asked to stop and has saved its state; `signal` is what asked."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal = signal.Signals(signal_number)


class Interruption(Callback):
    """Ends the training in order on a signal, on all devices together; the second signal at once.

    What SLURM sends before it takes a job away is SIGTERM, and torchrun passes it on.
    """

    def __init__(self) -> None:
        self.received = 0  # the number of the signal
        self._stopping = False
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning has put its own handlers in place by now, and restores the original ones.
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
        if trainer.global_step == self._step:  # gradients are being accumulated and not saved
            return
        self._step = trainer.global_step
        self._stopping = self._asked(trainer)
        if self._stopping:
            # Saved here, before the next batch is taken; ended at the next chance, because a
            # validation that is due now must not be forgotten.
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
            self._stop(trainer)  # the state was saved again when the validation started

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
        if fitting and self._asked(trainer):
            self._stop(trainer)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for each in SIGNALS:  # the user's second wish is to stop without saving
            signal.signal(each, signal.SIG_DFL)

    def _asked(self, trainer: Trainer) -> bool:
        """Whether any of the devices got a signal."""
        return trainer.strategy.reduce_boolean_decision(bool(self.received), all=False)

    def _stop(self, trainer: Trainer) -> None:
        number = self.received or signal.SIGTERM  # if another device got it
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
