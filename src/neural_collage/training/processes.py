"""The processes of a training: the rank of this one, and checks that all of them agree."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from neural_collage.errors import CheckpointError, TrainingError


def is_first_process() -> bool:
    """Whether this process has rank 0, which writes files and prints messages.

    Lightning, torchrun and SLURM set the rank of each process before it starts.
    """
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether an error of a training means that another of its processes has ended."""
    # NCCL raises a type of its own; gloo, the CPU backend, is recognised by its message alone.
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


@contextmanager
def leaving_process_group() -> Iterator[None]:
    """Leave the group of processes at the end, while Python still runs.

    gloo's threads hold tensors. If they live on while the interpreter shuts down, they sometimes
    abort the process, and its exit code is lost (https://github.com/pytorch/pytorch/pull/179291).
    """
    try:
        yield
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


class ProcessConsistencyCheck(Callback):
    """Raises before training if processes differ in their start step or number of batches.

    They would train on different things, or wait for each other forever.

    step: number of optimiser steps done in this process's checkpoint, 0 without one.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        first = trainer.strategy.broadcast(self.step)
        if _anywhere(trainer, first != self.step):
            raise CheckpointError(
                f"the first process resumes after step {first} and others do not: all machines "
                f"must have the same {trainer.default_root_dir} and checkpoint"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        batches = trainer.num_training_batches
        first = trainer.strategy.broadcast(batches)
        if _anywhere(trainer, first != batches):
            raise TrainingError(
                f"the first process has {first} batches to train on and others do not: all "
                "machines must have the same images"
            )


def _anywhere(trainer: Trainer, problem: bool) -> bool:
    """Whether `problem` is true in any process."""
    return trainer.strategy.reduce_boolean_decision(problem, all=False)
