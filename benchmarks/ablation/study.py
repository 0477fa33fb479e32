"""What the parts of the neural codec contribute: short trainings that differ in one component.

    python -m benchmarks.ablation

Trains variants of the compressor of configs/compression/natural-psnr.yaml for a few minutes each,
with equal steps, data and seeds, and compares their estimated rates on validation pictures at equal
PSNR. Patches are learned or stay as initialised (cosines, principal components), with or without
overlap, and the analysis transform projects pre-filtered or unfiltered pixels. (Without overlap
there is no pre-filter.) A finished variant stays in the run folder and is not trained again.
Writes ablation.json and ablation.md. What links add to a finished model is measured by
benchmarks.refinement.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from neural_collage.evaluation.bd_rate import Curve, bd_rate
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.training.run.experiment import evaluation_experiment, training_experiment
from neural_collage.training.tasks.compression import VALIDATION_LEVELS

CONFIG = Path("configs/compression/natural-psnr.yaml")
TASK = "--model.init_args."
FROZEN = (
    f"{TASK}optimiser.multipliers",
    '{"patches": 0, "analysis.linear": 0, "entropy": 1.5}',
)
PRINCIPAL = (f"{TASK}start", "principal")
UNFILTERED = (f"{TASK}model.init_args.config.lapped", "false")
VARIANTS: dict[str, tuple[str, ...]] = {
    "learned from cosines": (),
    "learned from cosines, pixels not pre-filtered": UNFILTERED,
    "learned from cosines, no overlap": (*UNFILTERED, f"{TASK}overlap", "false"),
    "learned from principal components": PRINCIPAL,
    "cosines": FROZEN,
    "principal components": (*FROZEN, *PRINCIPAL),
}
REFERENCE = "learned from cosines"


def main(
    steps: Annotated[int, typer.Option(help="Training steps of each variant.")] = 1500,
    runs: Annotated[Path, typer.Option(help="Folder of the trainings.")] = Path("runs/ablation"),
    output: OutputFolder = RESULTS,
) -> None:
    """Train the variants that are missing; writes ablation.json and ablation.md."""
    curves = {name: measure(name, steps, runs) for name in VARIANTS}
    rates = {name: bd_rate(curves[REFERENCE], curve) for name, curve in curves.items()}
    command = f"python -m benchmarks.ablation --steps {steps}"
    report = {
        "command": command,
        "environment": asdict(Environment.current()),
        "bd_rate": rates,
        "curves": {name: {"rates": c.rates, "psnrs": c.values} for name, c in curves.items()},
    }
    page = to_markdown(curves, rates, command, steps)
    write_results(output, "ablation", report, page)
    typer.echo(page)


def measure(name: str, steps: int, runs: Path) -> Curve:
    """Bits per pixel and PSNR of a variant at the validation levels; trains it if necessary."""
    folder = runs / name.replace(", ", "-").replace(" ", "-")
    arguments = [
        "--config", str(CONFIG), *VARIANTS[name],
        "--trainer.max_steps", str(steps),
        "--trainer.val_check_interval", str(steps),
        "--trainer.default_root_dir", str(folder),
        "--ema.decay", "0.99",
    ]  # fmt: skip
    if not (folder / "checkpoints" / "last.ckpt").exists():
        training_experiment(arguments).fit()
    metrics = evaluation_experiment(arguments, "last").evaluate()
    return Curve(
        [metrics[f"val/bpp_{level}"] for level in VALIDATION_LEVELS],
        [metrics[f"val/psnr_{level}"] for level in VALIDATION_LEVELS],
    )


def to_markdown(
    curves: Mapping[str, Curve], rates: Mapping[str, float], command: str, steps: int
) -> str:
    """A table of all variants."""
    rows = [
        [
            name,
            f"{rates[name]:+.1f} %",
            *(f"{r:.3f} / {p:.2f}" for r, p in zip(*curve, strict=True)),
        ]
        for name, curve in curves.items()
    ]
    levels = [f"level {level} (bpp / dB)" for level in VALIDATION_LEVELS]
    return f"""# What learned and overlapping patches contribute

    {command}

{steps} steps each, otherwise as configs/compression/natural-psnr.yaml; estimated rates of the
centres of the validation pictures. All variants have the same convolutional correction in the
analysis transform and the same entropy model. BD-rate against "{REFERENCE}": positive is worse.

{markdown_table(["patches", "BD-rate", *levels], rows)}
"""
