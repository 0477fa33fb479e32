"""`collage train` and `collage evaluate`, on images in a folder."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Run
from tests.root import ROOT
from tests.training.toy_runs import lightning_noise

pytestmark = [lightning_noise, pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")]

CALLBACK = "--trainer.callbacks+=tests.training.toy_runs.Terminate"


def start(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The program in a process of its own."""
    root = str(ROOT)
    return subprocess.run(
        [Path(sys.executable).with_name("collage"), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of metrics.csv, without the speed."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    return [{k: v for k, v in row.items() if k != "train/images_per_second"} for row in rows]


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_training_fills_its_run_folder(collage: Run, config: Path, tmp_path: Path) -> None:
    result = collage("train", "--config", config, "--pictures.every_n_steps", 12)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[0] == (
        "Linear, 115 parameters, in 1 x CPU, precision 32-true; run folder runs/toy"
    )
    assert result.stderr.splitlines()[-1] == "trained to step 24: runs/toy"
    assert result.stdout == ""
    found = files(tmp_path / "runs/toy")
    assert {name for name in found if "tfevents" not in name} == {
        "config.yaml",
        "metrics.csv",
        *(f"checkpoints/{name}.ckpt" for name in ("last", "previous", "best")),
        *(f"pictures/{n}/step-00000{s}.png" for n in ("original", "restored") for s in (12, 24)),
    }
    assert any("tfevents" in name for name in found)
    rows = metrics(tmp_path / "runs/toy")
    assert [row["step"] for row in rows if "train/loss" in row] == list(range(1, 25))
    assert {
        "train/error", "train/gradient_norm", "train/learning_rate", "train/skipped_steps"
    } <= rows[0].keys()  # fmt: skip


def test_a_finished_training_is_evaluated_with_its_averaged_weights(
    collage: Run, config: Path, tmp_path: Path
) -> None:
    assert collage("train", "--config", config).exit_code == 0
    validated = metrics(tmp_path / "runs/toy")[-1]
    result = collage("evaluate", "--config", config, "--ckpt", "last", "--json")
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured["checkpoint"] == "runs/toy/checkpoints/last.ckpt"
    assert measured["step"] == 24
    for name in ("val/loss", "val/error"):
        assert measured["metrics"][name] == pytest.approx(validated[name], rel=1e-6)
    assert measured["metrics"].keys() == {"val/loss", "val/error", "test/loss", "test/error"}
    # The optimiser is no matter here, and there may be nothing to test on.
    result = collage(
        "evaluate", "--config", "runs/toy/config.yaml", "--ckpt", "runs/toy/checkpoints/best.ckpt",
        "--model.init_args.optimiser.learning_rate", 1, "--data.init_args.test", "null",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "runs/toy/checkpoints/best.ckpt after step 24"
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["val/loss", "val/error"]


def test_a_training_is_resumed_or_replaced_only_on_request(
    collage: Run, config: Path, tmp_path: Path
) -> None:
    train = ("train", "--config", config)
    result = collage(*train, "--ckpt", "last", "--trainer.max_epochs", 1)
    assert "runs/toy holds no checkpoint yet: starting from the beginning" in result.stderr
    result = collage(*train)
    assert result.exit_code == 1
    assert "runs/toy holds a training: --ckpt last resumes it" in result.stderr
    result = collage(*train, "--ckpt", "last", "--trainer.max_epochs", 2)
    assert "resuming from runs/toy/checkpoints/last.ckpt after step 6" in result.stderr
    assert "trained to step 12" in result.stderr
    before = files(tmp_path)
    assert collage(*train, "--overwrite", "--trainer.devices", "two").exit_code == 2
    assert files(tmp_path) == before
    result = collage(*train, "--overwrite", "--trainer.max_steps", 3)
    assert "trained to step 3" in result.stderr
    assert len(metrics(tmp_path / "runs/toy")) == 3
    elsewhere = (*train, "--ckpt", "runs/toy/checkpoints/last.ckpt", "--trainer.max_steps", 5)
    result = collage(*elsewhere, "--trainer.default_root_dir", "other")
    assert "resuming from runs/toy/checkpoints/last.ckpt after step 3" in result.stderr
    assert [row["step"] for row in metrics(tmp_path / "other")] == [4, 5]
    assert collage(*elsewhere, "--trainer.default_root_dir", "other").exit_code == 1


def test_a_trial_run_writes_nothing(collage: Run, config: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    result = collage("train", "--config", config, "--trainer.fast_dev_run", "true")
    assert result.exit_code == 0, result.output
    assert "one batch of everything went through; nothing was written" in result.stderr
    assert files(tmp_path) == before


def test_sigterm_saves_and_the_training_resumes(collage: Run, config: Path, tmp_path: Path) -> None:
    train = ("train", "--config", config)
    collage(*train, "--trainer.default_root_dir", "whole")
    parts = (*train, "--trainer.default_root_dir", "parts")
    result = collage(*parts, CALLBACK, "--trainer.callbacks.step=9")
    assert result.exit_code == 128 + signal.SIGTERM
    assert result.stderr.splitlines()[-1] == (
        "collage: training stopped by SIGTERM after step 9; its state is saved: "
        "resume with --ckpt last"
    )
    assert collage(*parts, "--ckpt", "last").exit_code == 0
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "whole")


def test_a_killed_training_resumes_to_the_same_curve(
    collage: Run, config: Path, tmp_path: Path
) -> None:
    train = ("train", "--config", str(config))
    assert collage(*train, "--trainer.default_root_dir", "whole").exit_code == 0
    parts = (*train, "--trainer.default_root_dir", "parts")
    killed = start(
        tmp_path, *parts, CALLBACK, "--trainer.callbacks.step=8", "--trainer.callbacks.signal=9"
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    result = collage(*parts, "--ckpt", "last", "--data.init_args.num_workers", 0)
    assert "resuming from parts/checkpoints/last.ckpt after step 6" in result.stderr
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "whole")
    whole, resumed = (
        torch.load(tmp_path / folder / "checkpoints/last.ckpt", weights_only=True)
        for folder in ("whole", "parts")
    )
    for kind in ("state_dict", "training_weights"):
        assert all(torch.equal(whole[kind][name], v) for name, v in resumed[kind].items())


def test_two_processes_share_the_batches_of_one(collage: Run, config: Path, tmp_path: Path) -> None:
    """If the gradient of one explodes, both skip the step; both stop at the same step."""
    changed = ("--model.init_args.noise=0", "--model.init_args.nan_at=[4]")
    train = ("train", "--config", str(config), *changed)
    one = (*train, "--trainer.default_root_dir", "one")
    two = (*train, "--trainer.default_root_dir", "two")
    assert collage(*one).exit_code == 0
    result = start(tmp_path, *two, "--trainer.devices=2", CALLBACK, "--trainer.callbacks.step=8")
    assert result.returncode == 128 + signal.SIGTERM, result.stderr
    assert result.stderr.splitlines() == [
        "Linear, 115 parameters, in 2 x CPU, precision 32-true; run folder two",
        result.stderr.splitlines()[1],
        "collage: training stopped by SIGTERM after step 8; its state is saved: "
        "resume with --ckpt last",
    ]
    assert collage(*two, "--ckpt", "last").exit_code == 0  # in one process
    rows, expected = metrics(tmp_path / "two"), metrics(tmp_path / "one")
    assert [row["train/skipped_steps"] for row in rows[3:6]] == [0, 1, 1]
    assert [row.keys() for row in rows] == [row.keys() for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-4, nan_ok=True)
