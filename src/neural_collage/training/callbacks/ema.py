"""The running average of the weights, which validation, test and the saved model use.

    average <- d average + (1 - d) weights,    d = min(decay, (1 + n) / (10 + n))

after every optimiser step, where n counts the averages taken before. The factor that grows from
1/10 keeps the random initial weights from lingering (TensorFlow's ExponentialMovingAverage with
num_updates; Polyak & Juditsky 1992 for the idea).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

TRAINING_WEIGHTS = "training_weights"
"""The key of the weights in a checkpoint that training goes on with."""


class Ema(Callback):
    """Averages all floating-point parameters and buffers, and swaps them in for validation.

    A checkpoint holds the average as its `state_dict`, so that whatever loads weights gets it, and
    the weights that training goes on with beside it.

    Args:
        decay: The part of the average that stays at each step, in [0, 1); 0 turns averaging off:
            the average is then the weights themselves.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay {decay}: expected 0 or more and less than 1")
        self.decay = decay
        self.updates = 0
        self._average: dict[str, Tensor] = {}
        self._applied = False
        self._step = 0  # the last optimiser step that was averaged

    @contextmanager
    def applied(self, module: LightningModule) -> Iterator[None]:
        """Inside, `module` has the averaged weights; nesting changes nothing."""
        if self._applied:
            yield
            return
        self._swap(module)
        try:
            yield
        finally:
            self._swap(module)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loaded, self._average = self._average, {}
        for name, tensor in _averaged_tensors(pl_module):
            self._average[name] = loaded.get(name, tensor).detach().to(tensor, copy=True)

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
        if trainer.global_step == self._step:  # gradients are still being accumulated
            return
        self._step = trainer.global_step
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = [tensor for _, tensor in _averaged_tensors(pl_module)]
        get_ema_multi_avg_fn(decay)(list(self._average.values()), current, self.updates)
        self.updates += 1

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self._swap(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._leave(pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._leave(pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._average:  # else nothing was fitted
            checkpoint["state_dict"] = self._state(pl_module, averaged=True)
            checkpoint[TRAINING_WEIGHTS] = self._state(pl_module, averaged=False)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn == TrainerFn.FITTING and TRAINING_WEIGHTS in checkpoint:
            # Lightning has just loaded the average into the module.
            self._average = {
                name: tensor.detach().clone() for name, tensor in _averaged_tensors(pl_module)
            }
            pl_module.load_state_dict(checkpoint[TRAINING_WEIGHTS])

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.updates = state_dict["updates"]

    def _state(self, module: LightningModule, *, averaged: bool) -> dict[str, Any]:
        """A copy of the module's state with one kind of weights or the other."""
        swap = self._applied != averaged
        if swap:
            self._swap(module)
        state = {name: value.clone() for name, value in module.state_dict().items()}
        if swap:
            self._swap(module)
        return state

    def _leave(self, module: LightningModule) -> None:
        if self._applied:
            self._swap(module)

    def _swap(self, module: LightningModule) -> None:
        """Exchange values, not tensors: the optimiser and the devices' buckets hold on to those."""
        with torch.no_grad():
            for name, tensor in _averaged_tensors(module):
                kept = tensor.clone()
                tensor.copy_(self._average[name])
                self._average[name].copy_(kept)
        self._applied = not self._applied


def ema_of(trainer: Trainer) -> Ema | None:
    """The average that a trainer keeps, if any."""
    return next((c for c in trainer.callbacks if isinstance(c, Ema)), None)  # type: ignore[attr-defined]


def _averaged_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers that an average makes sense for; shared ones once."""
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if tensor.is_floating_point():
            yield name, tensor
