"""What `benchmarks.generation` has measured, as numbers and tables."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.report import markdown_table

Curve = Sequence[tuple[int, float]]
"""Steps and validation bounds in nats."""


@dataclass(frozen=True)
class Outcome:
    """A trained model."""

    title: str
    parameters: int
    decoder_parameters: int
    """Of all that sampling needs."""
    steps: int
    images_per_second: float
    """Of training steps, on one thread of an otherwise idle core."""
    metrics: Mapping[str, float]
    """Of the test: nats, bits_per_dim, distortion, rate, rate_STAGE, importance_nats."""
    shares: Mapping[str, float]
    """Of the time of a training step, by kinds of operations."""
    seconds_for_64: float
    """To draw 64 samples at scale 1."""
    seconds_at_40: float | None
    """To draw one sample at scale 40."""


@dataclass(frozen=True)
class Result:
    """Everything that was measured."""

    command: str
    environment: Environment
    samples: int
    outcomes: Mapping[str, Outcome]


def read_curve(path: Path) -> Curve:
    """The validations of a training."""
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

    each = list(outcomes.values())
    of = [o.metrics for o in each]
    facts = [
        row("parameters", ",", [o.parameters for o in each]),
        row("of the decoder", ",", [o.decoder_parameters for o in each]),
        row("training steps", ",", [o.steps for o in each]),
        row("training images per second", ".0f", [o.images_per_second for o in each]),
        row("-ELBO (nats)", ".2f", [m["nats"] for m in of]),
        row("bits per dimension", ".4f", [m["bits_per_dim"] for m in of]),
        row(f"importance bound, K = {result.samples}", ".2f", [m["importance_nats"] for m in of]),
        row("distortion", ".2f", [m["distortion"] for m in of]),
        row("rate", ".2f", [m["rate"] for m in of]),
        *(
            row(f"rate of {stage}", ".2f", [m.get(f"rate_{stage}") for m in of])
            for stage in _stages(of)
        ),
        row("roughness at 4x", ".3f", [m.get("roughness") for m in of]),
        row("64 samples at 1x (s)", ".3f", [o.seconds_for_64 for o in each]),
        row("one sample at 40x (s)", ".3f", [o.seconds_at_40 for o in each]),
    ]
    kinds = each[0].shares
    shares = [row(kind, ".0%", [o.shares[kind] for o in each]) for kind in kinds]
    return "\n".join(
        (
            "# Generative models of MNIST\n",
            f"    {result.command}\n",
            fill(f"{result.environment}. Test digits: 10,000, binarised once at random.", 100),
            "",
            markdown_table(columns, facts),
            "\nShares of a training step:\n",
            markdown_table(columns, shares),
            "",
        )
    )


def _stages(metrics: Sequence[Mapping[str, float]]) -> list[str]:
    names = (name for each in metrics for name in each if name.startswith("rate_"))
    return list(dict.fromkeys(name.removeprefix("rate_") for name in names))
