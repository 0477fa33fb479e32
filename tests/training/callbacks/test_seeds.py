from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from neural_collage.training.callbacks.seeds import StepSeeds, derived_seed
from tests.training.toy_runs import Record, fit, lightning_noise, make_task

pytestmark = lightning_noise


class Draw(Callback):
    """Draws random numbers after every batch."""

    def on_train_batch_end(self, *_: Any) -> None:
        torch.rand(3)


class Drawn(Callback):
    """Records numbers drawn in validations."""

    def __init__(self) -> None:
        self.numbers: list[float] = []

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if batch_idx == 0 and not trainer.sanity_checking:
            self.numbers.append(float(torch.rand(())))


def test_other_users_of_random_numbers_do_not_change_the_training(tmp_path: Path) -> None:
    alone, disturbed = Record(), Record()
    fit(tmp_path, StepSeeds(), alone, task=make_task(noise=0.5), max_steps=6)
    fit(tmp_path, StepSeeds(), Draw(), disturbed, task=make_task(noise=0.5), max_steps=6, val=0)
    assert alone.losses == disturbed.losses
    assert len({loss for _, loss in alone.losses}) == 6


def test_every_validation_draws_the_same_numbers(tmp_path: Path) -> None:
    drawn = Drawn()
    fit(tmp_path, StepSeeds(), drawn)
    assert len(drawn.numbers) == 4
    assert len(set(drawn.numbers)) == 1


def test_seeds_depend_on_every_part() -> None:
    seeds = {derived_seed(*parts) for parts in [(0, "a", 1), (0, "b", 1), (1, "a", 1), (0, "a", 2)]}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derived_seed(0, "a", 1) == 1497209822362405998  # on every machine
