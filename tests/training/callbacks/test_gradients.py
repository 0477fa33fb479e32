import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.precision import MixedPrecision

from neural_collage.errors import TrainingError
from neural_collage.training.callbacks.checkpoints import Checkpoints
from neural_collage.training.callbacks.gradients import GradientGuard
from tests.training.toy_runs import fit, lightning_noise, make_task, weights

pytestmark = lightning_noise


class Steps(Callback):
    """Norms as the optimiser gets them, logged norms, and weights and momenta after each step."""

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.logged: list[dict[str, float]] = []
        self.weights: list[dict[str, torch.Tensor]] = []
        self.momenta: list[list[torch.Tensor]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        gradients = [p.grad.flatten() for p in pl_module.parameters() if p.grad is not None]
        self.norms.append(float(torch.cat([torch.zeros(1), *gradients]).norm()))
        self.weights.append(weights(pl_module))
        state = trainer.optimizers[0].state.values()
        self.momenta.append([each["exp_avg"].clone() for each in state])
        self.logged.append({k: float(v) for k, v in trainer.callback_metrics.items()})


def test_larger_gradients_are_scaled_to_the_norm(tmp_path: Path) -> None:
    free, clipped = Steps(), Steps()
    fit(tmp_path, GradientGuard(clip_norm=None), free, max_steps=1)
    fit(tmp_path, GradientGuard(clip_norm=0.1), clipped, max_steps=1)
    assert free.norms[0] > 0.1
    assert clipped.norms[0] == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize("kind", ["explode_at", "nan_at"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_skipped_step_changes_nothing_and_is_counted(
    tmp_path: Path, kind: str, precision: str
) -> None:
    steps = Steps()
    guard = GradientGuard(skip_norm=100.0)
    fit(tmp_path, guard, steps, task=make_task(**{kind: (3, 5)}), max_steps=8, precision=precision)
    for step in range(1, 8):
        same = all(
            torch.equal(steps.weights[step][k], v) for k, v in steps.weights[step - 1].items()
        )
        kept = all(
            torch.equal(a, b)
            for a, b in zip(steps.momenta[step], steps.momenta[step - 1], strict=True)
        )
        assert (same, kept) == ((step in (3, 5)),) * 2
    assert guard.skipped == 2
    assert [int(logged["train/skipped_steps"]) for logged in steps.logged] == [
        0,
        0,
        0,
        1,
        1,
        2,
        2,
        2,
    ]
    assert all(torch.isfinite(value).all() for value in steps.weights[-1].values())


def test_without_a_limit_only_steps_with_gradients_that_are_not_finite_are_skipped(
    tmp_path: Path,
) -> None:
    guard = GradientGuard()
    fit(tmp_path, guard, task=make_task(explode_at=(2,), nan_at=(4,)), max_steps=6)
    assert guard.skipped == 1


@pytest.mark.parametrize("kind", ["explode_at", "nan_at"])
def test_a_loss_scaler_adapts_only_if_gradients_are_not_finite(tmp_path: Path, kind: str) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=1000)
    steps, guard = Steps(), GradientGuard(skip_norm=100.0)
    mixed = MixedPrecision("16-mixed", "cpu", scaler)
    fit(tmp_path, guard, steps, task=make_task(**{kind: (3,)}), max_steps=5, plugins=[mixed])
    before, after = steps.weights[2], steps.weights[3]
    assert all(torch.equal(before[name], value) for name, value in after.items())
    assert guard.skipped == 1
    assert scaler.get_scale() == (8.0 if kind == "nan_at" else 16.0)
    assert not torch.equal(
        steps.weights[4]["model.layers.1.weight"], after["model.layers.1.weight"]
    )


def test_too_many_in_a_row_end_the_training_and_name_the_checkpoint(tmp_path: Path) -> None:
    task = make_task(nan_at=tuple(range(5, 100)))
    guard = GradientGuard(max_skipped=2)
    with pytest.raises(TrainingError, match="3 steps in a row were skipped") as caught:
        fit(tmp_path, guard, Checkpoints(every_n_steps=5), task=task)
    assert f"--ckpt {tmp_path / 'checkpoints/last.ckpt'}" in str(caught.value)
    assert "(step 5)" in str(caught.value)
    assert guard.skipped == 3


def test_a_few_skipped_steps_in_a_row_do_not_end_the_training(tmp_path: Path) -> None:
    task = make_task(nan_at=(0, 1, 3, 4, 6, 7))
    fit(tmp_path, GradientGuard(max_skipped=2), task=task, max_steps=8)
    assert all(value.isfinite().all() for value in weights(task).values())


def test_skipped_steps_are_counted_across_a_resume(tmp_path: Path) -> None:
    guard = GradientGuard()
    fit(tmp_path, guard, Checkpoints(), task=make_task(nan_at=(1, 3)), max_steps=4)
    resumed = GradientGuard(max_skipped=2)
    last = tmp_path / "checkpoints/last.ckpt"
    task = make_task(nan_at=(4, 5))
    with pytest.raises(TrainingError, match="3 steps in a row"):
        fit(tmp_path, resumed, Checkpoints(), task=task, max_steps=8, ckpt_path=last)
    assert resumed.skipped == 4


@pytest.mark.parametrize(
    "limits",
    [{"clip_norm": 0.0}, {"skip_norm": -1.0}, {"max_skipped": -1}, {"clip_norm": math.nan}],
)
def test_invalid_limits_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        GradientGuard(**limits)
