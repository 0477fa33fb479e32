"""What the parts of the neural codec contribute: short trainings that differ in one component.

    python -m benchmarks.ablation
    python -m benchmarks.ablation --study distortion

Trains the variants of a study for a few minutes each, with equal steps, data and seeds, and
compares their estimated rates on validation pictures at equal quality. A finished variant stays in
the run folder and is not trained again. Writes ablation.json and ablation.md, or those with
_distortion in their names. What links add to a finished model is measured by benchmarks.refinement.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from benchmarks.ablation.variants import STUDIES, Study
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from neural_collage.evaluation.bd_rate import Curve, bd_rate
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.training.run.experiment import evaluation_experiment, training_experiment
from neural_collage.training.tasks.compression import VALIDATION_LEVELS

Curves: TypeAlias = Mapping[str, Curve]
"""By metric."""


def main(
    study: Annotated[str, typer.Option(help=f"The study: {' or '.join(STUDIES)}.")] = "patches",
    steps: Annotated[int, typer.Option(help="Training steps of each variant.")] = 1500,
    runs: Annotated[Path, typer.Option(help="Folder of the trainings.")] = Path("runs/ablation"),
    output: OutputFolder = RESULTS,
) -> None:
    """Train the variants that are missing; writes a JSON file and a page."""
    if study not in STUDIES:
        raise typer.BadParameter(f"{study}: there are the studies {', '.join(STUDIES)}")
    chosen = STUDIES[study]
    curves = {name: measure(chosen, name, steps, runs / study) for name in chosen.variants}
    rates = {
        name: {
            metric: bd_rate(curves[chosen.reference][metric], own[metric])
            for metric in chosen.metrics
        }
        for name, own in curves.items()
    }
    command = f"python -m benchmarks.ablation --study {study} --steps {steps}"
    report = {
        "command": command,
        "environment": asdict(Environment.current()),
        "bd_rate": rates,
        "curves": {
            name: {metric: curve._asdict() for metric, curve in own.items()}
            for name, own in curves.items()
        },
    }
    page = to_markdown(chosen, curves, rates, command, steps)
    write_results(output, chosen.name, report, page)
    typer.echo(page)


def measure(study: Study, name: str, steps: int, runs: Path) -> Curves:
    """The curves of a variant over the validation levels; trains it if necessary."""
    folder = runs / name.replace(", ", "-").replace(" ", "-")
    arguments = [
        "--config", str(study.config), *study.variants[name],
        "--trainer.max_steps", str(steps),
        "--trainer.val_check_interval", str(steps),
        "--trainer.default_root_dir", str(folder),
        "--ema.decay", "0.99",
    ]  # fmt: skip
    if not (folder / "checkpoints" / "last.ckpt").exists():
        training_experiment(arguments).fit()
    values = evaluation_experiment(arguments, "last").evaluate()
    return {
        metric: Curve(
            [values[f"val/bpp_{level}"] for level in VALIDATION_LEVELS],
            [values[f"val/{metric}_{level}"] for level in VALIDATION_LEVELS],
        )
        for metric in study.metrics
    }


def to_markdown(
    study: Study,
    curves: Mapping[str, Curves],
    rates: Mapping[str, Mapping[str, float]],
    command: str,
    steps: int,
) -> str:
    """A table of BD-rates, and one of the points that they come from."""
    differences = [
        [name, *(f"{of_name[metric]:+.1f} %" for metric in study.metrics)]
        for name, of_name in rates.items()
    ]
    points = [
        [
            name,
            *(
                f"{own['psnr'].rates[n]:.3f} / "
                + " / ".join(f"{own[metric].values[n]:.2f}" for metric in study.metrics)
                for n in range(len(VALIDATION_LEVELS))
            ),
        ]
        for name, own in curves.items()
    ]
    levels = [f"level {level}" for level in VALIDATION_LEVELS]
    return f"""# {study.title}

    {command}

{steps} steps each, otherwise as {study.config}; estimated rates of the centres of the validation
pictures. {study.remark}

BD-rate against "{study.reference}": positive is worse.

{markdown_table([study.subject, *study.metrics.values()], differences)}

Bits per pixel / {" / ".join(study.metrics.values())}:

{markdown_table([study.subject, *levels], points)}
"""
