"""The run folder: its files, its checkpoints, and the config stored in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from neural_collage.errors import CheckpointError, OutputError
from neural_collage.io.files import write_atomically
from neural_collage.training.callbacks.checkpoints import LAST, NEXT, PREVIOUS
from neural_collage.training.checkpoint_io import CONFIG

RUN_FILES = (
    "config.yaml",
    "metrics.csv",
    "wandb.txt",
    "events.out.tfevents.*",
    "checkpoints/*.ckpt",
    "pictures/*/step-*.png",
)
"""Files that a training writes into its run folder, as glob patterns."""


class ConfigKeeper(Callback):
    """Stores the config of an experiment in its checkpoints and its run folder.

    config: as nested mappings, numbers, strings and lists.
    text: the same as YAML.
    """

    def __init__(self, config: Mapping[str, Any], text: str) -> None:
        self.config = dict(config)
        self.text = text

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            folder = Path(trainer.default_root_dir)
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "config.yaml", self.text.encode())

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[CONFIG] = self.config


def find_checkpoint(name: str, folder: Path) -> Path | None:
    """The checkpoint "last" or "best" of a run folder, or at a path.

    Returns None for "last" of a run without checkpoints.

    Raises:
        CheckpointError: there is no such checkpoint.
    """
    checkpoints = folder / "checkpoints"
    if name == "last":
        # A process killed between the renames of a save leaves one of the other two.
        candidates = [checkpoints / each for each in (LAST, NEXT, PREVIOUS)]
        return next((path for path in candidates if path.exists()), None)
    path = checkpoints / "best.ckpt" if name == "best" else Path(name)
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such checkpoint: give last, best or the path of a file; to evaluate, also "
            "the name of weights"
        )
    return path


def require_no_run(folder: Path) -> None:
    """Check that a folder holds no training.

    Raises:
        OutputError: it does.
    """
    if any((folder / "checkpoints").glob("*.ckpt")):
        raise OutputError(
            f"{folder} holds a training: --ckpt last resumes it, --overwrite replaces it, and "
            "--trainer.default_root_dir names another folder"
        )


def clear(folder: Path) -> None:
    """Create the folder of a new run, or delete the files of an earlier run from it.

    Raises:
        OutputError: the folder cannot be created or changed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pattern in RUN_FILES:
            for path in folder.glob(pattern):
                path.unlink()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used for a run: {error.strerror}") from error
