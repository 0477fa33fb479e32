"""Gradients that are too large: scaled down, or their step skipped, counted and logged."""

import math
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from neural_collage.errors import TrainingError
from neural_collage.training.callbacks.checkpoints import last_good


class GradientGuard(Callback):
    """Clips the norm of the gradient, and skips the steps of exploding ones.

    The norm is that of all gradients together, after mixed precision has removed its scale and
    over all devices. A skipped step leaves weights and optimiser as they were; the learning rate
    goes on. `train/gradient_norm` and `train/skipped_steps`, a running count, are logged.

    Args:
        clip_norm: Larger gradients are scaled down to this norm; null: none is.
        skip_norm: Larger gradients, before clipping, are skipped; null: only infinite ones and
            those that are not a number.
        max_skipped: More skipped steps than this in a row end the training.
    """

    def __init__(
        self,
        clip_norm: float | None = 1.0,
        skip_norm: float | None = None,
        max_skipped: int = 20,
    ) -> None:
        limits = {"clip_norm": clip_norm, "skip_norm": skip_norm}
        wrong = [f"{k} {v}: above 0" for k, v in limits.items() if v is not None and not v > 0]
        if max_skipped < 0:
            wrong.append(f"max_skipped {max_skipped}: 0 or more")
        if wrong:
            raise ValueError("expected " + "; ".join(wrong))
        self.clip_norm = math.inf if clip_norm is None else clip_norm
        self.skip_norm = math.inf if skip_norm is None else skip_norm
        self.max_skipped = max_skipped
        self.skipped = 0
        self.skipped_in_a_row = 0

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self.clip_norm))
        explodes = not norm <= self.skip_norm or not math.isfinite(norm)
        # The devices share their gradients and so agree; deciding together keeps it so.
        if trainer.strategy.reduce_boolean_decision(explodes, all=False):
            # Parameters without gradient are what an optimiser leaves alone, momenta and decay
            # included; a loss scaler has taken note of infinities and adapts.
            optimizer.zero_grad(set_to_none=True)
            self.skipped += 1
            self.skipped_in_a_row += 1
        else:
            self.skipped_in_a_row = 0
        if (trainer.global_step + 1) % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            pl_module.log("train/gradient_norm", norm)
            pl_module.log("train/skipped_steps", float(self.skipped))
        if self.skipped_in_a_row > self.max_skipped:
            raise TrainingError(
                f"{self.skipped_in_a_row} steps in a row were skipped, the last at step "
                f"{trainer.global_step} with a gradient norm of {norm:.3g}: lower the learning "
                f"rate or raise gradients.skip_norm; {last_good(trainer)}"
            )

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped, "skipped_in_a_row": self.skipped_in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped = state_dict["skipped"]
        self.skipped_in_a_row = state_dict["skipped_in_a_row"]
