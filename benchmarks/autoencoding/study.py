"""Collage autoencoders beside a multilayer perceptron with as many parameters.

    python -m benchmarks.autoencoding

Trains the models of configs/autoencoding, and a perceptron of sixteen times the parameters, on the
same crops with the same noise. An interrupted training is resumed from its run folder, a finished
one is not repeated. Writes autoencoding.json, .csv (learning curves), .md and two pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.autoencoding.figure import curves_figure, pictures_sheet
from benchmarks.autoencoding.report import (
    Curve,
    Outcome,
    Result,
    curves_csv,
    read_metrics,
    to_markdown,
)
from benchmarks.support.options import CORES, OutputFolder, Threads
from benchmarks.support.results import RESULTS, write_results
from neural_collage.core.blocks import pool
from neural_collage.data.sources import ImageSource
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.plots import rendered
from neural_collage.models.autoencoding.autoencoder import CollageAutoencoder
from neural_collage.runtime import use_threads
from neural_collage.training.data_modules import ImageData
from neural_collage.training.run.experiment import (
    Experiment,
    evaluation_experiment,
    training_experiment,
)
from neural_collage.training.run.quiet import quiet_lightning
from neural_collage.training.tasks.autoencoding import AutoencodingTask, mean_psnr

CONFIGS = Path(__file__).parents[2] / "configs/autoencoding"
SHOWN = (5, 118, 203, 310, 377)
"""Held-out crops in the figure, chosen arbitrarily."""


@dataclass(frozen=True)
class ComparedModel:
    """A config file of configs/autoencoding and changes to it, as arguments of `collage train`."""

    title: str
    config: str
    changes: Sequence[str] = ()


MODELS = {
    "collage": ComparedModel("collage", "collage"),
    "bias_only": ComparedModel("bias-only collage", "bias_only"),
    "mlp": ComparedModel("MLP", "mlp"),
    "mlp_16x": ComparedModel(
        "MLP, 16 x parameters",
        "mlp",
        (
            "--model.init_args.model.init_args.hidden=[477]",
            "--model.init_args.optimiser.learning_rate=1.0e-3",
        ),
    ),
}


def main(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with `train` and `test`; by default that of the configs."),
    ] = None,
    output: OutputFolder = RESULTS,
    runs: Annotated[Path, typer.Option(help="Folder of the trainings.")] = Path(
        "runs/autoencoding"
    ),
    threads: Threads = CORES,
    steps: Annotated[
        int | None, typer.Option(help="Training steps; by default those of the configs.")
    ] = None,
) -> None:
    """Train and compare the autoencoders; writes autoencoding.json, .csv, .md and figures."""
    use_threads(threads)
    curves: dict[str, Curve] = {}
    shown: dict[str, Tensor] = {}
    result: Result | None = None
    for name, compared in MODELS.items():
        arguments = arguments_of(compared, data, runs / name, steps)
        with quiet_lightning():
            train(arguments)
            experiment = evaluation_experiment(arguments, "last")
        images = images_of(experiment)
        held_out = crops(images)
        if result is None:
            result, shown = common_results(experiment, held_out)
        seconds, curve = read_metrics(runs / name / "metrics.csv", images.batch_size)
        curves[compared.title] = curve
        outcome, pictures = measure(compared, experiment, held_out, seconds)
        result.outcomes[name] = outcome
        shown.update(pictures)
    assert result is not None
    write_results(output, "autoencoding", asdict(result), to_markdown(result))
    (output / "autoencoding.csv").write_bytes(curves_csv(curves).encode())
    figure = curves_figure(curves, result.psnr_averages)
    (output / "autoencoding.png").write_bytes(rendered(figure, "png"))
    pictures_sheet(shown).save(output / "autoencoding_pictures.png", optimize=True)
    typer.echo(to_markdown(result))


def arguments_of(
    compared: ComparedModel, data: Path | None, folder: Path, steps: int | None
) -> list[str]:
    """The arguments of `collage train` that train a model."""
    uses = {"train": "train", "val": "test", "test": "test"}
    sources = (
        [f"--data.init_args.{use}={data / name}" for use, name in uses.items()] if data else []
    )
    return [
        f"--config={CONFIGS / compared.config}.yaml",
        f"--trainer.default_root_dir={folder}",
        *compared.changes,
        *sources,
        *([] if steps is None else _shortened(steps)),
    ]


def _shortened(steps: int) -> list[str]:
    every = max(1, steps // 10)
    return [
        f"--trainer.max_steps={steps}",
        f"--trainer.val_check_interval={every}",
        f"--trainer.log_every_n_steps={every}",
    ]


def train(arguments: Sequence[str]) -> None:
    """Train to the last step, from the last checkpoint in the run folder."""
    experiment = training_experiment(arguments, "last")
    if experiment.step < experiment.trainer.max_steps:
        experiment.fit()


def images_of(experiment: Experiment) -> ImageData:
    """The pictures of an experiment."""
    assert isinstance(experiment.data, ImageData)
    return experiment.data


def crops(images: ImageData) -> Tensor:
    """All held-out crops, (n, c, h, w)."""
    images.setup("test")
    return torch.cat(list(images.test_dataloader()))


def common_results(experiment: Experiment, held_out: Tensor) -> tuple[Result, dict[str, Tensor]]:
    """The results that are the same for all models, and the originals and inputs to show."""
    task = task_of(experiment)
    assert isinstance(task.model, CollageAutoencoder)
    train = images_of(experiment).sources["train"]
    noisy, original = noisy_and_original(task, held_out)
    size = task.model.config.range_size
    averages = functional.interpolate(pool(noisy, size), scale_factor=size)
    result = Result(
        command=f"python -m benchmarks.autoencoding --threads {torch.get_num_threads()}",
        environment=Environment.current(),
        data=Path(train.path if isinstance(train, ImageSource) else str(train)).parent.name,
        batch_size=images_of(experiment).batch_size,
        noise=task.noise,
        crop=original.shape[-1],
        held_out=len(held_out),
        psnr_seen=float(mean_psnr(noisy, original)),
        psnr_averages=float(mean_psnr(averages, original)),
    )
    chosen = [n % len(held_out) for n in SHOWN]
    return result, {"original": original[chosen], "input": noisy[chosen]}


def task_of(experiment: Experiment) -> AutoencodingTask:
    """The task of an experiment, in eval mode."""
    task = experiment.task.eval()
    assert isinstance(task, AutoencodingTask)
    return task


def noisy_and_original(task: AutoencodingTask, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The noisy input of the models, with a fixed seed, and the reduced pictures without noise."""
    original = pool(pictures, task.reduction)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(original.shape, generator=generator)
    return original + task.noise * noise, original


@torch.no_grad()
def measure(
    compared: ComparedModel, experiment: Experiment, held_out: Tensor, seconds: float
) -> tuple[Outcome, dict[str, Tensor]]:
    """Results of a trained model on held-out crops, and reconstructions to show."""
    task = task_of(experiment)
    model, scale = task.model, task.reduction
    noisy, original = noisy_and_original(task, held_out)
    reconstruction = in_batches(model, noisy)
    bicubic = functional.interpolate(reconstruction, scale_factor=scale, mode="bicubic")
    chosen = [n % len(noisy) for n in SHOWN]
    pictures = {compared.title: reconstruction[chosen]}
    psnr_enlarged = None
    if isinstance(model, CollageAutoencoder):
        enlarged = in_batches(partial(model, scale=scale), noisy)
        psnr_enlarged = float(mean_psnr(enlarged, held_out))
        pictures[f"{compared.title}, at 4x"] = model(noisy[chosen], scale=4)
    outcome = Outcome(
        title=compared.title,
        parameters=sum(p.numel() for p in model.parameters()),
        code_numbers=code_numbers(model, noisy[:1]),
        steps=experiment.step,
        seconds=seconds,
        psnr=float(mean_psnr(reconstruction, original)),
        psnr_enlarged=psnr_enlarged,
        psnr_bicubic=float(mean_psnr(bicubic, held_out)),
    )
    return outcome, pictures


def in_batches(model: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Reconstructions of all pictures, computed in batches of 50."""
    return torch.cat([model(batch) for batch in pictures.split(50)])


def code_numbers(model: nn.Module, picture: Tensor) -> int:
    """Numbers in the code of a picture: collage parameters, or the narrowest layer of an MLP."""
    if isinstance(model, CollageAutoencoder):
        return sum(code.weights.numel() + code.bias.numel() for code in model.encode(picture))
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return min(linear.out_features for linear in linears)
