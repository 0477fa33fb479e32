"""Batches whose workers, programs, disks or inputs fail while they run.

The loss of a node of a Ray cluster is tested by `make soak`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.faults.study import (
    Result,
    Stage,
    corrupt_inputs,
    full_disk,
    killed_driver,
    killed_worker,
    vanished_source,
)

pytestmark = pytest.mark.xdist_group("faults")
Scenario = Callable[[Stage, Path], Result]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("stage"), 60)


@pytest.mark.parametrize(
    ("scenario", "exits"),
    [
        (killed_worker, (0,)),
        (killed_driver, (-9, 0)),
        (full_disk, (1, 0)),
        (vanished_source, (1,)),
        (corrupt_inputs, (1,)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_all_outputs_are_complete_after_a_fault(
    stage: Stage, tmp_path: Path, scenario: Scenario, exits: tuple[int, ...]
) -> None:
    if scenario is full_disk and os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    result = scenario(stage, tmp_path / "out")
    assert result.good, result
    assert result.exits == exits
    if scenario is killed_driver:
        assert result.kept > 0
    if scenario is full_disk:
        assert "No space left on device" in result.last_stderr_line
