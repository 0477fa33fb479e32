"""The collage VAE beside a VDVAE of equal size: bounds, speed, learning curves and samples.

    python -m benchmarks.generation runs/mnist_collage runs/mnist_vdvae
    python -m benchmarks.generation runs/cifar10_collage runs/cifar10_vdvae --data CIFAR-10 \
      --name cifar10

Evaluates the averaged weights of finished trainings of configs/generation on their test pictures;
--samples is the K of the importance-weighted bound. Speeds are those of one thread, measured
alternately. Writes generation.json, generation.md, generation_curves.csv and .png, and samples of
both, generation_both.png, or files of another name.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch.profiler import ProfilerActivity, profile

from benchmarks.generation.figure import curves_figure, temperatures
from benchmarks.generation.report import Curve, Outcome, Result, curves_csv, read_curve, to_markdown
from benchmarks.support.commands import shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from neural_collage.art.samples import draw, pictures
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.plots import rendered
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.runtime import use_threads
from neural_collage.training.data_modules import ImageData
from neural_collage.training.run.experiment import Experiment, evaluation_experiment
from neural_collage.training.run.quiet import quiet_lightning
from neural_collage.training.tasks.generation import GenerationTask
from neural_collage.training.tasks.optimiser import OptimiserConfig, make_optimiser

ROUNDS = 5
PRODUCTS = ("convolution", "mm", "bmm", "addmm")
"""Parts of operation names by which convolutions and matrix products are recognised."""
KINDS = {
    "activations": ("silu",),
    "copies and casts": ("copy", "_to_copy", "fill_", "cat", "empty", "contiguous"),
    "optimiser": ("AdamW", "_foreach", "addcdiv", "addcmul", "lerp", "sqrt"),
}
"""Other kinds of operations, with parts of their names."""


@dataclass(frozen=True)
class Run:
    """A finished training."""

    experiment: Experiment
    curve: Curve

    @property
    def model(self) -> HierarchicalVae:
        """The model with averaged weights, in eval mode."""
        assert isinstance(self.experiment.task, GenerationTask)
        return self.experiment.task.vae.eval()


def open_run(folder: Path, samples: int, test: str | None) -> Run:
    """The last checkpoint of a run folder, to be evaluated on a test set.

    samples: of the importance-weighted bound. test: a data set; by default that of the run.
    """
    config = ["--config", str(folder / "config.yaml"), "--trainer.default_root_dir", str(folder)]
    config += ["--model.init_args.importance_samples", str(samples), "--data.init_args.val", "null"]
    if test is not None:
        config += ["--data.init_args.test", test]
    with quiet_lightning():
        return Run(evaluation_experiment(config, "last"), read_curve(folder / "metrics.csv"))


def measure(runs: Mapping[str, Run]) -> dict[str, Outcome]:
    """Size, speed and test metrics of each run; the weights are not used afterwards."""
    metrics, seconds = {}, {}
    for name, run in runs.items():
        with quiet_lightning():
            metrics[name] = run.experiment.evaluate()
        at_40 = seconds_for_samples(run.model, 1, 40) if run.model.scalable else None
        seconds[name] = seconds_for_samples(run.model, 64, 1), at_40
    # last: steps on noise may change the weights, however small they are
    speeds = median_rates({name: partial(training_rate, run) for name, run in runs.items()})
    return {
        name: Outcome(
            title=type(run.model).__name__,
            parameters=sum(p.numel() for p in run.model.parameters()),
            decoder_parameters=run.model.decoder_parameters,
            steps=run.experiment.step,
            images_per_second=speeds[name],
            metrics={k.removeprefix("test/"): v for k, v in metrics[name].items()},
            shares=shares_of_step(run),
            seconds_for_64=seconds[name][0],
            seconds_at_40=seconds[name][1],
        )
        for name, run in runs.items()
    }


def median_rates(measures: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Median of each measurement over several rounds, in which all run once; a first is dropped."""
    rounds = [{name: call() for name, call in measures.items()} for _ in range(ROUNDS + 1)][1:]
    return {name: statistics.median(found[name] for found in rounds) for name in measures}


def training_step(run: Run, batch_size: int = 64) -> Callable[[], None]:
    """A function that runs one training step in mixed precision, on random binary images."""
    task = run.experiment.task
    optimiser = make_optimiser(task.model, OptimiserConfig(learning_rate=1e-12))
    batch = torch.rand(batch_size, *run.model.picture_shape).round()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = task.validation_losses(batch)["loss"]  # without the warm-up of rates
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimiser.step()

    return step


def training_rate(run: Run, count: int = 5) -> float:
    """Images per second over a few training steps with a negligible learning rate."""
    step = training_step(run)
    step()
    started = time.perf_counter()
    for _ in range(count):
        step()
    return 64 * count / (time.perf_counter() - started)


def shares_of_step(run: Run) -> dict[str, float]:
    """Shares of the time of a training step by kind of operation."""
    step = training_step(run)
    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    shares = dict.fromkeys(["convolutions and products", *KINDS, "other"], 0.0)
    for event in profiled.key_averages():
        name = event.key.removeprefix("aten::")
        kind = next((k for k, parts in KINDS.items() if any(p in name for p in parts)), "other")
        if any(part in name for part in PRODUCTS):
            kind = "convolutions and products"
        shares[kind] += event.self_cpu_time_total
    total = sum(shares.values())
    return {kind: value / total for kind, value in shares.items()}


def seconds_for_samples(model: HierarchicalVae, count: int, scale: float) -> float:
    """Median time to draw samples and decode them to pictures."""

    def once() -> float:
        started = time.perf_counter()
        for _ in pictures(model, draw(model, count), scale):
            pass
        return time.perf_counter() - started

    return statistics.median([once() for _ in range(ROUNDS + 1)][1:])


def main(
    collage: Annotated[Path, typer.Argument(help="Run folder of a collage VAE.")],
    vdvae: Annotated[Path, typer.Argument(help="Run folder of a VDVAE.")],
    test: Annotated[
        str | None, typer.Option(help="Test pictures; by default those of the run.")
    ] = None,
    samples: Annotated[int, typer.Option(help="K of the importance-weighted bound; 0: none.")] = 64,
    data: Annotated[str, typer.Option(help="What the data are called.")] = "MNIST",
    name: Annotated[str, typer.Option(help="What the files are called.")] = "generation",
    output: OutputFolder = RESULTS,
) -> None:
    """Measure two trained models; writes NAME.json, NAME.md, curves and samples."""
    use_threads(1)
    runs = {
        "collage VAE": open_run(collage, samples, test),
        "VDVAE": open_run(vdvae, samples, test),
    }
    module = runs["collage VAE"].experiment.data
    assert isinstance(module, ImageData)
    module.setup("test")
    batches = list(module.test_dataloader())
    output.mkdir(parents=True, exist_ok=True)
    sheet = temperatures({title: run.model for title, run in runs.items()})
    sheet.save(output / f"{name}_both.png", optimize=True)
    curves = {title: run.curve for title, run in runs.items()}
    (output / f"{name}_curves.csv").write_text(curves_csv(curves))
    (output / f"{name}_curves.png").write_bytes(rendered(curves_figure(curves, data), "png"))
    command = f"python -m benchmarks.generation {shown_path(collage)} {shown_path(vdvae)}"
    command += f" --samples {samples}"
    command += "".join(
        f" --{option} {given}"
        for option, given, usual in (("data", data, "MNIST"), ("name", name, "generation"))
        if given != usual
    )
    binarised = ", binarised once at random" if len(batches[0].unique()) == 2 else ""
    tests = f"{sum(map(len, batches)):,}{binarised}"
    result = Result(command, Environment.current(), data, tests, samples, measure(runs))
    write_results(output, name, asdict(result), to_markdown(result))
