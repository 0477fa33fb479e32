"""Letters above their size: a collage VAE beside interpolation, itself without links, and a VDVAE.

    python -m benchmarks.letters --letters data/letters_fine --without FILE --vdvae FILE

Letters of fonts that no model saw, 512 pixels across, are averaged to 32 pixels, reconstructed by
each model from the means of its posteriors, and enlarged to 128 and 512 pixels; no likelihood
looked at more than 128. Errors are mean squared errors near outlines: within a pixel of 32
of one that is partly covered. "Steep" multiplies slopes by the scale (`Likelihood.steepened`), so
that edges are as wide in pixels as at 32; it is applied to all alike. Average interpolation of a
reconstruction's parameters is the same model without its links. Writes letters.json, letters.md and
letters*.png.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import Annotated

import torch
import typer
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from benchmarks.letters.figure import enlargements, fonts_never_seen, serif
from benchmarks.support.commands import run, shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from neural_collage.art.samples import draw, load_generator, pictures
from neural_collage.core.blocks import pool
from neural_collage.core.interpolation import enlarged
from neural_collage.data.loader import Labelled
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.io.files import write_atomically
from neural_collage.io.writing import image_bytes
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae
from neural_collage.models.operator.detail_links import DetailLinks
from neural_collage.runtime import use_threads
from neural_collage.training.data_modules import ImageData

FINE, SMALL = 512, 32
SCALES = (1, 4, 16)
BATCH = 16
Enlarge = Callable[[int], Float[Tensor, "b 1 h w"]]
"""Parameters of coverage at a scale."""


@dataclass(frozen=True)
class Row:
    """Errors of a way to enlarge: plain and steep, in units of 1e-4, by scale."""

    name: str
    plain: Mapping[int, float]
    steep: Mapping[int, float]


@dataclass(frozen=True)
class Times:
    """Seconds on this machine."""

    samples: float
    enlarged: float


@dataclass(frozen=True)
class Result:
    """Of some letters: bounds in nats by model, errors, times, sums of magnitudes of weights."""

    command: str
    environment: Environment
    letters: int
    nats: Mapping[str, float]
    rows: tuple[Row, ...]
    times: Times
    weights: float


def batches(folder: str, limit: int) -> Iterator[Labelled]:
    """The test letters, 512 pixels across.

    Raises CollageError if there are none.
    """
    data = ImageData(
        test=folder, crop=FINE, batch_size=BATCH, channels=1, limit=limit, labelled=True
    )
    data.setup("test")
    for batch in data.test_dataloader():
        assert isinstance(batch, Labelled)
        yield batch


def near_outlines(small: Float[Tensor, "b 1 h w"]) -> Bool[Tensor, "b 1 h w"]:
    """Pixels that are partly covered, and their neighbours."""
    partly = ((small > 0) & (small < 1)).float()
    near: Tensor = functional.max_pool2d(partly, 3, 1, 1) > 0
    return near


def interpolated(small: Float[Tensor, "b 1 h w"]) -> Enlarge:
    """Average interpolation."""
    return lambda scale: enlarged(small, scale.bit_length() - 1)


def bicubic(small: Float[Tensor, "b 1 h w"]) -> Enlarge:
    """Cubic interpolation, as in picture viewers."""
    return lambda scale: functional.interpolate(small, scale_factor=scale, mode="bicubic")


def reconstructed(
    model: HierarchicalVae, small: Float[Tensor, "b 1 h w"], classes: Int64[Tensor, " b"]
) -> Features:
    """Features of the means of the posteriors."""
    torch.manual_seed(0)
    means = model.posterior_means(small, classes)
    features: Features = model.sample(len(small), latents=means, classes=classes).features
    return features


def linked(model: CollageVae, features: Features) -> Enlarge:
    """The model's own, by its links."""
    return lambda scale: model.render(features, scale)


def ways(models: Mapping[str, HierarchicalVae], batch: Labelled) -> Iterator[tuple[str, Enlarge]]:
    """Every way to enlarge reconstructions of letters of 32 pixels, and the letters themselves."""
    small = pool(batch.images, FINE // SMALL)
    yield "the true 32 pixels, bicubic", bicubic(small)
    yield "the true 32 pixels, average interpolation", interpolated(small)
    for name, model in models.items():
        features = reconstructed(model, small, batch.classes)
        own = model.render(features)
        yield f"{name}: reconstruction, bicubic", bicubic(own.clamp(0, 1))
        yield f"{name}: reconstruction, average interpolation", interpolated(own)
        if isinstance(model, CollageVae) and model.links is not None:
            yield f"{name}: links", linked(model, features)


def measure(models: Mapping[str, HierarchicalVae], folder: str, limit: int, command: str) -> Result:
    """Bounds and errors on the test letters."""
    errors: dict[str, dict[bool, dict[int, list[float]]]] = {}
    nats: dict[str, list[float]] = {name: [] for name in models}
    sums: list[float] = []
    count = 0
    for batch in batches(folder, limit):
        count += len(batch)
        small = pool(batch.images, FINE // SMALL)
        near = near_outlines(small)
        with torch.no_grad():
            for name, model in models.items():
                torch.manual_seed(0)
                nats[name] += model(small, batch.classes).total.tolist()
            sums += _weights(models, small, batch.classes)
            for name, enlarge in ways(models, batch):
                for scale in SCALES:
                    truth = pool(batch.images, FINE // SMALL // scale)
                    weight = near.float().repeat_interleave(scale, 2).repeat_interleave(scale, 3)
                    parameters = enlarge(scale)
                    for steep in (False, True):
                        likelihood = next(iter(models.values())).likelihood
                        shown = likelihood.picture(parameters, scale if steep else 1)
                        squares = (shown - truth).square() * weight
                        by_letter = squares.flatten(1).sum(1) / weight.flatten(1).sum(1)
                        kept = errors.setdefault(name, {False: {}, True: {}})[steep]
                        kept.setdefault(scale, []).extend((1e4 * by_letter).tolist())
    if not count:
        raise CollageError(f"{folder}: no letters")
    rows = tuple(
        Row(name, _means(by_steep[False]), _means(by_steep[True]))
        for name, by_steep in errors.items()
    )
    first = next(iter(models.values()))
    return Result(
        command,
        Environment.current(),
        count,
        {name: fmean(values) for name, values in nats.items()},
        rows,
        times(first),
        fmean(sums),
    )


def times(model: HierarchicalVae) -> Times:
    """Seconds to draw 64 letters at 32 pixels, and one at 40 times the size."""
    seconds = []
    for count, scale in ((64, 1), (1, 40)):
        list(pictures(model, draw(model, count), scale))
        started = time.perf_counter()
        list(pictures(model, draw(model, count, seed=1), scale))
        seconds.append(time.perf_counter() - started)
    return Times(*seconds)


def to_markdown(result: Result) -> str:
    """The tables."""
    shown = [(s, "plain") for s in SCALES] + [(s, "steep") for s in SCALES if s > 1]
    header = ("", *(f"{SMALL * s} pixels" + ", steep" * (how == "steep") for s, how in shown))
    rows = [
        (row.name, *(f"{(row.plain if how == 'plain' else row.steep)[s]:.0f}" for s, how in shown))
        for row in result.rows
    ]
    bounds = [(name, f"{nats:.2f}") for name, nats in result.nats.items()]
    text = (
        f"{result.environment}. {result.letters:,} letters of fonts that no model saw. Magnitudes "
        f"of the link weights of a range sum to {result.weights:.2f} in the mean. 64 letters of 32 "
        f"pixels take {result.times.samples:.2f} s, one at 40x {result.times.enlarged:.2f} s."
    )
    return "\n".join(
        (
            "# Letters above their size\n",
            f"    {result.command}\n",
            fill(text, 100),
            "",
            markdown_table(("nats", "-ELBO at 32 pixels"), bounds),
            "",
            "Mean squared errors near outlines, in units of 1e-4.\n",
            markdown_table(header, rows),
            "",
        )
    )


def main(
    letters: Annotated[str, typer.Option(help="Letters of 512 pixels.")] = "data/letters_fine",
    weights: Annotated[str, typer.Option(help="Of the collage VAE.")] = "letters",
    without: Annotated[
        str | None, typer.Option(help="Of the same model trained without links.")
    ] = None,
    vdvae: Annotated[str | None, typer.Option(help="Of the VDVAE.")] = None,
    limit: Annotated[int, typer.Option(help="Letters, the first ones.", min=1)] = 100_000,
    output: OutputFolder = RESULTS,
) -> None:
    """Measure letters above their size; writes letters.json, letters.md and letters*.png."""
    use_threads(1)
    given = {"collage": weights, "trained without links": without, "VDVAE": vdvae}
    names = {name: path for name, path in given.items() if path is not None}
    models = {name: load_generator(path) for name, path in names.items()}
    options = [("--letters", letters), ("--weights", weights)]
    options += [("--without", without)] if without else []
    options += [("--vdvae", vdvae)] if vdvae else []
    shown = " ".join(f"{option} {shown_path(Path(value))}" for option, value in options)
    result = measure(models, letters, limit, f"python -m benchmarks.letters {shown}")
    write_results(output, "letters", asdict(result), to_markdown(result))
    batch = next(batches(letters, BATCH * 8))
    for name, figure in (
        ("letters_enlarged", enlargements(models["collage"], batch)),
        ("letters_fonts", fonts_never_seen(models["collage"])),
        ("letters_serif", serif(models["collage"])),
    ):
        write_atomically(output / f"{name}.png", image_bytes(figure, ".png"))
    typer.echo(to_markdown(result))


def _means(by_scale: Mapping[int, list[float]]) -> dict[int, float]:
    return {scale: fmean(values) for scale, values in by_scale.items()}


def _weights(models: Mapping[str, HierarchicalVae], small: Tensor, classes: Tensor) -> list[float]:
    """Sums of magnitudes of the link weights of the ranges of the first model."""
    model = next(iter(models.values()))
    links = getattr(model, "links", None)
    if not isinstance(links, DetailLinks):
        raise CollageError("the first model has no detail links: give weights that have, --weights")
    weights: Tensor = links(model.infer(small, classes).features[0])
    return weights.abs().sum(1).flatten(1).mean(1).tolist()


if __name__ == "__main__":
    run(main)
