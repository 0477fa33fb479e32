"""Error messages and exit codes of `collage train` and `collage evaluate`."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.training.toy_runs import lightning_noise

pytestmark = [lightning_noise, pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--trainer.max_stepz", "3"],
            "unknown key trainer.max_stepz: did you mean trainer.max_steps?",
        ),
        (["--ema.decay", "1.5"], "decay 1.5: expected 0 or more and less than 1"),
        (["--model.init_args.optimiser.floor", "2"], "expected floor 2.0: in [0, 1]"),
        (["--trainer.precision", "64-mixed"], "trainer.precision: "),
        (["--checkpoints.monitor", "val/psnr"], "val/psnr is not measured: choose among val/error"),
    ],
)
def test_a_wrong_config_is_one_line_and_exit_code_2(
    collage: Run, config: Path, arguments: list[str], message: str
) -> None:
    result = collage("train", "--config", config, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert "Traceback" in collage("--debug", "train", "--config", config, *arguments).stderr


@pytest.mark.parametrize("command", [("train",), ("evaluate", "--ckpt", "last")])
def test_a_missing_config_is_said_at_once(collage: Run, command: tuple[str, ...]) -> None:
    result = collage(*command, "--config", "lost.yaml")
    assert (result.exit_code, result.stderr) == (2, "collage: lost.yaml: no such config file\n")
    result = collage(*command)
    assert result.exit_code == 2
    assert "--config FILE is missing" in result.stderr


def test_a_checkpoint_that_does_not_fit_is_refused(
    collage: Run, config: Path, tmp_path: Path
) -> None:
    train = ("train", "--config", config)
    collage(*train, "--trainer.max_epochs", 1)
    resume = (*train, "--ckpt", "last")
    result = collage(*resume, "--model.init_args.model.init_args.width", 5)
    assert result.exit_code == 1
    assert (
        "was made with another config: model.init_args.model.init_args.width (3 there, 5 here)"
        in (result.stderr)
    )
    last = tmp_path / "runs/toy/checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    result = collage(*resume)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "collage: runs/toy/checkpoints/last.ckpt: is damaged or no checkpoint: use --ckpt runs/toy/"
    )
    other = result.stderr.split("--ckpt ")[1].strip()
    assert collage(*train, "--ckpt", other).exit_code == 0
    result = collage("evaluate", "--config", config, "--ckpt", "nothing.ckpt")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "nothing.ckpt: no such checkpoint" in result.stderr


def test_exploding_gradients_end_the_training_with_the_last_checkpoint_named(
    collage: Run, config: Path
) -> None:
    result = collage(
        "train", "--config", config, "--model.init_args.nan_at",
        json.dumps(list(range(7, 24))), "--gradients.max_skipped", 3,
    )  # fmt: skip
    assert result.exit_code == 1
    assert "4 steps in a row were skipped" in result.stderr.splitlines()[-1]
    assert "resume with --ckpt runs/toy/checkpoints/last.ckpt" in result.stderr.splitlines()[-1]


def test_no_room_while_logging_ends_the_training_in_one_line(
    collage: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neural_collage.training.run.loggers import MetricsCsv

    def full(self: MetricsCsv, metrics: Any, step: int) -> None:
        if step == 8:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(MetricsCsv, "log_metrics", full)
    result = collage("train", "--config", config)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith(
        "(step 6): resume with --ckpt runs/toy/checkpoints/last.ckpt"
    )
    assert "No space left on device" in result.stderr


def test_a_missing_extra_is_named(
    collage: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "neural_collage.training.run.experiment", raising=False)
    monkeypatch.setitem(sys.modules, "jsonargparse", None)
    result = collage("train", "--config", config)
    assert result.exit_code == 1
    assert result.stderr == (
        'collage: jsonargparse is not installed: pip install "neural-collage[train]"\n'
    )


def test_the_keys_of_a_config_are_listed(collage: Run) -> None:
    result = collage("train", "--help-config")
    assert result.exit_code == 0
    assert "--gradients.skip_norm" in result.stdout
    assert "--trainer.max_steps" in result.stdout


def test_a_warning_is_one_line(
    collage: Run, config: Path, recwarn: pytest.WarningsRecorder
) -> None:
    result = collage(
        "train", "--config", config, "--trainer.max_steps", 1, "--trainer.precision", "16-mixed"
    )
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stderr.splitlines() if "warning" in line]
    assert line.startswith("collage: warning: You passed `Trainer(accelerator='cpu', precision=")
    assert not recwarn.list
