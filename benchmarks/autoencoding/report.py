"""What `benchmarks.autoencoding` has measured, as numbers and tables."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from textwrap import fill

from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.report import markdown_table

Curve = Sequence[tuple[int, float]]
"""Steps and PSNRs."""


@dataclass(frozen=True)
class Outcome:
    """What a contestant is and does; PSNRs in dB, on held-out crops."""

    title: str
    parameters: int
    code_numbers: int
    """Numbers that a reconstruction is made of."""
    steps: int
    seconds: float
    """Of training alone, without validation."""
    psnr: float
    psnr_enlarged: float | None
    """Of the reconstruction at twice the size, by the collages themselves."""
    psnr_bicubic: float
    """Of the reconstruction, enlarged to twice the size by bicubic interpolation."""


@dataclass
class Result:
    """Everything that was measured."""

    command: str
    environment: Environment
    data: str
    noise: float
    crop: int
    batch_size: int
    held_out: int
    psnr_seen: float
    """Of what the models see: the noise."""
    psnr_averages: float
    """Of the averages of ranges, where the training of the collages begins."""
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
    """A row per validation: step, then the PSNR of each contestant."""
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
        f"{result.held_out} held-out crops; that of what the models see is {result.psnr_seen:.2f}, "
        f"that of its averages over ranges, where a collage begins, {result.psnr_averages:.2f}."
    )
    columns = (
        f"Code: the numbers that a reconstruction is made of; a picture has {3 * crop**2:,}. "
        "PSNR at 2x: of the same codes decoded at twice the size, against the pictures before "
        "they were reduced; beside it, of the reconstruction enlarged by bicubic interpolation. "
        "The collages are trained at 2x, whose error contains that at 1x. Training times are those "
        "of a machine that other work shared."
    )
    return f"""# Denoising autoencoding

    {result.command}

{fill(setting, 100)}

{markdown_table(header, rows)}

{fill(columns, 100)}

Machine: {result.environment}.
"""
