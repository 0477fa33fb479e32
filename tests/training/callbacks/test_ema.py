from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from neural_collage.training.callbacks.checkpoints import Checkpoints
from neural_collage.training.callbacks.ema import Ema
from neural_collage.training.tasks.optimiser import OptimiserConfig
from tests.training.toy import Denoising
from tests.training.toy_runs import fit, lightning_noise, make_task, weights

pytestmark = lightning_noise


class Weights(Callback):
    """The weights after every step, and those in validations."""

    def __init__(self) -> None:
        self.trained: list[dict[str, Tensor]] = []
        self.validated: list[dict[str, Tensor]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.trained.append(weights(pl_module))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.trained.append(weights(pl_module))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self.validated.append(weights(pl_module))


def averages(trained: list[dict[str, Tensor]], decay: float) -> list[dict[str, Tensor]]:
    """The running average by its definition, in float64."""
    average = {name: value.double() for name, value in trained[0].items()}
    result = []
    for n, values in enumerate(trained[1:]):
        d = min(decay, (1 + n) / (10 + n))
        average = {k: d * average[k] + (1 - d) * values[k].double() for k in average}
        result.append(average)
    return result


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9])  # 0.3 is reached after 3 steps, 0.9 never
def test_validation_uses_the_running_average_of_all_steps(tmp_path: Path, decay: float) -> None:
    record = Weights()
    fit(tmp_path, Ema(decay), record, max_steps=8)
    expected = averages(record.trained, decay)
    assert len(record.validated) == 2
    for validated, average in zip(record.validated, (expected[3], expected[7]), strict=True):
        for name, value in validated.items():
            torch.testing.assert_close(value.double(), average[name], rtol=0, atol=1e-6)
    difference = (
        record.validated[1]["model.layers.1.weight"] - record.trained[-1]["model.layers.1.weight"]
    )
    assert (float(difference.abs().max()) > 1e-4) == (decay > 0)


def test_training_does_not_depend_on_the_average(tmp_path: Path) -> None:
    plain, averaged = Weights(), Weights()
    fit(tmp_path, plain, max_steps=8)
    fit(tmp_path, Ema(0.9), averaged, max_steps=8)
    assert all(
        torch.equal(a[name], b[name])
        for a, b in zip(plain.trained, averaged.trained, strict=True)
        for name in a
    )


def test_accumulated_gradients_make_one_step_of_the_average(tmp_path: Path) -> None:
    ema = Ema(0.9)
    fit(tmp_path, ema, accumulate_grad_batches=4)
    assert ema.updates == 4


def test_a_checkpoint_holds_the_average_as_its_weights(tmp_path: Path) -> None:
    record = Weights()
    ema = Ema(0.9)
    fit(tmp_path, ema, record, Checkpoints(), max_steps=8)
    checkpoint = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    for name, value in averages(record.trained, 0.9)[-1].items():
        torch.testing.assert_close(
            checkpoint["state_dict"][name].double(), value, rtol=0, atol=1e-6
        )
        assert torch.equal(checkpoint["training_weights"][name], record.trained[-1][name])


def test_a_resumed_average_is_bit_exact(tmp_path: Path) -> None:
    whole, second = Weights(), Weights()
    fit(tmp_path / "a", Ema(0.9), whole, Checkpoints(), max_steps=16)
    fit(tmp_path / "b", Ema(0.9), Checkpoints(), max_steps=8)
    last = tmp_path / "b/checkpoints/last.ckpt"
    fit(tmp_path / "b", Ema(0.9), second, Checkpoints(), max_steps=16, ckpt_path=last)
    assert all(torch.equal(whole.validated[-1][k], v) for k, v in second.validated[-1].items())


class Shared(nn.Module):
    """Two layers with the same weights, and buffers of both kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm2d(1)

    def forward(self, batch: Tensor) -> Tensor:
        result: Tensor = self.norm(self.second(self.first(batch)))
        return result


def test_shared_weights_and_buffers_are_exchanged_once(tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = Denoising(Shared(), OptimiserConfig(1e-1))
    ema = Ema(0.9)
    fit(tmp_path, ema, task=task, max_steps=4)
    before = weights(task)
    with ema.applied(task), ema.applied(task):
        inside = weights(task)
    assert all(torch.equal(before[name], value) for name, value in weights(task).items())
    assert torch.equal(inside["model.first.weight"], inside["model.second.weight"])
    assert not torch.equal(inside["model.first.weight"], before["model.first.weight"])
    assert not torch.equal(inside["model.norm.running_var"], before["model.norm.running_var"])
    assert inside["model.norm.num_batches_tracked"] == before["model.norm.num_batches_tracked"]


class Break(Callback):
    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if not trainer.sanity_checking:
            raise KeyError("in the middle of a validation")


def test_an_error_in_a_validation_leaves_the_training_weights(tmp_path: Path) -> None:
    task, record = make_task(), Weights()
    with pytest.raises(KeyError):
        fit(tmp_path, Ema(0.9), record, Break(), task=task)
    assert all(torch.equal(record.trained[-1][k], v) for k, v in weights(task).items())


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_outside_its_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=f"decay {decay}"):
        Ema(decay)
