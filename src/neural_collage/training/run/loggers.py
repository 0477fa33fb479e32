"""Loggers: a CSV file and TensorBoard's files in the run folder, W&B on request.

A resumed run continues the files of the interrupted one and drops what was logged after the
checkpoint. In all of them `step` counts the optimiser steps done.
"""

import csv
import io
import secrets
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image

from neural_collage.errors import MissingExtraError
from neural_collage.io.files import write_atomically
from neural_collage.training.processes import is_first_process

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


@dataclass(frozen=True)
class LoggingConfig:
    """Loggers beside metrics.csv.

    Attributes:
        tensorboard: Write TensorBoard's files into the run folder.
        wandb: Log to Weights & Biases, which must be installed.
        project: The project at Weights & Biases.
    """

    tensorboard: bool = True
    wandb: bool = False
    project: str = "neural-collage"


def make_loggers(config: LoggingConfig, folder: Path, step: int) -> list[Logger]:
    """The loggers of a run that starts after `step` steps: 0, or those of a checkpoint.

    Raises:
        MissingExtraError: W&B is requested and not installed.
    """
    loggers: list[Logger] = [MetricsCsv(folder, step)]
    if config.tensorboard:
        loggers.append(TensorBoard(folder, step))
    if config.wandb:
        loggers.append(_wandb(config.project, folder))
    return loggers


class MetricsCsv(Logger):
    """metrics.csv: a row for each call of the logger, a column for each metric.

    The file is complete after every row; it is rewritten when a column is added.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        super().__init__()
        self.path = folder / "metrics.csv"
        self._resumed_at = step
        self._columns: list[str] = []  # of the file, once there is one

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        row = {"step": str((step or 0) + 1), **{k: repr(float(v)) for k, v in metrics.items()}}
        if self._columns and row.keys() <= set(self._columns):
            with self.path.open("a", newline="") as file:
                self._writer(file).writerow(row)
        else:
            self._rewrite(row)

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Does nothing: config.yaml holds them."""

    def _rewrite(self, row: dict[str, str]) -> None:
        rows = []
        if self.path.exists() and (self._columns or self._resumed_at):
            with self.path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            if not self._columns:
                rows = [earlier for earlier in rows if int(earlier["step"]) <= self._resumed_at]
        rows.append(row)
        names = dict.fromkeys(name for each in rows for name in each)
        self._columns = ["step", *sorted(names.keys() - {"step"})]
        text = io.StringIO()
        self._writer(text).writeheader()
        self._writer(text).writerows(rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, text.getvalue().encode())

    def _writer(self, file: io.TextIOBase) -> "csv.DictWriter[str]":
        return csv.DictWriter(file, self._columns, restval="", lineterminator="\n")


class TensorBoard(Logger):
    """TensorBoard's event files, directly in the run folder."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        super().__init__()
        self._folder = folder
        self._purge_step = step + 1 if step else None
        self._writer: SummaryWriter | None = None

    @property
    def name(self) -> str:
        return "tensorboard"

    @property
    def version(self) -> str:
        return ""

    @property
    def _events(self) -> "SummaryWriter":
        if self._writer is None:  # created on first use, thus in the process of rank 0 alone
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=self._purge_step)
        return self._writer

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            self._events.add_scalar(name, float(value), (step or 0) + 1)

    @rank_zero_only
    def log_image(self, key: str, images: list[Image.Image], step: int) -> None:
        """Log pictures under one name, with the signature of W&B's logger.

        step: optimiser steps done.
        """
        for image in images:
            form = "HWC" if image.mode == "RGB" else "HW"
            self._events.add_image(key, np.asarray(image), step, dataformats=form)

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Does nothing: config.yaml holds them."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _wandb(project: str, folder: Path) -> Logger:
    """W&B's logger; the id of the run is kept in the run folder, for resumed runs."""
    try:
        from lightning.pytorch.loggers import WandbLogger

        name_file = folder / "wandb.txt"
        name = name_file.read_text() if name_file.exists() else secrets.token_hex(4)
        logger = WandbLogger(
            name=folder.name, id=name, project=project, save_dir=folder, resume="allow"
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError("logging.wandb: W&B is not installed: pip install wandb") from error
    if is_first_process():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(name_file, name.encode())
    return logger
