"""The variants of ablations have the properties in their names."""

from pathlib import Path

import pytest

from benchmarks.ablation.study import to_markdown
from benchmarks.ablation.variants import DISTORTION, PATCHES, Study
from neural_collage.evaluation.bd_rate import Curve
from neural_collage.training.run.experiment import training_experiment
from neural_collage.training.tasks.compression import CompressionTask
from neural_collage.training.tasks.optimiser import OptimiserConfig, make_optimiser
from tests.training.toy_runs import lightning_noise

pytestmark = lightning_noise


def task_of(study: Study, name: str, folder: Path) -> CompressionTask:
    arguments = ["--config", str(study.config), *study.variants[name]]
    arguments += ["--trainer.default_root_dir", str(folder)]
    task = training_experiment(arguments).task
    assert isinstance(task, CompressionTask)
    return task


@pytest.mark.parametrize("name", PATCHES.variants)
def test_patches_have_the_properties_in_their_name(name: str, tmp_path: Path) -> None:
    task = task_of(PATCHES, name, tmp_path)
    assert isinstance(task.optimiser, OptimiserConfig)
    assert task.overlap == ("no overlap" not in name)
    assert task.model.config.lapped == (task.overlap and "not pre-filtered" not in name)
    assert task.start == ("principal" if "principal" in name else "cosine")
    assert (task.optimiser.multipliers["patches"] > 0) == ("learned" in name)


@pytest.mark.parametrize("name", DISTORTION.variants)
def test_distortions_have_the_properties_in_their_name(name: str, tmp_path: Path) -> None:
    task = task_of(DISTORTION, name, tmp_path)
    assert make_optimiser(task.model, task.optimiser).param_groups  # all multipliers apply
    config = task.model.config
    assert config.adaptive == ("adaptive" in name)
    assert (config.visual > 0) == ("visual" in name)
    assert (config.structural > 0) == ("structural" in name)
    assert (config.shares.squared > 0.99) == (name.startswith("squared"))


@pytest.mark.parametrize("study", [PATCHES, DISTORTION])
def test_the_report_compares_all_with_the_reference(study: Study) -> None:
    curve = Curve([0.1, 0.3, 0.4, 0.5], [25.0, 27.0, 28.0, 30.0])
    curves = {study.reference: dict.fromkeys(study.metrics, curve)}
    rates = {study.reference: dict.fromkeys(study.metrics, 0.0)}
    text = to_markdown(study, curves, rates, "python -m benchmarks.ablation", 7)
    count = len(study.metrics)
    assert f"| {study.reference} | {' | '.join(['+0.0 %'] * count)} |" in text
    first, last = ["0.100", *["25.00"] * count], ["0.500", *["30.00"] * count]
    assert f"| {study.reference} | {' / '.join(first)} |" in text
    assert f"| {' / '.join(last)} |" in text
    assert "7 steps each" in text
