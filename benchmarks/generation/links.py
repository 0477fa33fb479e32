"""What links to own domains add to a collage VAE: its bound with them and without.

    python -m benchmarks.generation.links
    python -m benchmarks.generation.links --weights runs/cifar10_collage/checkpoints/last.ckpt \
      --config configs/generation/cifar10_collage.yaml --test cifar10 --data CIFAR-10 \
      --name generation_cifar10_links

The weights of domains are set to zero in the heads, which then choose the biases for the same
averages of ranges; posteriors, latents and random numbers stay the same. Writes
generation_links.json and generation_links.md, or files of another name.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Annotated

import torch
import typer

from benchmarks.generation.arguments import CONFIG, of_first_pictures
from benchmarks.support.commands import run, shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from neural_collage.art.samples import draw, pictures
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchical_vae import Features
from neural_collage.models.operator.mixing import effective_weights
from neural_collage.runtime import use_threads
from neural_collage.training.run.experiment import evaluation_experiment
from neural_collage.training.run.quiet import quiet_lightning

MEASURED = ("nats", "distortion", "rate")
SCALES = (1, 10)


@dataclass(frozen=True)
class Sums:
    """Sums of the magnitudes of the domain weights of a range, and of its patch weights."""

    mean: float
    largest: float
    of_patches: float


@dataclass(frozen=True)
class Result:
    """Bounds in nats on the test pictures; changes of pixels of samples, in 0..1, by scale."""

    command: str
    environment: Environment
    data: str
    pictures: int
    samples: int
    sums: Sums
    with_links: Mapping[str, float]
    without_links: Mapping[str, float]
    largest_change: Mapping[int, float]


def sums_of_weights(model: CollageVae, features: Features) -> Sums:
    """The weights of the maps that features encode."""
    with torch.no_grad():
        code = model.code(features)
        config = model.operator.config
        weights = effective_weights(config, code.weights, code.links).abs()
    own, patches = weights.split([config.n_own, config.n_patches], -1)
    total = own.sum(-1)
    return Sums(float(total.mean()), float(total.max()), float(patches.sum(-1).mean()))


def remove_links(model: CollageVae) -> None:
    """Set the weights of all domains to zero: those of queries, of which they are products."""
    if model.heads.query is None:
        raise CollageError("this collage VAE has no domains: there are no links to remove")
    with torch.no_grad():
        for parameter in model.heads.query.parameters():
            parameter.zero_()


def measure(config: list[str], weights: str, samples: int, data: str) -> Result:
    """Bounds on the test pictures of a config, and samples, with links and without."""
    with quiet_lightning():
        experiment = evaluation_experiment(config, weights)
        model = experiment.task.model.eval()
        if not isinstance(model, CollageVae):
            raise CollageError(f"{weights}: a {type(model).__name__} has no links")
        features = draw(model, samples)
        sums = sums_of_weights(model, features)
        before = {s: torch.stack(list(pictures(model, features, s, soft=True))) for s in SCALES}
        linked = experiment.evaluate()
        remove_links(model)
        changes = {
            scale: float(
                (shown - torch.stack(list(pictures(model, features, scale, soft=True)))).abs().max()
            )
            for scale, shown in before.items()
        }
        unlinked = experiment.evaluate()
        experiment.data.setup("test")
        count = sum(len(batch) for batch in experiment.data.test_dataloader())
    command = f"python -m benchmarks.generation.links --weights {shown_path(Path(weights))}"

    def bounds(metrics: Mapping[str, float]) -> dict[str, float]:
        return {name: metrics[f"test/{name}"] for name in MEASURED}

    return Result(
        command,
        Environment.current(),
        data,
        count,
        samples,
        sums,
        bounds(linked),
        bounds(unlinked),
        changes,
    )


def to_markdown(result: Result) -> str:
    """The table."""
    rows = [
        (name, f"{bounds['nats']:.3f}", f"{bounds['distortion']:.3f}", f"{bounds['rate']:.3f}")
        for name, bounds in (
            ("with links", result.with_links),
            ("without", result.without_links),
        )
    ]
    sums = result.sums
    text = (
        f"Magnitudes of the weights of a range, over {result.samples} samples: those of domains "
        f"sum to {sums.mean:.4f} in the mean and to {sums.largest:.4f} at most, those of patches "
        f"to {sums.of_patches:.2f}. Without domains no pixel of a sample changes by more than "
        + " and ".join(f"{c:.4f} at {s}x" for s, c in result.largest_change.items())
        + " (of 0 to 1)."
    )
    return "\n".join(
        (
            f"# Links of pictures to their own domains: {result.data}\n",
            f"    {result.command}\n",
            fill(f"{result.environment}. {result.pictures:,} test pictures.", 100),
            "",
            markdown_table(("nats", "-ELBO", "distortion", "rate"), rows),
            "",
            fill(text, 100),
            "",
        )
    )


def main(
    weights: Annotated[
        str, typer.Option(help="Of a collage VAE: a name, a .safetensors file or a checkpoint.")
    ] = "mnist",
    config: Annotated[Path, typer.Option(help="The config of its training.")] = CONFIG,
    count: Annotated[int, typer.Option(help="Test pictures, the first ones.", min=1)] = 1000,
    samples: Annotated[int, typer.Option(help="Samples whose weights are added up.", min=1)] = 64,
    test: Annotated[str, typer.Option(help="The set of test pictures.")] = "data/mnist",
    data: Annotated[str, typer.Option(help="What the data are called.")] = "MNIST",
    name: Annotated[str, typer.Option(help="What the files are called.")] = "generation_links",
    output: OutputFolder = RESULTS,
) -> None:
    """Measure a collage VAE with links and without."""
    use_threads(1)
    arguments = of_first_pictures(config, test, count)
    result = measure(arguments, weights, samples, data)
    write_results(output, name, asdict(result), to_markdown(result))


if __name__ == "__main__":
    run(main)
