"""The processes of a training: which of them is the first, and whether all do the same."""

import torch.distributed
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from neural_collage.errors import CheckpointError, TrainingError


def is_first_process() -> bool:
    """Whether this process is the one that writes files and speaks to the user.

    Lightning, torchrun and SLURM tell each process its number before it starts.
    """
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether an error of a training means that another of its processes has ended."""
    # The backend of GPUs has errors of its own, that of CPUs only names itself.
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


class Agreement(Callback):
    """Refuses a training whose processes would do different things, or wait for each other.

    step: where this process goes on, 0 if it starts anew.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        first = trainer.strategy.broadcast(self.step)
        if _anywhere(trainer, first != self.step):
            raise CheckpointError(
                f"the first process goes on after step {first} and others do not: all machines "
                f"must see the same {trainer.default_root_dir} and checkpoint"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        batches = trainer.num_training_batches
        first = trainer.strategy.broadcast(batches)
        if _anywhere(trainer, first != batches):
            raise TrainingError(
                f"the first process has {first} batches to train on and others have not: all "
                "machines must see the same images"
            )


def _anywhere(trainer: Trainer, problem: bool) -> bool:
    """Whether any process has the problem."""
    return trainer.strategy.reduce_boolean_decision(problem, all=False)
