"""`collage train` and `collage evaluate`: experiments described by a config."""

import json as json_format
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Context settings of a command that accepts every key of a config as an option."""

Config = Annotated[
    list[Path],
    typer.Option(
        "--config",
        metavar="FILE",
        help="A YAML file that describes the experiment; later files override earlier ones.",
        show_default=False,
    ),
]


def train(
    ctx: typer.Context,
    config: Config = [],  # noqa: B006 - typer copies the list
    ckpt: Annotated[
        str | None,
        typer.Option(
            metavar="last|PATH",
            help="Resume from the last checkpoint in the run folder, or from a checkpoint's path.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a training in the run folder.")
    ] = False,
    help_config: Annotated[
        bool, typer.Option("--help-config", help="List the keys of a config and exit.")
    ] = False,
) -> None:
    """Train the model that a config describes.

    Every key of the config is also an option, which overrides the file:

    collage train --config configs/autoencoding/mlp.yaml --trainer.max_steps 500

    Checkpoints, metrics.csv, TensorBoard's files, pictures and the complete config are written to
    the run folder: trainer.default_root_dir, by default runs/NAME for NAME.yaml. SIGTERM or Ctrl-C
    stops after the current step and saves; --ckpt last resumes from there, or starts if there is no
    checkpoint. --trainer.fast_dev_run true runs one batch of each stage and writes nothing.
    """
    arguments = [] if help_config else _arguments(ctx, config)
    with _training_extra():
        from neural_collage.training.run.experiment import config_help, training_experiment

    if help_config:
        typer.echo(config_help())
        return
    with _one_line_errors(ctx), _processes():
        experiment = training_experiment(arguments, ckpt, overwrite=overwrite)
        for line in experiment.start_lines(ckpt):
            _status(line)
        experiment.fit()
        _status(experiment.end_line())


def evaluate(
    ctx: typer.Context,
    ckpt: Annotated[
        str,
        typer.Option(
            metavar="last|best|PATH|NAME",
            help="A checkpoint of the run folder, the path of a checkpoint or of a .safetensors "
            "file, the name of weights of the package, such as mnist, or owner/name on the hub.",
            show_default=False,
        ),
    ],
    config: Config = [],  # noqa: B006
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a trained model on the validation and test pictures of its config.

    The averaged weights of the checkpoint are used, or the weights of a finished model, of which
    the config then says data and task. Every key of the config is also an option, as in
    `collage train`.

    collage evaluate --config configs/generation/mnist_collage.yaml --ckpt mnist
    """
    arguments = _arguments(ctx, config)
    with _training_extra():
        from neural_collage.training.run.experiment import evaluation_experiment

    with _one_line_errors(ctx), _processes():
        experiment = evaluation_experiment(arguments, ckpt)
        metrics = experiment.evaluate()
    weights = experiment.weights
    if json:
        facts = (
            {"weights": weights.name, "hash": weights.digest.hex()}
            if weights
            else {"checkpoint": str(experiment.checkpoint), "step": experiment.step}
        )
        typer.echo(json_format.dumps({**facts, "metrics": metrics}))
        return
    typer.echo(
        f"{weights.name}, weights of hash {weights.digest.hex()}"
        if weights
        else f"{experiment.checkpoint} after step {experiment.step}"
    )
    for name, value in metrics.items():
        typer.echo(f"{name:24} {value:.6g}")


def _arguments(ctx: typer.Context, config: list[Path]) -> list[str]:
    """Arguments for the config's parser; checks the config files before the slow imports."""
    if not config:
        raise typer.BadParameter("--config FILE is missing", ctx)
    for file in config:
        if not file.is_file():
            typer.echo(f"collage: {file}: no such config file", err=True)
            raise typer.Exit(2)
    return [*(word for file in config for word in ("--config", str(file))), *ctx.args]


@contextmanager
def _training_extra() -> Iterator[None]:
    from neural_collage.extras import needs_extra

    with needs_extra("train"):
        yield


@contextmanager
def _one_line_errors(ctx: typer.Context) -> Iterator[None]:
    """Report errors of a training as one line, and exit.

    The code is 2 for a wrong config, 128 plus the signal's number for a stopped training, else 1.
    Only the first of several processes reports.
    """
    from neural_collage.cli.support.reports import one_line, report_error
    from neural_collage.errors import (
        CheckpointError,
        ConfigError,
        OutputError,
        TrainingError,
    )
    from neural_collage.training.callbacks.interruption import TrainingStoppedError
    from neural_collage.training.processes import is_first_process

    try:
        yield
    except (CheckpointError, ConfigError, OutputError, TrainingError) as error:
        if is_first_process():
            report_error(one_line(error), error, debug=bool(ctx.obj))
        if isinstance(error, TrainingStoppedError):
            # If another process failed, a launcher would kill the first one while it saves.
            raise typer.Exit(128 + error.signal if is_first_process() else 0) from error
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from error


@contextmanager
def _processes() -> Iterator[None]:
    """Several processes print what one prints, and end in order.

    Each warning is one line, from the first process only; there are no messages of Lightning.
    """
    from neural_collage.cli.support.reports import warnings_as_lines
    from neural_collage.training.processes import is_first_process, leaving_process_group
    from neural_collage.training.run.quiet import quiet_lightning

    with quiet_lightning(), warnings_as_lines(shown=is_first_process), leaving_process_group():
        yield


def _status(line: str) -> None:
    from neural_collage.training.processes import is_first_process

    if is_first_process():
        typer.echo(line, err=True)
