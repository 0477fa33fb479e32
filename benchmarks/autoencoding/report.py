"""The results of `benchmarks.autoencoding`, as numbers and tables."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from textwrap import fill

from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table

Curve = Sequence[tuple[int, float]]
"""Pairs of step and validation PSNR in dB."""


@dataclass(frozen=True)
class Outcome:
    """Size, cost and quality of a model; PSNRs in dB, on held-out crops."""

    title: str
    parameters: int
    code_numbers: int
    """Numbers in the code of a picture."""
    steps: int
    seconds: float
    """Training time without validation."""
    psnr: float
    psnr_enlarged: float | None
    """PSNR of the code decoded at twice the size; None for models that cannot."""
    psnr_bicubic: float
    """PSNR of the reconstruction enlarged to twice the size by bicubic interpolation."""


@dataclass
class Result:
    """All results."""

    command: str
    environment: Environment
    data: str
    noise: float
    crop: int
    batch_size: int
    held_out: int
    psnr_seen: float
    """PSNR of the noisy input."""
    psnr_averages: float
    """PSNR of the input averaged over ranges, the output of an untrained collage autoencoder."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def read_metrics(path: Path, batch_size: int) -> tuple[float, Curve]:
    """Seconds of training without validation, and held-out PSNRs with their steps."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    curve = [(int(row["step"]), float(row["val/psnr"])) for row in rows if row["val/psnr"]]
    logged = [(0, 1.0)] + [
        (int(row["step"]), float(row["train/images_per_second"]))
        for row in rows
        if row["train/images_per_second"]
    ]
    seconds = sum(
        (step - earlier) * batch_size / speed for (earlier, _), (step, speed) in pairwise(logged)
    )
    return seconds, curve


def curves_csv(curves: Mapping[str, Curve]) -> str:
    """A row per validation: step, then the PSNR of each model."""
    steps = sorted({step for curve in curves.values() for step, _ in curve})
    columns = [dict(curve) for curve in curves.values()]
    lines = [",".join(("step", *(title.replace(",", "") for title in curves)))]
    for step in steps:
        values = (f"{column[step]:.3f}" if step in column else "" for column in columns)
        lines.append(",".join((str(step), *values)))
    return "\n".join(lines) + "\n"


def to_markdown(result: Result) -> str:
    """The comparison as a table."""
    rows = [
        [
            outcome.title,
            f"{outcome.parameters:,}",
            f"{outcome.code_numbers:,}",
            f"{outcome.seconds:,.0f}",
            f"{outcome.psnr:.2f}",
            "–" if outcome.psnr_enlarged is None else f"{outcome.psnr_enlarged:.2f}",
            f"{outcome.psnr_bicubic:.2f}",
        ]
        for outcome in result.outcomes.values()
    ]
    header = ["model", "parameters", "code", "training (s)", "PSNR", "PSNR at 2x", "by bicubic"]
    steps = max(outcome.steps for outcome in result.outcomes.values())
    crop = result.crop
    setting = (
        f"Pictures of {crop} x {crop} pixels with noise of standard deviation {result.noise:g}, "
        f"reconstructed without it. {steps:,} steps of {result.batch_size} crops of {result.data}, "
        "the same for all models. PSNR in dB at 8 bits, mean of "
        f"{result.held_out} held-out crops; of the noisy input {result.psnr_seen:.2f}, of its "
        "averages over ranges, the output of an untrained collage autoencoder, "
        f"{result.psnr_averages:.2f}."
    )
    columns = (
        f"Code: numbers in the code of a picture, which has {3 * crop**2:,} samples. "
        "PSNR at 2x: of the same codes decoded at twice the size, against the pictures before "
        "they were reduced; beside it, of the reconstruction enlarged by bicubic interpolation. "
        "The collages are trained at 2x, whose error includes that at 1x. Training times were "
        "measured on a machine with other load."
    )
    return f"""# Denoising autoencoding

    {result.command}

{fill(setting, 100)}

{markdown_table(header, rows)}

{fill(columns, 100)}

Machine: {result.environment}.
"""
