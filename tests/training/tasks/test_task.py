from collections.abc import Iterator
from pathlib import Path
from typing import final

import pytest
import torch
from torch import Tensor

from neural_collage.errors import ConfigError
from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.task import Task
from tests.training.toy import Denoising, Linear, Ramps
from tests.training.toy_runs import Record, fit, lightning_noise, make_task, make_trainer

pytestmark = lightning_noise


class Batches:
    """A loader of given batches."""

    def __init__(self, *batches: Tensor) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def test_a_validation_is_the_mean_over_all_pictures(tmp_path: Path) -> None:
    task, pictures = make_task(), Ramps(val=12).val
    batches = Batches(pictures[:8], pictures[8:])
    (metrics,) = make_trainer(tmp_path).validate(task, dataloaders=batches, verbose=False)
    errors = (task.model(pictures) - pictures).square().mean()
    assert metrics["val/loss"] == pytest.approx(float(errors.detach()))


def test_names_of_logged_losses_begin_with_the_stage(tmp_path: Path) -> None:
    task, trainer = make_task(), make_trainer(tmp_path, max_steps=4)
    trainer.fit(task, datamodule=Ramps())
    assert {"train/loss", "train/error", "val/loss", "val/error"} <= trainer.callback_metrics.keys()
    (metrics,) = trainer.test(task, datamodule=Ramps(), verbose=False)
    assert metrics.keys() == {"test/loss", "test/error"}


def test_the_learning_rate_schedule_ends_at_the_last_step_of_the_trainer(tmp_path: Path) -> None:
    rates: dict[str, list[float]] = {}
    for name, limits in {"epochs": {"max_epochs": 2}, "steps": {"max_steps": 8}}.items():
        task = Denoising(Linear(), OptimiserConfig(1e-2, warmup_steps=2))
        trainer = make_trainer(tmp_path, **limits)
        trainer.fit(task, datamodule=Ramps(val=0))
        rates[name] = [group["lr"] for group in trainer.optimizers[0].param_groups]
    assert rates["epochs"] == rates["steps"] == [0.0, 0.0]


def test_training_reduces_the_loss(tmp_path: Path) -> None:
    record = Record()
    fit(tmp_path, record, max_epochs=50, val=0)
    assert record.losses[-1][1] < record.losses[0][1] / 10


def test_a_trainer_without_last_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set trainer.max_steps or trainer.max_epochs"):
        fit(tmp_path, max_epochs=-1)


def test_an_optimiser_that_does_not_fit_the_model_is_refused(tmp_path: Path) -> None:
    task = Denoising(Linear(), OptimiserConfig(multipliers={"nothing": 0.1}))
    with pytest.raises(ConfigError, match=r"model.init_args.optimiser: .*starts with nothing"):
        fit(tmp_path, task=task)


@final
class Wrong(Task):
    """Returns invalid losses."""

    returned: dict[str, Tensor]

    def losses(self, batch: Tensor) -> dict[str, Tensor]:
        return self.returned


@pytest.mark.parametrize(
    "returned", [{"error": torch.zeros(())}, {"loss": torch.zeros(()), "each": torch.zeros(3)}]
)
def test_losses_must_be_scalars_with_one_of_them_the_loss(
    tmp_path: Path, returned: dict[str, Tensor]
) -> None:
    task = Wrong(Linear(), OptimiserConfig())
    task.returned = returned
    with pytest.raises(TypeError, match=r"Wrong.losses must return scalars, 'loss' among them"):
        make_trainer(tmp_path, max_steps=1).fit(task, datamodule=Ramps())
