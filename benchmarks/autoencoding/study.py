"""Collage autoencoders beside a multilayer perceptron with as many parameters.

    python -m benchmarks.autoencoding

Trains what configs/autoencoding describes, all on the same crops with the same noise, and one
perceptron of sixteen times the parameters. A training that was interrupted, or is finished, is
taken up from its run folder. Writes autoencoding.json, .csv (learning curves), .md and two
pictures.
"""

import json
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
from benchmarks.speed.study import RESULTS
from neural_collage.core.blocks import pool
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.plots import rendered
from neural_collage.models.autoencoding.autoencoder import CollageAutoencoder
from neural_collage.runtime import available_cores
from neural_collage.training.data_modules import ImageData
from neural_collage.training.run.experiment import Experiment, evaluation, training
from neural_collage.training.run.quiet import quiet_lightning
from neural_collage.training.tasks.autoencoding import AutoencodingTask, mean_psnr

CONFIGS = Path(__file__).parents[2] / "configs/autoencoding"
MODEL = "--model.init_args.model.init_args"
SHOWN = (5, 118, 203, 310, 377)
"""Held-out crops in the picture; any will do."""


@dataclass(frozen=True)
class Contestant:
    """A config, and what is different."""

    title: str
    config: str
    changes: Sequence[str] = ()


CONTESTANTS = {
    "collage": Contestant("collage", "collage"),
    "bias_only": Contestant("bias-only collage", "bias_only"),
    "mlp": Contestant("MLP", "mlp"),
    "mlp_16x": Contestant(
        "MLP, 16 x parameters",
        "mlp",
        (f"{MODEL}.hidden=[477]", "--model.init_args.optimiser.learning_rate=1.0e-3"),
    ),
}


def main(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with `train` and `test`, instead of that of the configs."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = RESULTS,
    runs: Annotated[Path, typer.Option(help="Where trainings write and go on.")] = Path(
        "runs/autoencoding"
    ),
    threads: Annotated[int, typer.Option(help="Of torch.")] = available_cores(),
    steps: Annotated[int | None, typer.Option(help="Instead of those of the configs.")] = None,
) -> None:
    """Train and compare the autoencoders; writes autoencoding.json, .csv, .md and pictures."""
    torch.set_num_threads(threads)
    curves: dict[str, Curve] = {}
    shown: dict[str, Tensor] = {}
    result: Result | None = None
    for name, contestant in CONTESTANTS.items():
        arguments = arguments_of(contestant, data, runs / name, steps)
        with quiet_lightning():
            train(arguments)
            experiment = evaluation(arguments, "last")
        images = images_of(experiment)
        held_out = crops(images)
        if result is None:
            result, shown = start(experiment, held_out)
        seconds, curve = read_metrics(runs / name / "metrics.csv", images.batch_size)
        curves[contestant.title] = curve
        outcome, pictures = measure(contestant, experiment, held_out, seconds)
        result.outcomes[name] = outcome
        shown.update(pictures)
    assert result is not None
    output.mkdir(parents=True, exist_ok=True)
    for suffix, content in {
        "json": json.dumps(asdict(result), indent=1).encode(),
        "csv": curves_csv(curves).encode(),
        "md": to_markdown(result).encode(),
        "png": rendered(curves_figure(curves, result.psnr_averages), "png"),
    }.items():
        (output / f"autoencoding.{suffix}").write_bytes(content)
    pictures_sheet(shown).save(output / "autoencoding_pictures.png", optimize=True)
    typer.echo(to_markdown(result))


def arguments_of(
    contestant: Contestant, data: Path | None, folder: Path, steps: int | None
) -> list[str]:
    """What `collage train` would be given."""
    uses = {"train": "train", "val": "test", "test": "test"}
    sources = (
        [f"--data.init_args.{use}={data / name}" for use, name in uses.items()] if data else []
    )
    return [
        f"--config={CONFIGS / contestant.config}.yaml",
        f"--trainer.default_root_dir={folder}",
        *contestant.changes,
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
    """Train to the last step, from where the run folder is."""
    experiment = training(arguments, "last")
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


def start(experiment: Experiment, held_out: Tensor) -> tuple[Result, dict[str, Tensor]]:
    """What is the same for all contestants, and the first pictures to show."""
    task = task_of(experiment)
    assert isinstance(task.model, CollageAutoencoder)
    seen, original = disturbed(task, held_out)
    size = task.model.config.range_size
    averages = functional.interpolate(pool(seen, size), scale_factor=size)
    result = Result(
        command=f"python -m benchmarks.autoencoding --threads {torch.get_num_threads()}",
        environment=Environment.current(),
        data=Path(str(images_of(experiment).sources["train"])).parent.name,
        batch_size=images_of(experiment).batch_size,
        noise=task.noise,
        crop=original.shape[-1],
        held_out=len(held_out),
        psnr_seen=float(mean_psnr(seen, original)),
        psnr_averages=float(mean_psnr(averages, original)),
    )
    chosen = [n % len(held_out) for n in SHOWN]
    return result, {"original": original[chosen], "input": seen[chosen]}


def task_of(experiment: Experiment) -> AutoencodingTask:
    """The task, ready to be evaluated."""
    task = experiment.task.eval()
    assert isinstance(task, AutoencodingTask)
    return task


def disturbed(task: AutoencodingTask, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """What a model sees of held-out pictures, the same for all models, and the originals of it."""
    original = pool(pictures, task.reduction)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(original.shape, generator=generator)
    return original + task.noise * noise, original


@torch.no_grad()
def measure(
    contestant: Contestant, experiment: Experiment, held_out: Tensor, seconds: float
) -> tuple[Outcome, dict[str, Tensor]]:
    """A trained contestant on held-out crops, and pictures of what it does."""
    task = task_of(experiment)
    model, scale = task.model, task.reduction
    seen, original = disturbed(task, held_out)
    reconstruction = in_batches(model, seen)
    bicubic = functional.interpolate(reconstruction, scale_factor=scale, mode="bicubic")
    chosen = [n % len(seen) for n in SHOWN]
    pictures = {contestant.title: reconstruction[chosen]}
    psnr_enlarged = None
    if isinstance(model, CollageAutoencoder):
        enlarged = in_batches(partial(model, scale=scale), seen)
        psnr_enlarged = float(mean_psnr(enlarged, held_out))
        pictures[f"{contestant.title}, at 4x"] = model(seen[chosen], scale=4)
    outcome = Outcome(
        title=contestant.title,
        parameters=sum(p.numel() for p in model.parameters()),
        code_numbers=code_numbers(model, seen[:1]),
        steps=experiment.step,
        seconds=seconds,
        psnr=float(mean_psnr(reconstruction, original)),
        psnr_enlarged=psnr_enlarged,
        psnr_bicubic=float(mean_psnr(bicubic, held_out)),
    )
    return outcome, pictures


def in_batches(model: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """All reconstructions, a few at a time."""
    return torch.cat([model(batch) for batch in pictures.split(50)])


def code_numbers(model: nn.Module, picture: Tensor) -> int:
    """How many numbers stand between a picture and its reconstruction."""
    if isinstance(model, CollageAutoencoder):
        return sum(code.weights.numel() + code.bias.numel() for code in model.encode(picture))
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return min(linear.out_features for linear in linears)


if __name__ == "__main__":
    typer.run(main)
