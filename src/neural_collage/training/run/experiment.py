"""Experiments built from a config: a task, its data and a trainer, to train or to evaluate."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import (  # type: ignore[attr-defined] # which it exports at run time
    ActionConfigFile,
    ArgumentError,
    ArgumentParser,
    Namespace,
)
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, Trainer, seed_everything
from lightning.pytorch.cli import LightningArgumentParser

from neural_collage.codec.container import ModelId
from neural_collage.errors import CheckpointError, ConfigError, OutputError, TrainingError
from neural_collage.training.callbacks.checkpoints import Checkpoints, resume_hint
from neural_collage.training.callbacks.ema import Ema
from neural_collage.training.callbacks.gradients import GradientGuard
from neural_collage.training.callbacks.interruption import Interruption
from neural_collage.training.callbacks.monitor import StepMonitor
from neural_collage.training.callbacks.pictures import PictureGrids
from neural_collage.training.callbacks.progress import TrainingProgress
from neural_collage.training.callbacks.seeds import StepSeeds
from neural_collage.training.checkpoint_io import read_checkpoint, require_same_model
from neural_collage.training.finished import load_finished, names_weights
from neural_collage.training.processes import (
    ProcessConsistencyCheck,
    is_first_process,
    is_lost_connection,
)
from neural_collage.training.run.config_errors import explain
from neural_collage.training.run.folder import ConfigKeeper, clear, find_checkpoint, require_no_run
from neural_collage.training.run.launch import launch, make_trainer
from neural_collage.training.run.loggers import LoggingConfig, make_loggers
from neural_collage.training.tasks.task import Task

CALLBACKS: dict[str, type[Callback]] = {
    "ema": Ema,
    "gradients": GradientGuard,
    "checkpoints": Checkpoints,
    "pictures": PictureGrids,
}
"""The parts of every training config, beside task, data and trainer."""
_IRRELEVANT_TO_EVALUATION = (
    "optimiser",
    "importance_samples",
    "start",
    "rate_warmup_steps",
    "rdoq_from",
)
"""Keys of tasks that may differ from those of a checkpoint when it is evaluated."""


@dataclass(frozen=True)
class Experiment:
    """A task, its data and a trainer.

    folder: the run folder.
    checkpoint: the checkpoint to start from, if any.
    step: number of optimiser steps done in that checkpoint.
    uses: those of "val" and "test" for which the config has pictures.
    weights: those of a finished model that are evaluated in place of a checkpoint, if any.
    """

    task: Task
    data: LightningDataModule
    trainer: Trainer
    folder: Path
    checkpoint: Path | None
    step: int
    uses: tuple[str, ...]
    weights: ModelId | None = None

    def start_lines(self, checkpoint_name: str | None) -> list[str]:
        """Lines about the training that starts, and its checkpoint, as named by the user."""
        size = sum(p.numel() for p in self.task.model.parameters())
        device = type(self.trainer.accelerator).__name__.removesuffix("Accelerator")
        lines = [
            f"{type(self.task.model).__name__}, {size:,} parameters, in "
            f"{self.trainer.world_size} x {device}, precision {self.trainer.precision}; "
            f"run folder {self.folder}"
        ]
        if self.checkpoint:
            lines.append(f"resuming from {self.checkpoint} after step {self.step}")
        elif checkpoint_name:
            lines.append(f"{self.folder} holds no checkpoint yet: starting from the beginning")
        return lines

    def fit(self) -> None:
        """Train to the end, from the checkpoint on.

        Raises:
            TrainingError: training failed, was stopped by a signal, or cannot write its files.
            CheckpointError: a checkpoint cannot be written.
            ConfigError: the parts of the config are incompatible.
        """
        try:
            if self.checkpoint is None:
                self.data.setup("fit")
                self.task.begin(self.data)
            self.trainer.fit(self.task, datamodule=self.data, ckpt_path=self.checkpoint)
        except MisconfigurationException as error:
            raise ConfigError(str(error)) from error
        except (OSError, OutputError) as error:
            if not is_first_process():  # `resume_hint` is that of all processes, the error is not
                raise
            raise TrainingError(f"{error}; {resume_hint(self.trainer)}") from error
        except RuntimeError as error:
            if not is_lost_connection(error):
                raise
            raise TrainingError(
                "another process of the training has ended, and its own output may say why; "
                + resume_hint(self.trainer)
            ) from error

    def end_line(self) -> str:
        """One line about the result of `fit`."""
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            return "one batch of everything went through; nothing was written"
        return f"trained to step {self.trainer.global_step}: {self.folder}"

    def evaluate(self) -> dict[str, float]:
        """The means of the losses over the validation and test pictures.

        Raises:
            ConfigError: there are neither validation nor test pictures.
        """
        runs = {"val": self.trainer.validate, "test": self.trainer.test}
        metrics: dict[str, float] = {}
        for use in self.uses:
            results = runs[use](self.task, datamodule=self.data, verbose=False)
            metrics.update(results[0] if results else {})
        if not metrics:
            raise ConfigError("data: there are no pictures to evaluate on: set val or test")
        return metrics


def training_experiment(
    arguments: Sequence[str], checkpoint: str | None = None, *, overwrite: bool = False
) -> Experiment:
    """An experiment to train.

    arguments: such as ["--config", "x.yaml", "--trainer.max_steps", "10"].
    checkpoint: the one to resume from: "last", "best" or a path; None starts from the beginning.
    overwrite: whether a new run replaces an earlier one in its folder.

    Raises:
        ConfigError: the config or an override is invalid.
        CheckpointError: the checkpoint is missing, damaged, or of another config.
        OutputError: the run folder holds a training.
    """
    parser, config = parse(arguments)
    found, state = _load(checkpoint, config, parser)
    folder, step = run_folder(config), int(state.get("global_step", 0))
    own = found is not None and found.parent.resolve() == (folder / "checkpoints").resolve()
    new = not own and not config.trainer.fast_dev_run
    if new and not overwrite:
        require_no_run(folder)
    objects = _instantiate(parser, config)
    settings = objects.trainer
    callbacks: list[Callback] = [
        ProcessConsistencyCheck(step),
        objects.ema,
        StepSeeds(),
        objects.gradients,
        StepMonitor(),
        objects.pictures,
        ConfigKeeper(_plain(parser, config), _text(parser, config)),
    ]
    if settings.enable_progress_bar is not False:
        callbacks.append(TrainingProgress())
    callbacks.append(Interruption())
    if settings.enable_checkpointing is not False:
        callbacks.append(objects.checkpoints)
    own_loggers = settings.logger in (None, True) and not settings.fast_dev_run
    settings.logger = False if settings.logger in (None, True) else settings.logger
    trainer = make_trainer(settings, callbacks, launch())
    if new and is_first_process():
        clear(folder)  # after all checks, so that an error leaves the earlier run in place
    if own_loggers:
        trainer.loggers = make_loggers(LoggingConfig(**config.logging), folder, step)
    return Experiment(objects.model, objects.data, trainer, folder, found, step, _uses(config))


def evaluation_experiment(arguments: Sequence[str], checkpoint: str) -> Experiment:
    """An experiment with the averaged weights of a checkpoint, or finished ones, on one device.

    checkpoint: "last", "best", a path, or weights as `finished.load_finished` takes them.

    Other arguments and errors are those of `training_experiment`; CheckpointError also for weights
    that are not of the model of the config.
    """
    parser, config = parse(arguments)
    folder = run_folder(config)
    if names_weights(checkpoint):
        objects = _instantiate(parser, config)
        weights = load_finished(objects.model.model, checkpoint)
        trainer = _evaluator(objects.trainer)
        return Experiment(
            objects.model, objects.data, trainer, folder, None, 0, _uses(config), weights
        )
    found, state = _load(checkpoint, config, parser, apart_from=_IRRELEVANT_TO_EVALUATION)
    if found is None:
        raise CheckpointError(f"{folder} holds no checkpoint: give the path of one")
    objects = _instantiate(parser, config)
    objects.model.load_state_dict(state["state_dict"])
    trainer, step = _evaluator(objects.trainer), int(state["global_step"])
    return Experiment(objects.model, objects.data, trainer, folder, found, step, _uses(config))


def _evaluator(settings: Namespace) -> Trainer:
    """A trainer that evaluates and writes nothing."""
    # One device, because several would count some pictures twice to share them equally.
    single = {"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_checkpointing": False}
    for name, value in {**single, "logger": False, "enable_progress_bar": False}.items():
        settings[name] = value
    return make_trainer(settings, [StepSeeds()])


def parse(arguments: Sequence[str]) -> tuple[ArgumentParser, Namespace]:
    """A config of files and overrides, with all defaults filled in, and its parser.

    Raises:
        ConfigError: a file that is not a config, an unknown key, or a value of the wrong type.
    """
    parser = _new_parser()
    try:
        config = parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise ConfigError(explain(str(error), parser)) from error
    if config.trainer.default_root_dir is None:
        stem = Path(str(config.config[0])).stem if config.config else "run"
        config.trainer.default_root_dir = str(Path("runs", stem))
    unlimited = config.trainer.max_steps == -1 and config.trainer.max_epochs in (None, -1)
    if unlimited and not config.trainer.fast_dev_run:
        raise ConfigError(
            "trainer: set max_steps or max_epochs, which the learning rate depends on"
        )
    return parser, config


def run_folder(config: Namespace) -> Path:
    """The folder that a training of this config writes to."""
    return Path(config.trainer.default_root_dir)


def config_help() -> str:
    """Help on the keys of a config, without those of the classes that it names."""
    return str(_new_parser().format_help())


class _Parser(LightningArgumentParser):
    """Without abbreviated keys, whose meaning would change with every new key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})


def _new_parser() -> LightningArgumentParser:
    parser = _Parser(prog="collage train", description=None, exit_on_error=False)
    parser.add_argument("--config", action=ActionConfigFile, help="A YAML file of these keys.")
    parser.add_argument(
        "--seed_everything", type=int, default=0, help="Seed of all random numbers."
    )
    parser.add_lightning_class_args(Task, "model", subclass_mode=True)
    parser.add_lightning_class_args(LightningDataModule, "data", subclass_mode=True)
    for name, callback in CALLBACKS.items():
        parser.add_lightning_class_args(callback, name)
    parser.add_class_arguments(LoggingConfig, "logging", instantiate=False)
    parser.add_lightning_class_args(Trainer, "trainer")
    parser.set_defaults({"trainer.enable_model_summary": False})
    return parser


def _load(
    name: str | None, config: Namespace, parser: ArgumentParser, apart_from: Sequence[str] = ()
) -> tuple[Path | None, dict[str, Any]]:
    """The path and content of a checkpoint, after checking that it fits the config."""
    path = find_checkpoint(name, run_folder(config)) if name else None
    if path is None:
        return None, {}
    state = read_checkpoint(path)
    require_same_model(path, state, _plain(parser, config), apart_from)
    return path, state


def _instantiate(parser: ArgumentParser, config: Namespace) -> Namespace:
    seed_everything(config.seed_everything, workers=True)
    try:
        objects: Namespace = parser.instantiate(config)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(explain(str(error), parser)) from error
    return objects


def _uses(config: Namespace) -> tuple[str, ...]:
    """Those of "val" and "test" that the data's config does not set to null."""
    pictures = config.data.init_args
    return tuple(use for use in ("val", "test") if pictures.get(use, use) is not None)


def _text(parser: ArgumentParser, config: Namespace, form: str = "yaml") -> str:
    """A config as YAML or JSON, without the names of the files it came from."""
    kept = config.clone()
    kept.pop("config", None)
    return str(parser.dump(kept, format=form, skip_unset=False, skip_validation=True))


def _plain(parser: ArgumentParser, config: Namespace) -> dict[str, Any]:
    """A config as nested mappings, lists, numbers and strings."""
    plain: dict[str, Any] = json.loads(_text(parser, config, "json"))
    return plain
