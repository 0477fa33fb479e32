"""The variants of the ablation of the neural codec have the properties in their names."""

from pathlib import Path

import pytest

from benchmarks.ablation.study import CONFIG, REFERENCE, VARIANTS, to_markdown
from neural_collage.evaluation.bd_rate import Curve
from neural_collage.training.run.experiment import training_experiment
from neural_collage.training.tasks.compression import CompressionTask
from neural_collage.training.tasks.optimiser import OptimiserConfig
from tests.training.toy_runs import lightning_noise

pytestmark = lightning_noise


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_has_the_properties_in_its_name(name: str, tmp_path: Path) -> None:
    task = training_experiment(
        ["--config", str(CONFIG), *VARIANTS[name], "--trainer.default_root_dir", str(tmp_path)]
    ).task
    assert isinstance(task, CompressionTask)
    assert isinstance(task.optimiser, OptimiserConfig)
    assert task.overlap == ("no overlap" not in name)
    assert task.model.config.lapped == (task.overlap and "not pre-filtered" not in name)
    assert task.start == ("principal" if "principal" in name else "cosine")
    assert (task.optimiser.multipliers["patches"] > 0) == ("learned" in name)


def test_the_report_compares_all_with_the_reference() -> None:
    curve = Curve([0.1, 0.5], [25.0, 30.0])
    text = to_markdown({REFERENCE: curve}, {REFERENCE: 0.0}, "python -m benchmarks.ablation", 7)
    assert f"| {REFERENCE} | +0.0 % | 0.100 / 25.00 | 0.500 / 30.00 |" in text
    assert "7 steps each" in text
