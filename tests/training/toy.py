"""A small task, model and data module for tests, which configs can name."""

from collections.abc import Iterator
from typing import final

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn

from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.task import Task


def linear_autoencoder(width: int = 2) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, width), nn.Linear(width, 16), nn.Unflatten(1, (1, 4, 4))
    )


class Linear(nn.Module):
    """A linear autoencoder of 4x4 pictures.

    Args:
        width: Size of the code.
    """

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.layers = linear_autoencoder(width)

    def forward(self, batch: Tensor) -> Tensor:
        result: Tensor = self.layers(batch)
        return result


@final
class Denoising(Task):
    """Removes noise.

    Args:
        model: Pictures to pictures.
        optimiser: How it is optimised.
        noise: Standard deviation of the noise added to the input.
        explode_at: Optimiser steps whose loss is multiplied by 1000.
        nan_at: Optimiser steps whose loss is not a number on the last of the devices.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: OptimiserConfig,
        noise: float = 0.0,
        explode_at: tuple[int, ...] = (),
        nan_at: tuple[int, ...] = (),
    ) -> None:
        super().__init__(model, optimiser)
        self.noise = noise
        self.explode_at = explode_at
        self.nan_at = nan_at

    def losses(self, batch: Tensor) -> dict[str, Tensor]:
        error = (self._restore(batch) - batch).square().mean()
        loss = error * 1.0
        if self.training and self.global_step in self.explode_at:
            loss = loss * 1000
        last = self.trainer.global_rank == self.trainer.world_size - 1
        if self.training and self.global_step in self.nan_at and last:
            loss = loss * torch.nan
        return {"loss": loss, "error": error}

    def pictures(self, batch: Tensor) -> dict[str, Tensor]:
        return {"original": batch, "restored": self._restore(batch)}

    def _restore(self, batch: Tensor) -> Tensor:
        noisy = batch + self.noise * torch.randn_like(batch)
        restored: Tensor = self.model(noisy)
        return restored


class Loader:
    """Batches that can be resumed in the middle of an epoch, divided among processes by item."""

    batch_sampler = None  # Lightning requires it of loaders with a sampler

    def __init__(
        self, pictures: Tensor, batch_size: int, share: tuple[int, int], shuffle: bool = False
    ) -> None:
        self.pictures = pictures
        self.rank, world = share
        self.world = world
        self.batch_size = batch_size * world
        self.shuffle = shuffle
        self.epoch = self.position = self.resume_at = 0

    @property
    def sampler(self) -> "Loader":
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.pictures) // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        first, self.resume_at = self.resume_at, 0
        order = torch.arange(len(self.pictures))
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.epoch)
            order = torch.randperm(len(self.pictures), generator=generator)
        for batch in range(first, len(self)):
            self.position = batch + 1
            chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield self.pictures[chosen[self.rank :: self.world]]

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.resume_at = state["position"] % len(self)


@final
class Ramps(LightningDataModule):
    """Pictures of linear ramps in all directions.

    Args:
        count: Number of training pictures.
        batch_size: Items of a batch in each process.
        val: Number of validation pictures; 0 for no validation.
    """

    def __init__(self, count: int = 32, batch_size: int = 8, val: int = 8) -> None:
        super().__init__()
        slopes = torch.rand(count + 2 * val, 2, generator=torch.Generator().manual_seed(1)) / 6
        grid = torch.stack(torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij"))
        pictures = torch.einsum("nd,dhw->nhw", slopes, grid)[:, None]
        self.train, self.val, self.test = pictures.split([count, val, val])
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        if not len(self.val) and self.trainer is not None:
            self.trainer.limit_val_batches = 0

    def train_dataloader(self) -> Loader:
        return Loader(self.train, self.batch_size, self._share, shuffle=True)

    def val_dataloader(self) -> Loader:
        return Loader(self.val, self.batch_size, self._share)

    def test_dataloader(self) -> Loader:
        return Loader(self.test, self.batch_size, self._share)

    @property
    def _share(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
