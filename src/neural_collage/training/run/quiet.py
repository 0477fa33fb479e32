"""Filters for warnings and notices of Lightning and torch that users cannot act on."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

HARMLESS = (
    # Lightning 2.6 with torch 2.13: deprecated use of torch's pytrees.
    r".*treespec, LeafSpec.*is deprecated",
    # Lightning compares with the batches of an epoch; logging here depends on the step alone.
    r".*smaller than the logging interval",
    # Torch, while a loss scaler adapts in the first steps; these are counted as skipped.
    r".*lr_scheduler.step\(\)` before `optimizer.step\(\)",
    # Lightning where SLURM is installed, even if srun has started an interactive job.
    r".*`srun` command is available on your system but is not used",
    # Torch, for gradients averaged over processes: 1x1 convolutions have two equal layouts.
    r".*Grad strides do not match bucket view strides",
)
"""Warnings that do not depend on the user's config, as patterns of their messages."""

LOGGERS = ("lightning.pytorch", "lightning.fabric")


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Inside, Lightning logs no notices, and the `HARMLESS` warnings are ignored."""
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
