"""Seeds that depend on the position in a training alone, so that resumed runs are exact."""

import hashlib
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class StepSeeds(Callback):
    """Seeds torch before every training batch and every validation.

    Noise, dropout and sampling then depend on the seed, the process, the epoch and the batch
    alone: a resumed run draws the same numbers as an uninterrupted one, regardless of validations
    and picture grids in between. All validations draw the same numbers, so that they are
    comparable. The seed is that of `seed_everything`, and is stored in checkpoints.
    """

    def __init__(self) -> None:
        self.seed: int | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.seed is None:
            self.seed = torch.initial_seed()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._seed(trainer, pl_module, "train", trainer.current_epoch, batch_idx)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seed(trainer, pl_module, "validation")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seed(trainer, pl_module, "test")

    def _seed(self, trainer: Trainer, module: LightningModule, *place: object) -> None:
        seed = derived_seed(self.seed, trainer.global_rank, *place)
        if module.device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # without initialising other devices
        else:
            torch.manual_seed(seed)

    def state_dict(self) -> dict[str, Any]:
        return {"seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seed = state_dict["seed"]


def derived_seed(*parts: object) -> int:
    """A seed in 0..2^63 - 1 from numbers and strings, the same on every machine."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
