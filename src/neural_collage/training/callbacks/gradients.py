"""Gradient clipping, and skipping of optimiser steps with exploding gradients."""

import math
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from neural_collage.errors import TrainingError
from neural_collage.training.callbacks.checkpoints import resume_hint


class GradientGuard(Callback):
    """Clips the norm of the gradient, and skips steps with exploding gradients.

    The norm is that of all gradients together, after unscaling for mixed precision and over all
    devices. A skipped step leaves the weights and the optimiser's state unchanged; the learning
    rate advances. `train/gradient_norm` and `train/skipped_steps`, a running count, are logged.

    Args:
        clip_norm: Larger gradients are scaled down to this norm; null: no clipping.
        skip_norm: Steps with larger gradients, before clipping, are skipped; null: only those with
            infinite or NaN gradients.
        max_skipped: More consecutive skipped steps than this end the training.
    """

    def __init__(
        self,
        clip_norm: float | None = 1.0,
        skip_norm: float | None = None,
        max_skipped: int = 20,
    ) -> None:
        limits = {"clip_norm": clip_norm, "skip_norm": skip_norm}
        problems = [f"{k} {v}: above 0" for k, v in limits.items() if v is not None and not v > 0]
        if max_skipped < 0:
            problems.append(f"max_skipped {max_skipped}: 0 or more")
        if problems:
            raise ValueError("expected " + "; ".join(problems))
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
        # Gradients are equal on all devices; the reduction guards against rounding differences.
        if trainer.strategy.reduce_boolean_decision(explodes, all=False):
            # An optimiser skips parameters without gradient, with their momenta and decay. A loss
            # scaler has already recorded infinities, and adapts.
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
                f"rate or raise gradients.skip_norm; {resume_hint(trainer)}"
            )

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped, "skipped_in_a_row": self.skipped_in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped = state_dict["skipped"]
        self.skipped_in_a_row = state_dict["skipped_in_a_row"]
