import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.support.commands import run, shown_path
from benchmarks.support.photos import photo
from benchmarks.support.processes import descendants, peak_bytes
from benchmarks.support.timing import medians, turns
from neural_collage.errors import CollageError


def test_a_photo_is_cropped_or_mirrored_to_size(file: Path) -> None:
    original = np.asarray(Image.open(file))
    assert np.array_equal(np.asarray(photo(file, 10, 12)), original[:12, :10])
    mirrored = np.asarray(photo(file, 24, 40))
    assert np.array_equal(mirrored[16:32], original[::-1])
    assert np.array_equal(mirrored[32:], original[:8])


def test_work_is_timed_in_turns_after_an_untimed_round() -> None:
    calls: list[str] = []
    work = {name: lambda name=name: calls.append(name) for name in "ab"}
    assert [len(seconds) for seconds in turns(work, 2).values()] == [2, 2]
    assert calls == ["a", "b"] * 3
    assert all(seconds >= 0 for seconds in medians(work, 1).values())


def test_an_error_for_users_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(count: int = 1) -> None:
        raise CollageError(f"refused\n{count}")

    monkeypatch.setattr(sys, "argv", ["benchmark", "--count", "3"])
    with pytest.raises(SystemExit, match=r"^refused 3$"):
        run(main)
    assert not capsys.readouterr().err


def test_a_command_shows_no_folders_of_the_machine(tmp_path: Path) -> None:
    assert shown_path(Path("data/kodak")) == "data/kodak"
    assert shown_path(tmp_path / "kodak") == shown_path(Path("../photos/kodak")) == "kodak"


def test_a_child_is_a_descendant_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in descendants(os.getpid())
        assert peak_bytes(child.pid) > 0
        child.communicate(b"\n")
    assert child.pid not in descendants(os.getpid())
    assert peak_bytes(child.pid) == 0
