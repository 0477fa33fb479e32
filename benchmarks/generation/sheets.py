"""Samples, enlargements, reconstructions and interpolations of a collage VAE, a sheet each.

    python -m benchmarks.generation.sheets
    python -m benchmarks.generation.sheets --weights runs/cifar10_collage/checkpoints/last.ckpt \
      --config configs/generation/cifar10_collage.yaml --test cifar10 --name generation_cifar10

Writes generation_samples.png, generation_enlargements.png, generation_reconstructions.png and
generation_interpolations.png, or sheets of another name.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.generation.arguments import CONFIG, of_first_pictures
from benchmarks.generation.figure import (
    enlargements,
    interpolations,
    reconstructions,
    temperatures,
)
from benchmarks.support.commands import run
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS
from neural_collage.errors import CollageError
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.runtime import use_threads
from neural_collage.training.run.experiment import evaluation_experiment
from neural_collage.training.run.quiet import quiet_lightning

COUNT = 20
"""Test pictures: the first half are reconstructed, the others are ends of interpolations."""


def main(
    weights: Annotated[
        str, typer.Option(help="Of a collage VAE: a name, a .safetensors file or a checkpoint.")
    ] = "mnist",
    config: Annotated[Path, typer.Option(help="The config of its training.")] = CONFIG,
    test: Annotated[str, typer.Option(help="The set of test pictures.")] = "data/mnist",
    name: Annotated[str, typer.Option(help="What the files begin with.")] = "generation",
    output: OutputFolder = RESULTS,
) -> None:
    """Draw the sheets of a collage VAE."""
    use_threads(1)
    arguments = of_first_pictures(config, test, COUNT)
    with quiet_lightning():
        experiment = evaluation_experiment(arguments, weights)
    model = experiment.task.model.eval()
    if not isinstance(model, CollageVae):
        raise CollageError(f"{weights}: a {type(model).__name__} has one scale: no sheets")
    experiment.data.setup("test")
    originals = next(iter(experiment.data.test_dataloader()))
    if len(originals) < COUNT:
        raise CollageError(f"{test}: {len(originals)} test pictures in a batch, {COUNT} are needed")
    sheets = {
        "samples": temperatures({"collage VAE": model}),
        "enlargements": enlargements(model),
        "reconstructions": reconstructions(model, originals[:10]),
        "interpolations": interpolations(model, originals[10:15], originals[15:20]),
    }
    output.mkdir(parents=True, exist_ok=True)
    for title, sheet in sheets.items():
        sheet.save(output / f"{name}_{title}.png", optimize=True)


if __name__ == "__main__":
    run(main)
