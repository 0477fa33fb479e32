"""Keeps from users what Lightning tells its own developers."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

HARMLESS = (
    # Lightning 2.6 with torch 2.13: its own use of torch's trees.
    r".*treespec, LeafSpec.*is deprecated",
    # It compares with the batches of an epoch; what is logged depends on the step alone.
    r".*smaller than the logging interval",
    # Torch, when a loss scaler finds its scale in the first steps; they are counted as skipped.
    r".*lr_scheduler.step\(\)` before `optimizer.step\(\)",
    # Where SLURM is installed, also when srun has started the training in an interactive job.
    r".*`srun` command is available on your system but is not used",
    # Torch, of gradients that several processes average: 1x1 convolutions have two equal layouts.
    r".*Grad strides do not match bucket view strides",
)
"""Warnings that say nothing about a user's config, as patterns of their texts."""

LOGGERS = ("lightning.pytorch", "lightning.fabric")


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Inside, Lightning logs no notices, and warns only of what a user can do something about."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    with warnings.catch_warnings():
        for pattern in HARMLESS:
            warnings.filterwarnings("ignore", pattern)
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
