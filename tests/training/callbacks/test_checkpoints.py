import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from neural_collage.errors import CheckpointError, ConfigError
from neural_collage.training.callbacks.checkpoints import Checkpoints, folder_of, resume_hint
from neural_collage.training.checkpoint_io import read_checkpoint
from tests.training.toy_runs import fit, lightning_noise, make_task, make_trainer

pytestmark = lightning_noise


class Steps(Callback):
    """The step of every checkpoint in the folder, after every step of the training."""

    def __init__(self) -> None:
        self.found: list[dict[str, int]] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.found.append(steps_in(folder_of(trainer)))


class Scores(Callback):
    """Logs given numbers as the results of validations."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            pl_module.log("val/score", self.scores.pop(0))


def steps_in(folder: Path) -> dict[str, int]:
    return {p.name: int(read_checkpoint(p)["global_step"]) for p in sorted(folder.glob("*.ckpt"))}


def test_last_and_previous_follow_the_steps(tmp_path: Path) -> None:
    steps = Steps()
    fit(tmp_path, steps, Checkpoints(every_n_steps=2), max_steps=7, val=0)
    assert [found.get("last.ckpt") for found in steps.found] == [None, None, 2, 2, 4, 4, 6]
    assert [found.get("previous.ckpt") for found in steps.found] == [None] * 4 + [2, 2, 4]
    assert steps_in(tmp_path / "checkpoints") == {"last.ckpt": 7, "previous.ckpt": 6}


def test_checkpoints_are_written_after_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 100_000, 20))  # seconds between two calls
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    checkpoints, steps = Checkpoints(every_n_steps=None, every_n_minutes=1.0), Steps()
    fit(tmp_path, steps, checkpoints, max_steps=8, val=0)
    written = {found["last.ckpt"] for found in steps.found if found}
    assert 2 <= len(written) <= 4


def test_a_validation_is_preceded_and_followed_by_a_checkpoint(tmp_path: Path) -> None:
    fit(tmp_path, Checkpoints(every_n_steps=None, every_n_minutes=None, best=0), max_steps=4)
    assert steps_in(tmp_path / "checkpoints") == {"last.ckpt": 4, "previous.ckpt": 4}


@pytest.mark.parametrize(
    ("mode", "scores", "kept"),
    [
        ("min", [3.0, 1.0, 2.0, 4.0], [8, 12]),
        ("max", [3.0, 1.0, 2.0, 4.0], [16, 4]),
        ("min", [float("nan"), 5.0, float("nan"), 4.0], [16, 8]),
        ("min", [2.0, 2.0, 2.0, 2.0], [4, 8]),  # the first of equals
    ],
)
def test_the_best_are_kept_in_order(
    tmp_path: Path, mode: Any, scores: list[float], kept: list[int]
) -> None:
    fit(tmp_path, Scores(*scores), Checkpoints(best=2, monitor="val/score", mode=mode))
    found = steps_in(tmp_path / "checkpoints")
    assert [found["best.ckpt"], found["best-2.ckpt"]] == kept
    assert "best-3.ckpt" not in found


def test_the_best_are_remembered_by_a_resumed_training(tmp_path: Path) -> None:
    keep: dict[str, Any] = {"monitor": "val/score"}
    fit(tmp_path, Scores(1.0), Checkpoints(**keep), max_epochs=1)
    last = tmp_path / "checkpoints/last.ckpt"
    fit(tmp_path, Scores(2.0, 0.5), Checkpoints(**keep), max_epochs=3, ckpt_path=last)
    assert steps_in(tmp_path / "checkpoints")["best.ckpt"] == 12


def test_a_metric_that_is_not_logged_cannot_be_monitored(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="val/psnr is not measured: choose among val/error, val/"):
        fit(tmp_path, Checkpoints(monitor="val/psnr"))


def test_nothing_is_written_by_a_trial_run(tmp_path: Path) -> None:
    fit(tmp_path, Checkpoints(every_n_steps=1), fast_dev_run=True)
    assert not list(tmp_path.rglob("*.ckpt"))


def test_no_checkpoint_is_written_between_accumulated_batches(tmp_path: Path) -> None:
    steps = Steps()
    fit(
        tmp_path,
        steps,
        Checkpoints(every_n_steps=1, every_n_minutes=None),
        max_steps=4,
        val=0,
        accumulate_grad_batches=2,
    )
    assert [found.get("last.ckpt", 0) for found in steps.found] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_full_disk_ends_the_training_and_leaves_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FillUp(Callback):
        def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
            if trainer.global_step == 5:

                def full(*_: Any) -> None:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

                monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(CheckpointError, match="No space left on device") as caught:
        fit(tmp_path, FillUp(), Checkpoints(every_n_steps=2), val=0)
    last = tmp_path / "checkpoints/last.ckpt"
    assert f"the last good checkpoint is {last} (step 4)" in str(caught.value)
    assert steps_in(last.parent) == {"last.ckpt": 4, "previous.ckpt": 2}
    assert {each.suffix for each in last.parent.iterdir()} == {".ckpt"}


def test_what_a_killed_process_left_behind_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / ".0123456789abcdef.part").write_bytes(b"half a checkpoint")
    fit(tmp_path, Checkpoints(), max_steps=1, val=0)
    assert [each.name for each in folder.iterdir()] == ["last.ckpt"]


def test_without_checkpoints_the_message_says_that_none_was_written(tmp_path: Path) -> None:
    assert resume_hint(make_trainer(tmp_path)) == "no checkpoint has been written"


def test_checkpoints_hold_no_code(tmp_path: Path) -> None:
    fit(tmp_path, Checkpoints(), task=make_task(noise=0.1), max_steps=1, val=0)
    found = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert {"state_dict", "optimizer_states", "lr_schedulers", "loops"} <= found.keys()


@pytest.mark.parametrize(
    "settings", [{"every_n_steps": -1}, {"every_n_minutes": -0.5}, {"best": -1}]
)
def test_invalid_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Checkpoints(**settings)
