"""What the parts of the neural codec are worth: short trainings that differ in one thing.

    python -m benchmarks.ablation

Trains the compressor of configs/compression/natural.yaml for a few minutes in each of some ways, at
equal steps, data and seeds, and compares the estimated rates of validation pictures at equal PSNR:
patches learned or left as they began (cosines, principal components), with or without overlap, and
with the encoder's projection of pixels as they are. (Without overlap there is nothing to filter.)
Finished variants are kept in the run folder and not trained again. Writes ablation.json and
ablation.md. What links add to a finished model is measured by benchmarks.refinement.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from neural_collage.evaluation.bd_rate import Curve, bd_rate
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.report import markdown_table
from neural_collage.io.files import write_atomically
from neural_collage.training.run.experiment import evaluation, training
from neural_collage.training.tasks.compression import VALIDATION_LEVELS

CONFIG = Path("configs/compression/natural.yaml")
TASK = "--model.init_args."
FROZEN = (
    "--model.init_args.optimiser.multipliers",
    '{"patches": 0, "analysis.linear": 0, "entropy": 1.5}',
)
PRINCIPAL = (f"{TASK}start", "principal")
PLAIN = (f"{TASK}model.init_args.config.lapped", "false")
VARIANTS: dict[str, tuple[str, ...]] = {
    "learned from cosines": (),
    "learned from cosines, pixels not pre-filtered": PLAIN,
    "learned from cosines, no overlap": (*PLAIN, f"{TASK}overlap", "false"),
    "learned from principal components": PRINCIPAL,
    "cosines": FROZEN,
    "principal components": (*FROZEN, *PRINCIPAL),
}
REFERENCE = "learned from cosines"


def main() -> None:
    """Train what is missing, and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    curves = {name: measure(name, options.steps, options.runs) for name in VARIANTS}
    rates = {name: bd_rate(curves[REFERENCE], curve) for name, curve in curves.items()}
    command = f"python -m benchmarks.ablation --steps {options.steps}"
    report = {
        "command": command,
        "environment": asdict(Environment.current()),
        "bd_rate": rates,
        "curves": {name: curve._asdict() for name, curve in curves.items()},
    }
    options.output.mkdir(parents=True, exist_ok=True)
    write_atomically(options.output / "ablation.json", json.dumps(report, indent=1).encode())
    text = to_markdown(curves, rates, command, options.steps)
    write_atomically(options.output / "ablation.md", text.encode())
    print(text)


def measure(name: str, steps: int, runs: Path) -> Curve:
    """Bits per pixel and PSNR of a variant at the levels of validation, trained if need be."""
    folder = runs / name.replace(", ", "-").replace(" ", "-")
    arguments = [
        "--config", str(CONFIG), *VARIANTS[name],
        "--trainer.max_steps", str(steps),
        "--trainer.val_check_interval", str(steps),
        "--trainer.default_root_dir", str(folder),
        "--ema.decay", "0.99",
    ]  # fmt: skip
    if not (folder / "checkpoints" / "last.ckpt").exists():
        training(arguments).fit()
    metrics = evaluation(arguments, "last").evaluate()
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
    return f"""# What learned and overlapping patches are worth

    {command}

{steps} steps each, otherwise as configs/compression/natural.yaml; estimated rates of the middle of
the validation pictures, all variants with the same encoder correction and entropy model. BD-rate
against "{REFERENCE}": positive is worse.

{markdown_table(["patches", "BD-rate", *levels], rows)}
"""


if __name__ == "__main__":
    main()
