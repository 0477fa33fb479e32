from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer

from neural_collage.errors import ConfigError
from neural_collage.training.run.launch import launch, make_trainer

BATCH_SCRIPT = {
    "SLURM_JOB_ID": "12",
    "SLURM_JOB_NAME": "interactive",  # Lightning itself ignores jobs of this name
    "SLURM_NNODES": "2",
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NODELIST": "a[01-02]",
    "SLURM_PROCID": "0",
    "SLURM_NODEID": "0",
    "SLURM_LOCALID": "0",
}
"""Variables that SLURM sets for the script of a job; srun adds the step id."""
TASK = {**BATCH_SCRIPT, "SLURM_STEP_ID": "0"}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "x",
    "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_WORLD_SIZE": "2",
    "RANK": "0",
    "LOCAL_RANK": "0",
    "GROUP_RANK": "0",
}


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {**TASK, **TORCHRUN}:
        monkeypatch.delenv(name, raising=False)


def environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def trainer(folder: Path, **settings: Any) -> Trainer:
    """A trainer with some settings of a config."""
    given = {"devices": "auto", "num_nodes": 1, "callbacks": None, "plugins": None, **settings}
    others = {"logger": False, "enable_progress_bar": False, "default_root_dir": folder}
    made = Namespace(accelerator="cpu", **given, **others)  # type: ignore[no-untyped-call]
    return make_trainer(made, [], launch())


@pytest.mark.parametrize("variables", [TASK, TORCHRUN, {**TASK, **TORCHRUN}])
@pytest.mark.parametrize("settings", [{}, {"devices": 2}, {"devices": "2", "num_nodes": 2}])
def test_a_trainer_has_as_many_devices_as_processes_were_started(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    settings: dict[str, Any],
) -> None:
    environment(monkeypatch, variables)
    made = trainer(tmp_path, **settings)
    assert (made.num_devices, made.num_nodes, made.world_size) == (2, 2, 4)


@pytest.mark.parametrize("settings", [{"devices": 1}, {"devices": 4}, {"num_nodes": 3}])
def test_other_numbers_in_a_config_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    environment(monkeypatch, TASK)
    with pytest.raises(ConfigError, match="srun has started 2 processes on 2: leave devices and"):
        trainer(tmp_path, **settings)


def test_lightning_does_not_requeue_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, TASK)
    found = trainer(tmp_path).strategy.cluster_environment  # type: ignore[attr-defined]
    assert isinstance(found, SLURMEnvironment)
    assert not found.auto_requeue


@pytest.mark.parametrize("variables", [BATCH_SCRIPT, {**TASK, "SLURM_NTASKS": "1"}])
def test_a_single_process_under_slurm_does_not_wait_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    environment(monkeypatch, variables)
    assert trainer(tmp_path).world_size == 1
    found = trainer(tmp_path, devices=2)
    assert found.world_size == 2
    environment_of = found.strategy.cluster_environment  # type: ignore[attr-defined]
    assert isinstance(environment_of, LightningEnvironment)  # Lightning starts the second process


def test_there_is_no_launch_outside_of_launchers() -> None:
    assert launch() is None


def test_srun_without_a_number_of_tasks_per_node_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment(monkeypatch, TASK)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(ConfigError, match=r"use --nodes and --ntasks-per-node instead of --ntasks"):
        launch()


@pytest.mark.parametrize(
    ("variables", "by"),
    [({**TASK, "SLURM_NTASKS": "3"}, "srun"), ({**TORCHRUN, "WORLD_SIZE": "3"}, "torchrun")],
)
def test_machines_with_different_numbers_of_processes_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], by: str
) -> None:
    environment(monkeypatch, variables)
    with pytest.raises(ConfigError, match=f"{by}: 3 processes on 2 machines, but 2 on this one"):
        launch()
