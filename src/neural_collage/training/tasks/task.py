"""Base class of tasks: a model, its losses on a batch of pictures, and its optimiser."""

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from jaxtyping import Float
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from neural_collage.errors import ConfigError
from neural_collage.training.tasks.optimiser import (
    OptimiserConfig,
    learning_rate_factor,
    make_optimiser,
)

Stage = Literal["train", "val", "test"]


class Task(LightningModule, ABC):
    """Base of the tasks of `collage train`; subclasses define the losses.

    A subclass is final. It implements `losses`, may implement `validation_losses`, `pictures` and
    `begin`, and may have further arguments of `__init__`, with defaults and documented there: they
    are keys of the config.

    Args:
        model: The network, saved and averaged as `model.*`.
        optimiser: Optimiser and learning rate.
    """

    def __init__(self, model: nn.Module, optimiser: OptimiserConfig) -> None:
        super().__init__()
        self.model = model
        self.optimiser = optimiser

    def begin(self, data: LightningDataModule) -> None:
        """Prepare the model for a training that starts from the beginning; `data` is set up.

        Called in every process; the result must be the same in all of them.
        """
        return

    @abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Scalars by name for a batch of pictures in [0, 1]; "loss" is minimised, all are logged.

        batch: (b, c, h, w), or `data.loader.Labelled` for data with classes.

        Used in training, and by `validation_losses` unless that is overridden.
        """

    def validation_losses(self, batch: Any) -> dict[str, Tensor]:
        """The losses in validation and test: those of training, unless overridden.

        Called with the averaged weights, in eval mode and without gradient.
        """
        return self.losses(batch)

    def pictures(self, batch: Any) -> dict[str, Float[Tensor, "n c h w"]]:
        """Pictures for inspection during training, in [0, 1], by name; each name becomes a grid.

        Called in eval mode with the averaged weights and without gradient, on the pictures of the
        validation set that a grid shows.
        """
        return {}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        losses = self._checked(self.losses(batch))
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined] # set in its __init__
        if (self.global_step + 1) % every == 0:
            self._log_over_devices(losses)
        return losses["loss"]

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._log_mean("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._log_mean("test", batch)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW; warm-up and cosine over the steps of the trainer.

        Raises:
            ConfigError: the trainer has no last step, or the optimiser does not fit the model.
        """
        if self.trainer.max_steps == -1 and self.trainer.max_epochs == -1:
            raise ConfigError(
                "the learning rate needs a last step: set trainer.max_steps or trainer.max_epochs"
            )
        try:
            optimiser = make_optimiser(self.model, self.optimiser)
        except ValueError as error:
            raise ConfigError(f"model.init_args.optimiser: {error}") from error
        # A lambda, because LambdaLR saves the state of other callables in checkpoints.
        schedule = LambdaLR(optimiser, lambda step: self._learning_rate_factor(step))
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _learning_rate_factor(self, step: int) -> float:
        # The trainer needs the loaders to compute the number of steps. If it created them this
        # early in a resumed training, it would not restore their state.
        total = 1 if step == 0 else int(self.trainer.estimated_stepping_batches)
        return learning_rate_factor(step, self.optimiser, total)

    def _checked(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        if "loss" not in losses or any(value.ndim for value in losses.values()):
            raise TypeError(
                f"{type(self).__name__}.losses must return scalars, 'loss' among them; got "
                f"{ {name: tuple(value.shape) for name, value in losses.items()} }"
            )
        return losses

    def _log_over_devices(self, losses: dict[str, Tensor]) -> None:
        """Log means over all devices, whose batches have equal sizes, with one reduction.

        Lightning's sync_dist would reduce each loss at every step, logged or not.
        """
        values = torch.stack([value.detach().float().to(self.device) for value in losses.values()])
        means = self.trainer.strategy.reduce(values, reduce_op="mean")
        assert isinstance(means, Tensor)
        for name, mean in zip(losses, means, strict=True):
            self.log(f"train/{name}", mean)

    def _log_mean(self, stage: Stage, batch: Any) -> None:
        """Log means over the whole set of pictures, on all devices."""
        for name, value in self._checked(self.validation_losses(batch)).items():
            self.log(f"{stage}/{name}", value, on_epoch=True, sync_dist=True, batch_size=len(batch))
