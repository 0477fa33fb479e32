"""What is trained: a model, its losses on a batch of pictures, and how it is optimised."""

from abc import ABC, abstractmethod
from typing import Literal

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
    """Base of everything `collage train` can train; subclasses say what the losses are.

    A subclass is final. It implements `losses`, may implement `pictures`, and may take settings
    of its own in `__init__`, with defaults and documented there: they are keys of the config.

    Args:
        model: The network, saved and averaged as `model.*`.
        optimiser: How it is optimised.
    """

    def __init__(self, model: nn.Module, optimiser: OptimiserConfig) -> None:
        super().__init__()
        self.model = model
        self.optimiser = optimiser

    def begin(self, data: LightningDataModule) -> None:
        """Prepare the model for a training that starts from the beginning; `data` is set up.

        Every process does it, with the same result.
        """
        return

    @abstractmethod
    def losses(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """Scalars by name for a batch of pictures in [0, 1]; "loss" is minimised, all are logged.

        Also called for validation and test, with the averaged weights, in eval mode and without
        gradient; `self.training` tells.
        """

    def pictures(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Float[Tensor, "n c h w"]]:
        """Pictures worth looking at while training, in [0, 1], by name; each name is a grid.

        Called in eval mode with the averaged weights and without gradient, on at most as many
        pictures of the validation set as a grid shows.
        """
        return {}

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        losses = self._checked_losses(batch)
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined] # set in its __init__
        if (self.global_step + 1) % every == 0:
            self._log_over_devices(losses)
        return losses["loss"]

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self._log_mean("val", batch)

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        self._log_mean("test", batch)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW; warm-up and cosine over the steps the trainer is going to take.

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
        # A lambda, because a checkpoint would hold what is not a plain function.
        schedule = LambdaLR(optimiser, lambda step: self._learning_rate_factor(step))
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _learning_rate_factor(self, step: int) -> float:
        # The trainer can say how many steps there will be only after it has made the loaders. If
        # it were made to do that while it sets up a resumed training, it would not restore them.
        total = 1 if step == 0 else int(self.trainer.estimated_stepping_batches)
        return learning_rate_factor(step, self.optimiser, total)

    def _checked_losses(self, batch: Tensor) -> dict[str, Tensor]:
        losses = self.losses(batch)
        wrong = [name for name, value in losses.items() if value.ndim]
        if "loss" not in losses or wrong:
            raise TypeError(
                f"{type(self).__name__}.losses must return scalars, 'loss' among them; got "
                f"{ {name: tuple(value.shape) for name, value in losses.items()} }"
            )
        return losses

    def _log_over_devices(self, losses: dict[str, Tensor]) -> None:
        """Log means over all devices, at the cost of one message; the devices' batches are alike.

        Lightning's sync_dist would send one per loss and step, logged or not.
        """
        values = torch.stack([value.detach().float().to(self.device) for value in losses.values()])
        means = self.trainer.strategy.reduce(values, reduce_op="mean")
        assert isinstance(means, Tensor)
        for name, mean in zip(losses, means, strict=True):
            self.log(f"train/{name}", mean)

    def _log_mean(self, stage: Stage, batch: Tensor) -> None:
        """Log means over the whole set of pictures, on all devices."""
        for name, value in self._checked_losses(batch).items():
            self.log(f"{stage}/{name}", value, on_epoch=True, sync_dist=True, batch_size=len(batch))
