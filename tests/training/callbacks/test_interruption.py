import os
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from neural_collage.training.callbacks.checkpoints import Checkpoints
from neural_collage.training.callbacks.ema import Ema
from neural_collage.training.callbacks.gradients import GradientGuard
from neural_collage.training.callbacks.interruption import Interruption, TrainingStoppedError
from neural_collage.training.callbacks.seeds import StepSeeds
from tests.training.toy import Denoising
from tests.training.toy_runs import Record, Terminate, fit, lightning_noise, make_task

pytestmark = lightning_noise

EPOCHS: dict[str, Any] = {"max_epochs": 3}
STEPS: dict[str, Any] = {
    "max_steps": 12,
    "val_check_interval": 3,
    "check_val_every_n_epoch": None,
}
ACCUMULATED: dict[str, Any] = {"max_epochs": 3, "accumulate_grad_batches": 2}


def train(
    folder: Path, *callbacks: Callback, **settings: Any
) -> tuple[Denoising, Record, dict[str, Any]]:
    """A training with all callbacks: its task, its record and its last checkpoint."""
    record, task = Record(), make_task(noise=0.1)
    parts = [Ema(0.9), StepSeeds(), GradientGuard(), *callbacks, record, Interruption()]
    stops = any(isinstance(callback, Terminate) for callback in callbacks)
    saved = "its state is saved: resume with --ckpt last"
    with pytest.raises(TrainingStoppedError, match=saved) if stops else nullcontext() as stopped:
        fit(folder, *parts, Checkpoints(every_n_steps=None), task=task, **settings)
    assert stopped is None or stopped.value.signal == signal.SIGTERM
    return task, record, torch.load(folder / "checkpoints/last.ckpt", weights_only=True)


@pytest.mark.parametrize(
    ("settings", "when"),
    [
        (EPOCHS, {"step": 2}),
        (EPOCHS, {"step": 4}),  # the last of an epoch: a validation is due
        (EPOCHS, {"validation": 8}),
        (STEPS, {"step": 3}),
        (STEPS, {"step": 5}),
        (STEPS, {"validation": 6}),
        (ACCUMULATED, {"step": 3}),
        (ACCUMULATED, {"validation": 4}),
    ],
)
def test_a_stopped_and_resumed_training_equals_an_uninterrupted_one(
    tmp_path: Path, settings: dict[str, Any], when: dict[str, int]
) -> None:
    task, whole, checkpoint = train(tmp_path / "whole", **settings)
    _, first, stopped = train(tmp_path / "parts", Terminate(**when), **settings)
    assert stopped["global_step"] == max(when.values())
    assert len(first.losses) < len(whole.losses)
    last = tmp_path / "parts/checkpoints/last.ckpt"
    resumed_task, second, resumed = train(tmp_path / "parts", ckpt_path=last, **settings)
    assert first.losses + second.losses == whole.losses
    assert first.validations + second.validations == whole.validations
    for name, value in task.state_dict().items():
        assert torch.equal(resumed_task.state_dict()[name], value)
        assert torch.equal(resumed["state_dict"][name], checkpoint["state_dict"][name])


@pytest.mark.parametrize(
    ("short", "long"), [({"max_epochs": 1}, EPOCHS), ({**STEPS, "max_steps": 6}, STEPS)]
)
def test_a_finished_training_can_be_made_longer(
    tmp_path: Path, short: dict[str, Any], long: dict[str, Any]
) -> None:
    _, whole, _ = train(tmp_path / "whole", **long)
    _, first, _ = train(tmp_path / "parts", **short)
    last = tmp_path / "parts/checkpoints/last.ckpt"
    _, second, _ = train(tmp_path / "parts", ckpt_path=last, **long)
    assert first.losses + second.losses == whole.losses
    assert first.validations + second.validations == whole.validations


def test_handlers_are_restored(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    train(tmp_path, Terminate(step=1), **EPOCHS)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


class Interrupt(Callback):
    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_without_checkpoints_reports_that_nothing_is_saved(
    tmp_path: Path,
) -> None:
    with pytest.raises(TrainingStoppedError, match="by SIGINT after step 1; nothing is saved"):
        fit(tmp_path, Interrupt(), Interruption())


def test_the_second_signal_has_its_default_effect(tmp_path: Path) -> None:
    interruption = Interruption()
    interruption.on_train_start(Trainer(logger=False, barebones=True), make_task())
    try:
        interruption._receive(signal.SIGTERM, None)
        assert interruption.received == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
