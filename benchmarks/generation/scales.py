"""Samples above the size of the training pictures, and at several temperatures.

    python -m benchmarks.generation.scales

The scales are those of Poli et al. 2022, arXiv 2204.07673. At each: size and time of a sample, and
how far the averages over its pixels are from the parameters at scale 1. At each temperature: how
sure pixels are, how many are on, how different samples are from each other, and the bound on their
negative log-likelihood. Writes generation_scales.json, generation_scales.md and
generation_scales.png.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Annotated

import torch
import typer
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmarks.support.commands import run, shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from benchmarks.support.sheets import titled
from benchmarks.support.timing import medians
from neural_collage.art.samples import draw, grid, load_generator, pictures
from neural_collage.core.resample import area_resample
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.models.generation.likelihoods import Bernoulli
from neural_collage.runtime import use_threads

SCALES = "2,3,5,8,10,40"
TEMPERATURES = "0.3,0.5,0.7,0.85,1"
ROUNDS = 5
SHOWN = 4
"""Samples in each row of the figure."""
SIDE = 112
"""Pixels of a sample in the figure; a window of this size of larger ones."""


@dataclass(frozen=True)
class Enlarged:
    """Samples at a scale: their side, median time, and the largest error of averages."""

    scale: int
    side: int
    seconds: float
    error: float


@dataclass(frozen=True)
class Warm:
    """Samples at a temperature, in means: nats are per sample, the others per pixel."""

    temperature: float
    entropy: float
    ink: float
    distance: float
    nats: float


@dataclass(frozen=True)
class Result:
    """All numbers."""

    command: str
    environment: Environment
    samples: int
    scales: Sequence[Enlarged]
    temperatures: Sequence[Warm]


def enlarged(model: HierarchicalVae, scale: int) -> Enlarged:
    """One sample at a scale."""
    features = draw(model, 1, 0.8)
    with torch.no_grad():
        small, large = model.render(features)[0], model.render(features, scale)[0]
    error = (area_resample(large, *small.shape[-2:]) - small).abs().max()
    name = str(scale)
    seconds = medians({name: lambda: list(pictures(model, features, scale))}, ROUNDS)[name]
    return Enlarged(scale, large.shape[-1], seconds, float(error))


def warm(model: HierarchicalVae, temperature: float, count: int) -> Warm:
    """Samples at a temperature, binary ones for the bound."""
    features = draw(model, count, temperature)
    shown = torch.stack(list(pictures(model, features, soft=True))).double()
    entropy = -(torch.xlogy(shown, shown) + torch.xlogy(1 - shown, 1 - shown)).sum((1, 2, 3))
    distances = torch.pdist(shown.flatten(1)) / shown[0].numel() ** 0.5
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(0)
        nats = model(torch.bernoulli(shown).float()).total.mean()
    return Warm(
        temperature, float(entropy.mean()), float(shown.mean()), float(distances.mean()),
        float(nats),
    )  # fmt: skip


def figure(
    model: HierarchicalVae, scales: Sequence[int], temperatures: Sequence[float]
) -> Image.Image:
    """A row of samples for each scale, and one for each temperature."""
    panels = {}
    for scale in (1, *scales):
        features = draw(model, SHOWN, 0.8)
        panels[f"{scale}x"] = _row(_window(model, features, scale))
    for temperature in temperatures:
        shown = torch.stack(list(pictures(model, draw(model, SHOWN, temperature))))
        panels[f"temperature {temperature:g}"] = _row(functional.interpolate(shown, (SIDE, SIDE)))
    return titled(panels, 2)


def _window(
    model: HierarchicalVae, features: tuple[Tensor, ...], scale: int
) -> Float[Tensor, "n c s s"]:
    """Samples at a scale, their pixels repeated; of larger ones the middle."""
    side = scale * model.picture_shape[-1]
    if side <= SIDE:
        return functional.interpolate(
            torch.stack(list(pictures(model, features, scale))), (SIDE, SIDE)
        )
    start = (side - SIDE) // 2
    return torch.stack(list(pictures(model, features, scale, region=(start, start, SIDE, SIDE))))


def _row(shown: Float[Tensor, "n c s s"]) -> Image.Image:
    return grid(iter(shown.clamp(0, 1)), len(shown), (SIDE, SIDE), len(shown))


def to_markdown(result: Result) -> str:
    """The tables."""
    scales = [
        (f"{e.scale}x", f"{e.side} x {e.side}", f"{e.seconds:.3f}", f"{e.error:.1e}")
        for e in result.scales
    ]
    temperatures = [
        (f"{w.temperature:g}", f"{w.entropy:.1f}", f"{w.ink:.3f}", f"{w.distance:.3f}",
         f"{w.nats:.1f}")
        for w in result.temperatures
    ]  # fmt: skip
    return "\n".join(
        (
            "# Scales and temperatures of samples\n",
            f"    {result.command}\n",
            fill(f"{result.environment}.", 100),
            "\nOne sample. The error is the largest one of averages, against the logits at 1x:\n",
            markdown_table(("scale", "pixels", "seconds", "error"), scales),
            f"\nMeans of {result.samples} samples at 1x. Entropy, of all pixels of a sample, and "
            "bound are in nats;\nthe distance is the RMS difference of two samples:\n",
            markdown_table(
                ("temperature", "entropy", "share of ink", "distance", "-ELBO"), temperatures
            ),
            "\n![Samples by scale and by temperature](generation_scales.png)\n",
        )
    )


def main(
    weights: Annotated[
        str, typer.Option(help="A name, a .safetensors file or owner/name on the hub.")
    ] = "mnist",
    scales: Annotated[str, typer.Option(help="Whole numbers, separated by commas.")] = SCALES,
    temperatures: Annotated[str, typer.Option(help="Separated by commas.")] = TEMPERATURES,
    samples: Annotated[int, typer.Option(help="Samples at each temperature.", min=2)] = 256,
    output: OutputFolder = RESULTS,
) -> None:
    """Measure and show samples at several scales and temperatures."""
    use_threads(1)
    model = load_generator(weights)
    if not isinstance(model.likelihood, Bernoulli) or not model.scalable:
        raise CollageError(f"{weights}: give a collage VAE of binary pictures, such as mnist")
    try:
        factors = [int(word) for word in scales.split(",")]
        heats = [float(word) for word in temperatures.split(",")]
    except ValueError as error:
        raise CollageError(f"give numbers, separated by commas: {error}") from error
    result = Result(
        f"python -m benchmarks.generation.scales --weights {shown_path(Path(weights))} "
        f"--scales {scales} --temperatures {temperatures}",
        Environment.current(),
        samples,
        [enlarged(model, scale) for scale in factors],
        [warm(model, heat, samples) for heat in heats],
    )
    output.mkdir(parents=True, exist_ok=True)
    figure(model, factors, heats).save(output / "generation_scales.png", optimize=True)
    write_results(output, "generation_scales", asdict(result), to_markdown(result))


if __name__ == "__main__":
    run(main)
