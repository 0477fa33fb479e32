"""Exponential moving average of the weights, used by validation, test and the saved model.

    average <- d average + (1 - d) weights,    d = min(decay, (1 + n) / (10 + n))

after every optimiser step, where n is the number of earlier updates. The factor that grows from
1/10 removes the influence of the random initial weights (TensorFlow's ExponentialMovingAverage with
num_updates; averaging: Polyak & Juditsky 1992).

Lightning's `WeightAveraging` is not used because its checkpoints have other keys, so that earlier
checkpoints could not be read.
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
"""The key of the weights in a checkpoint that training continues with."""


class Ema(Callback):
    """Averages all floating-point parameters and buffers, and swaps them in for validation.

    The `state_dict` of a checkpoint is the average, so that it is what other programs load; the
    weights that training continues with are stored beside it.

    Args:
        decay: Weight of the earlier average at each step, in [0, 1); with 0 the average equals the
            weights.
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
        """Inside, `module` has the averaged weights; may be nested."""
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
        self._restore(pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._restore(pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._average:  # empty before a fit
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
        """A copy of the module's state with averaged or with training weights."""
        swap = self._applied != averaged
        if swap:
            self._swap(module)
        state = {name: value.clone() for name, value in module.state_dict().items()}
        if swap:
            self._swap(module)
        return state

    def _restore(self, module: LightningModule) -> None:
        if self._applied:
            self._swap(module)

    def _swap(self, module: LightningModule) -> None:
        """Exchange values in place: the optimiser and gradient buckets refer to the tensors."""
        with torch.no_grad():
            for name, tensor in _averaged_tensors(module):
                kept = tensor.clone()
                tensor.copy_(self._average[name])
                self._average[name].copy_(kept)
        self._applied = not self._applied


def ema_of(trainer: Trainer) -> Ema | None:
    """The `Ema` callback of a trainer, if it has one."""
    return next((c for c in trainer.callbacks if isinstance(c, Ema)), None)  # type: ignore[attr-defined]


def _averaged_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Floating-point parameters and buffers, shared ones once."""
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if tensor.is_floating_point():
            yield name, tensor
