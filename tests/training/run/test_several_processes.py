"""Two processes, started as torchrun and SLURM start them, train as one does."""

import csv
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from neural_collage.training.run.experiment import training_experiment
from tests.root import ROOT
from tests.training.toy_runs import lightning_noise

pytestmark = lightning_noise

COLLAGE, TORCHRUN = (str(Path(sys.executable).with_name(name)) for name in ("collage", "torchrun"))
LEVELS = range(8, 248, 15)
STEPS = 12
CONFIG = """\
model:
  class_path: tests.training.toy.Denoising
  init_args:
    model: {class_path: tests.training.toy.Linear}
    optimiser: {learning_rate: 1e-2, floor: 1.0}
data:
  class_path: neural_collage.training.data_modules.ImageData
  init_args: {train: pictures, val: pictures, crop: 4, channels: 1, batch_size: 4}
ema: {decay: 0.9}
checkpoints: {every_n_steps: 3, every_n_minutes: null}
pictures: {every_n_steps: null}
logging: {tensorboard: false}
trainer:
  max_epochs: 3
  accelerator: cpu
  log_every_n_steps: 1
  callbacks: [{class_path: tests.training.toy_runs.BatchLog}]
"""
"""16 pictures of one level each in 4 batches: checkpoints of steps 3 and 6 are amid an epoch."""
TRAIN = ("--config", "toy.yaml")
KILL_LAST = (
    "--trainer.callbacks+=tests.training.toy_runs.Terminate",
    "--trainer.callbacks.signal=9",
)


def prepare(folder: Path) -> Path:
    (folder / "pictures").mkdir(parents=True)
    for level in LEVELS:
        Image.new("L", (4, 4), level).save(folder / f"pictures/{level:03}.png")
    (folder / "toy.yaml").write_text(CONFIG)
    return folder


def in_one_process(folder: Path, *arguments: str, resume: bool = False) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        training_experiment([*TRAIN, *arguments], "last" if resume else None).fit()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the whole training in one process."""
    folder = prepare(tmp_path_factory.mktemp("one"))
    in_one_process(folder)
    return folder / "runs/toy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepare(tmp_path)


def start(
    command: list[str], folder: Path, variables: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(*processes: "subprocess.Popen[str]") -> list[tuple[int, str]]:
    """Exit codes and outputs; a process that waits for another longer than the timeout fails."""
    try:
        outputs = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, text) for process, text in zip(processes, outputs, strict=True)]


def torchrun(folder: Path, *arguments: str) -> tuple[int, str]:
    """With two processes on this machine, on a port that is free."""
    launcher = [TORCHRUN, "--standalone", "--nproc-per-node", "2"]
    return finished(start([*launcher, COLLAGE, "train", *TRAIN, *arguments], folder))[0]


def srun(first: Path, second: Path, *arguments: str) -> list[tuple[int, str]]:
    """With a process on each of two machines, as SLURM describes them to its tasks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = {
        "SLURM_JOB_ID": "1234",
        "SLURM_JOB_NAME": "collage",
        "SLURM_STEP_ID": "0",
        "SLURM_NNODES": "2",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_NODELIST": "node[1-2]",
        "MASTER_ADDR": "127.0.0.1",  # in place of node1
        "MASTER_PORT": str(port),
    }
    tasks = [
        {**job, "SLURM_PROCID": n, "SLURM_NODEID": n, "SLURM_LOCALID": "0"} for n in ("0", "1")
    ]
    command = [COLLAGE, "train", *TRAIN, *arguments]
    return finished(
        *(start(command, at, task) for at, task in zip((first, second), tasks, strict=True))
    )


def batches_of(run: Path, world: int = 2) -> list[tuple[int, list[int]]]:
    """The epoch and the levels of every batch, of all processes together."""
    texts = [(run / f"batches-{rank}-of-{world}.txt").read_text() for rank in range(world)]
    batches = []
    for lines in zip(*(text.splitlines() for text in texts), strict=True):
        parts = [[int(word) for word in line.split()] for line in lines]
        assert len({len(part) for part in parts}) == 1  # all have equally many items
        batches.append((parts[0][0], sorted(level for part in parts for level in part[1:])))
    return batches


def assert_same_training(run: Path, other: Path) -> None:
    """Equal steps, losses, weights, averages and momenta, up to rounding, and equal files."""
    rows, expected = rows_of(run), rows_of(other)
    assert [row.keys() for row in rows] == [row.keys() for row in expected]
    for row, same in zip(rows, expected, strict=True):
        assert row == pytest.approx(same, rel=1e-4)
    found, expected_state = last_checkpoint(run), last_checkpoint(other)
    assert found["global_step"] == expected_state["global_step"] == STEPS
    for part in ("state_dict", "training_weights", "optimizer_states"):
        torch.testing.assert_close(found[part], expected_state[part], rtol=1e-4, atol=1e-6)
    assert files(run) == files(other)


def rows_of(run: Path) -> list[dict[str, float]]:
    """metrics.csv without the speed."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    return [{k: v for k, v in row.items() if k != "train/images_per_second"} for row in rows]


def last_checkpoint(run: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    return checkpoint


def files(run: Path) -> set[str]:
    found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith("batches")}


def test_torchrun_trains_as_one_process_and_shows_each_picture_once_in_an_epoch(
    folder: Path, one: Path
) -> None:
    code, output = torchrun(folder)
    assert code == 0, output
    assert output.count("in 2 x CPU") == output.count("trained to step 12") == 1
    run = folder / "runs/toy"
    assert_same_training(run, one)
    assert batches_of(run) == batches_of(one, world=1)
    for epoch in range(3):
        levels = [level for at, batch in batches_of(run) if at == epoch for level in batch]
        assert sorted(levels) == list(LEVELS)


def test_srun_trains_as_one_process(folder: Path, one: Path) -> None:
    (code, output), other = srun(folder, folder)
    assert code == 0, output
    assert other == (0, "")  # only the first process prints
    assert "in 2 x CPU" in output
    assert_same_training(folder / "runs/toy", one)
    assert batches_of(folder / "runs/toy") == batches_of(one, world=1)


def test_a_training_resumes_with_another_number_of_processes_and_after_one_was_killed(
    folder: Path, one: Path
) -> None:
    run, expected = folder / "runs/toy", batches_of(one, world=1)
    in_one_process(folder, "--trainer.max_steps=2")
    code, output = torchrun(folder, "--ckpt=last", *KILL_LAST, "--trainer.callbacks.step=7")
    seconds = time.time() - (run / "batches-1-of-2.txt").stat().st_mtime
    assert code == 1
    assert seconds < 30  # from its last step to the end of all
    assert "resuming from runs/toy/checkpoints/last.ckpt after step 2" in output
    assert (
        "collage: another process of the training has ended, and its own output may say why; the "
        "last good checkpoint is runs/toy/checkpoints/last.ckpt (step 6)"
    ) in output
    assert batches_of(run) == expected[2:7]
    in_one_process(folder, resume=True)
    assert batches_of(run, world=1) == expected[:2] + expected[6:]
    assert_same_training(run, one)


def test_a_run_folder_that_is_not_the_same_everywhere_is_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = prepare(tmp_path_factory.mktemp("elsewhere"))
    in_one_process(folder, "--trainer.max_steps=2")
    before = files(folder / "runs/toy")
    (code, output), (other_code, _) = srun(folder, elsewhere, "--ckpt=last")
    assert code == other_code == 1
    assert (
        "collage: the first process resumes after step 2 and others do not: all machines must have "
        "the same runs/toy and checkpoint"
    ) in output
    assert last_checkpoint(folder / "runs/toy")["global_step"] == 2
    assert files(folder / "runs/toy") == before


def test_pictures_that_are_not_the_same_everywhere_are_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = prepare(tmp_path_factory.mktemp("elsewhere"))
    for level in LEVELS[:8]:
        (elsewhere / f"pictures/{level:03}.png").unlink()
    (code, output), (other_code, _) = srun(folder, elsewhere, "--data.init_args.val=null")
    assert code == other_code == 1
    assert "collage: the first process has 4 batches to train on and others do not" in output
