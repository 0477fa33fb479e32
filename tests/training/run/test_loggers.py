import csv
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning.pytorch import loggers as lightning_loggers
from PIL import Image

from neural_collage.errors import MissingExtraError
from neural_collage.training.run.loggers import LoggingConfig, MetricsCsv, TensorBoard, make_loggers


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_is_complete_after_every_row_and_columns_are_added(tmp_path: Path) -> None:
    log = MetricsCsv(tmp_path / "run")
    log.log_metrics({"train/loss": 0.5}, 0)
    assert rows(tmp_path / "run") == [{"step": "1", "train/loss": "0.5"}]
    log.log_metrics({"train/loss": 0.25}, 1)
    log.log_metrics({"val/loss": 0.1}, 1)
    log.log_metrics({"train/loss": 1 / 3}, 2)
    assert rows(tmp_path / "run") == [
        {"step": "1", "train/loss": "0.5", "val/loss": ""},
        {"step": "2", "train/loss": "0.25", "val/loss": ""},
        {"step": "2", "train/loss": "", "val/loss": "0.1"},
        {"step": "3", "train/loss": repr(1 / 3), "val/loss": ""},
    ]


def test_csv_of_a_resumed_run_continues_after_the_checkpoint(tmp_path: Path) -> None:
    first, second = MetricsCsv(tmp_path), MetricsCsv(tmp_path, step=3)
    for step in range(5):
        first.log_metrics({"loss": float(step)}, step)
    second.log_metrics({"loss": 30.0, "more": 1.0}, 3)
    second.log_metrics({"loss": 40.0}, 4)
    assert [(row["step"], row["loss"]) for row in rows(tmp_path)] == [
        ("1", "0.0"),
        ("2", "1.0"),
        ("3", "2.0"),
        ("4", "30.0"),
        ("5", "40.0"),
    ]


def test_csv_of_a_new_run_replaces_the_file(tmp_path: Path) -> None:
    MetricsCsv(tmp_path).log_metrics({"loss": 1.0}, 7)
    MetricsCsv(tmp_path).log_metrics({"loss": 2.0}, 0)
    assert rows(tmp_path) == [{"loss": "2.0", "step": "1"}]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_tensorboard_holds_numbers_and_pictures_of_a_resumed_run(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    grey = Image.fromarray(np.full((3, 4), 9, np.uint8))
    for log, steps in ((TensorBoard(tmp_path), range(5)), (TensorBoard(tmp_path, 3), range(3, 6))):
        time.sleep(1.01 - time.time() % 1)  # TensorBoard orders files by the second in their names
        for step in steps:
            log.log_metrics({"loss": float(step)}, step)
        log.log_image("grey", [grey], 6)
        log.log_image("colour", [grey.convert("RGB")], 6)
        log.finalize("success")
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [e.step for e in events.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert {"grey", "colour"} == set(events.Tags()["images"])


def test_wandb_is_used_only_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [log.name for log in make_loggers(LoggingConfig(), tmp_path, 0)] == [
        "csv",
        "tensorboard",
    ]
    assert len(make_loggers(LoggingConfig(tensorboard=False), tmp_path, 0)) == 1
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtraError, match="pip install wandb"):
        make_loggers(LoggingConfig(wandb=True), tmp_path, 0)


def test_a_resumed_run_keeps_its_name_at_wandb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []

    class FakeWandb(MetricsCsv):
        def __init__(self, **settings: Any) -> None:
            super().__init__(tmp_path)
            made.append(settings)

    monkeypatch.setitem(sys.modules, "wandb", types.ModuleType("wandb"))
    monkeypatch.setattr(lightning_loggers, "WandbLogger", FakeWandb)
    for step in (0, 5):
        make_loggers(LoggingConfig(wandb=True, project="p"), tmp_path / "run", step)
    assert made[0] == made[1]
    assert made[0]["project"] == "p"
    assert made[0]["id"] == (tmp_path / "run/wandb.txt").read_text()
