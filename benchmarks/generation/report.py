"""The results of `benchmarks.generation`, as numbers and tables."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table

Curve = Sequence[tuple[int, float]]
"""Pairs of step and validation bound in nats."""


@dataclass(frozen=True)
class Outcome:
    """Size, speed and test metrics of a trained model."""

    title: str
    parameters: int
    decoder_parameters: int
    """Parameters that sampling uses."""
    steps: int
    images_per_second: float
    """Speed of training steps, with one thread."""
    metrics: Mapping[str, float]
    """On the test set: nats, bits_per_dim, distortion, rate, rate_STAGE, importance_nats."""
    shares: Mapping[str, float]
    """Shares of the time of a training step by kind of operation; they add up to 1."""
    seconds_for_64: float
    """Time to draw 64 samples at scale 1."""
    seconds_at_40: float | None
    """Time to draw one sample at scale 40; None for models of a fixed size."""


@dataclass(frozen=True)
class Result:
    """All results.

    data: name of the data. pictures: what the test pictures are. samples: the K of the
    importance-weighted bound; 0: there is none.
    """

    command: str
    environment: Environment
    data: str
    pictures: str
    samples: int
    outcomes: Mapping[str, Outcome]


def read_curve(path: Path) -> Curve:
    """The validation bounds in the metrics file of a training."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [(int(row["step"]), float(row["val/nats"])) for row in rows if row.get("val/nats")]


def curves_csv(curves: Mapping[str, Curve]) -> str:
    """A row per validation: step, then the bound of each model."""
    steps = sorted({step for curve in curves.values() for step, _ in curve})
    columns = [dict(curve) for curve in curves.values()]
    lines = [",".join(("step", *curves))]
    for step in steps:
        values = (f"{column[step]:.3f}" if step in column else "" for column in columns)
        lines.append(",".join((str(step), *values)))
    return "\n".join(lines) + "\n"


def to_markdown(result: Result) -> str:
    """The tables."""
    outcomes = result.outcomes
    columns = ("", *outcomes)

    def row(name: str, form: str, values: Sequence[float | None]) -> tuple[str, ...]:
        return (name, *("-" if value is None else format(value, form) for value in values))

    models = list(outcomes.values())
    metrics = [o.metrics for o in models]
    bounds = [m.get("importance_nats") for m in metrics]
    rows = [
        row("parameters", ",", [o.parameters for o in models]),
        row("of the decoder", ",", [o.decoder_parameters for o in models]),
        row("training steps", ",", [o.steps for o in models]),
        row("training images per second", ".0f", [o.images_per_second for o in models]),
        row("-ELBO (nats)", ".2f", [m["nats"] for m in metrics]),
        row("bits per dimension", ".4f", [m["bits_per_dim"] for m in metrics]),
        *([row(f"importance bound, K = {result.samples}", ".2f", bounds)] * bool(result.samples)),
        row("distortion", ".2f", [m["distortion"] for m in metrics]),
        row("rate", ".2f", [m["rate"] for m in metrics]),
        *(
            row(f"rate of {stage}", ".2f", [m.get(f"rate_{stage}") for m in metrics])
            for stage in _stages(metrics)
        ),
        row("roughness at 4x", ".3f", [m.get("roughness") for m in metrics]),
        row("64 samples at 1x (s)", ".3f", [o.seconds_for_64 for o in models]),
        row("one sample at 40x (s)", ".3f", [o.seconds_at_40 for o in models]),
    ]
    kinds = models[0].shares
    shares = [row(kind, ".0%", [o.shares[kind] for o in models]) for kind in kinds]
    return "\n".join(
        (
            f"# Generative models of {result.data}\n",
            f"    {result.command}\n",
            fill(f"{result.environment}. Test pictures: {result.pictures}.", 100),
            "",
            markdown_table(columns, rows),
            "\nShares of a training step:\n",
            markdown_table(columns, shares),
            "",
        )
    )


def _stages(metrics: Sequence[Mapping[str, float]]) -> list[str]:
    names = (name for each in metrics for name in each if name.startswith("rate_"))
    return list(dict.fromkeys(name.removeprefix("rate_") for name in names))
