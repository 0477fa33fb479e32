from pathlib import Path

import pytest

from neural_collage.errors import CheckpointError, OutputError
from neural_collage.training.run.folder import clear, find_checkpoint, require_no_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name in ("checkpoints/last.ckpt", "checkpoints/best.ckpt", "metrics.csv", "notes.txt"):
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "run"


def test_last_best_and_paths_are_found(run: Path) -> None:
    assert find_checkpoint("last", run) == run / "checkpoints/last.ckpt"
    assert find_checkpoint("best", run) == run / "checkpoints/best.ckpt"
    path = str(run / "checkpoints/best.ckpt")
    assert find_checkpoint(path, Path("elsewhere")) == Path(path)


def test_last_is_found_after_a_kill_between_two_renames(run: Path) -> None:
    folder = run / "checkpoints"
    (folder / "last.ckpt").rename(folder / "previous.ckpt")
    assert find_checkpoint("last", run) == folder / "previous.ckpt"
    (folder / "next.ckpt").write_text("complete: renamed after it was written")
    assert find_checkpoint("last", run) == folder / "next.ckpt"


def test_a_missing_checkpoint_is_an_error_except_for_last(run: Path, tmp_path: Path) -> None:
    assert find_checkpoint("last", tmp_path) is None
    for name in ("best", "lost.ckpt", str(run)):
        with pytest.raises(CheckpointError, match="no such checkpoint: give last, best or"):
            find_checkpoint(name, tmp_path)


def test_a_folder_with_a_training_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--ckpt last resumes it, --overwrite replaces it"):
        require_no_run(run)
    require_no_run(tmp_path)
    clear(run)
    require_no_run(run)


def test_only_what_a_training_writes_is_removed(run: Path) -> None:
    clear(run)
    assert [path.name for path in run.rglob("*") if path.is_file()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(run: Path) -> None:
    with pytest.raises(OutputError, match="cannot be used for a run"):
        clear(run / "notes.txt" / "run")
