import io
import re
import time
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, Trainer
from rich.console import Console

from neural_collage.training.callbacks import progress
from neural_collage.training.callbacks.gradients import GradientGuard
from neural_collage.training.callbacks.monitor import StepMonitor
from neural_collage.training.callbacks.progress import TrainingProgress
from tests.training.toy_runs import fit, lightning_noise, make_task

pytestmark = lightning_noise

LINE = re.compile(r"step \d+/16  loss [\d.e-]+  [\d.e+]+ images/s  \d+:\d\d left")


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_pipe_gets_a_line_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    out = console(terminal=False)
    fit(tmp_path, TrainingProgress(out))
    lines = text(out).splitlines()
    assert len([line for line in lines if LINE.fullmatch(line)]) == 16
    assert lines[4].startswith("step 4: val/loss 0.")
    assert "\x1b" not in text(out)


def test_a_pipe_gets_no_line_before_the_interval_has_passed(tmp_path: Path) -> None:
    out = console(terminal=False)
    fit(tmp_path, TrainingProgress(out), val=0)
    assert text(out) == ""


def test_a_terminal_gets_a_bar_that_is_removed_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REDRAW_SECONDS", 0.0)
    out = console(terminal=True)
    bar = TrainingProgress(out)
    fit(tmp_path, bar)
    assert "step 16/16" in text(out)
    assert text(out).count("val/loss") == 4
    assert bar._bar is None
    assert out.is_alt_screen is False


def test_skipped_steps_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    out = console(terminal=False)
    fit(tmp_path, GradientGuard(), TrainingProgress(out), task=make_task(nan_at=(2, 3)), val=0)
    assert text(out).splitlines()[-1].endswith("left  2 steps skipped")


def test_an_error_removes_the_bar(tmp_path: Path) -> None:
    class Break(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            raise KeyError("broken")

    bar = TrainingProgress(console(terminal=True))
    with pytest.raises(KeyError):
        fit(tmp_path, bar, Break())
    assert bar._bar is None


def test_other_processes_print_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    out = console(terminal=False)
    bar = TrainingProgress(out)
    bar.disable()
    fit(tmp_path, bar)
    assert text(out) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")]
)
def test_durations_are_printed_as_hours_minutes_and_seconds(seconds: float, text: str) -> None:
    assert progress._duration(seconds) == text


class Clock(Callback):
    """2 seconds for every step, 100 for every batch of a validation."""

    def __init__(self) -> None:
        self.now = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        self.now += 2.0

    def on_validation_batch_start(self, *_: Any) -> None:
        self.now += 100.0


class Logged(Callback):
    def __init__(self) -> None:
        self.metrics: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.metrics.append({name: float(v) for name, v in trainer.callback_metrics.items()})


def test_speed_excludes_validations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, logged = Clock(), Logged()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    fit(tmp_path, clock, StepMonitor(), logged, max_steps=6, log_every_n_steps=2)
    speeds = [each["train/images_per_second"] for each in logged.metrics[1:]]
    assert speeds == [4.0] * 5  # 8 pictures in 2 seconds
    rates = [each["train/learning_rate"] for each in logged.metrics[1:]]
    assert rates == pytest.approx([0.004, 0.004, 0.008, 0.008, 0.01])  # a warm-up of 5 steps


def test_speed_counts_all_batches_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, logged = Clock(), Logged()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    fit(tmp_path, clock, StepMonitor(), logged, max_steps=4, accumulate_grad_batches=2)
    assert logged.metrics[-1]["train/images_per_second"] == 4.0
