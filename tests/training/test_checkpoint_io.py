import errno
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from neural_collage.errors import CheckpointError
from neural_collage.moved import current_name
from neural_collage.training.checkpoint_io import (
    AtomicCheckpointIO,
    load_weights,
    read_checkpoint,
    require_same_model,
)

CHECKPOINT = {
    "state_dict": {"model.weight": torch.arange(6.0).view(2, 3), "model.bias": torch.ones(2)},
    "global_step": 7,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints/last.ckpt"
    AtomicCheckpointIO().save_checkpoint(CHECKPOINT, path)
    return path


def test_what_is_written_is_read(path: Path) -> None:
    found = AtomicCheckpointIO().load_checkpoint(path)
    assert found["global_step"] == 7
    assert torch.equal(found["state_dict"]["model.weight"], torch.arange(6.0).view(2, 3))
    assert [each.name for each in path.parent.iterdir()] == ["last.ckpt"]


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = path.read_bytes()
    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(CheckpointError, match=r"last.ckpt: cannot be written: No space left"):
        AtomicCheckpointIO().save_checkpoint({**CHECKPOINT, "global_step": 8}, path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["last.ckpt"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written"):
        AtomicCheckpointIO().save_checkpoint(CHECKPOINT, path / "below a file" / "last.ckpt")


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    place = data.index(torch.arange(6.0).numpy().tobytes())
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


class Code:
    """Something that would run when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("damage", [cut, flipped, lambda _: b"", lambda _: b"text"])
def test_a_damaged_checkpoint_is_refused_and_another_named(path: Path, damage: Any) -> None:
    other = path.with_name("previous.ckpt")
    other.write_bytes(path.read_bytes())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"last.ckpt: is damaged or no checkpoint") as caught:
        read_checkpoint(path)
    assert f"use --ckpt {other}" in str(caught.value)


def test_a_damaged_checkpoint_without_alternative_asks_for_a_new_run(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="start a new run"):
        read_checkpoint(path)


def test_code_in_a_checkpoint_is_not_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**CHECKPOINT, "extra": Code()}, path)
    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Code()))
    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        read_checkpoint(path)
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("content", [[1, 2], {"weight": torch.ones(2)}])
def test_other_files_of_torch_are_refused(path: Path, content: Any) -> None:
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of a training"):
        read_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing.ckpt: no such checkpoint"):
        read_checkpoint(tmp_path / "nothing.ckpt")


def test_weights_of_the_network_are_loaded(path: Path) -> None:
    model = nn.Linear(3, 2)
    load_weights(path, model)
    assert torch.equal(model.weight, torch.arange(6.0).view(2, 3))
    with pytest.raises(CheckpointError, match=r"another network than this Linear: .*size mismatch"):
        load_weights(path, nn.Linear(4, 2))


MODEL = {"class_path": "a.Task", "init_args": {"width": 3, "net": {"sizes": [1, 2]}, "floor": 0.1}}


def test_the_same_config_is_accepted() -> None:
    require_same_model(Path("x"), {"config": {"model": MODEL}}, {"model": MODEL, "trainer": 1})


def test_keys_that_differ_are_named_with_their_values() -> None:
    other = {"class_path": "b.Task", "init_args": {"width": 3, "net": {"sizes": [1, 3]}, "new": 1}}
    with pytest.raises(CheckpointError, match="x: was made with another config") as caught:
        require_same_model(Path("x"), {"config": {"model": other}}, {"model": MODEL})
    message = str(caught.value)
    for part in (
        "model.class_path (b.Task there, a.Task here)",
        "model.init_args.net.sizes ([1, 3] there, [1, 2] here)",
        "model.init_args.new (1 there, absent here)",
        "model.init_args.floor (absent there, 0.1 here)",
    ):
        assert part in message
    assert "width" not in message


def test_keys_may_be_left_out_of_the_comparison() -> None:
    other = {**MODEL, "init_args": {**MODEL["init_args"], "net": {"sizes": []}}}  # type: ignore[dict-item]
    checkpoint = {"config": {"model": other}}
    require_same_model(Path("x"), checkpoint, {"model": MODEL}, apart_from=["net"])
    require_same_model(Path("x"), checkpoint, {"model": MODEL}, apart_from=["net.sizes"])


@pytest.mark.parametrize("left_out", ["n", "flo", "net.size", "network"])
def test_a_prefix_of_a_key_is_not_left_out(left_out: str) -> None:
    other = {**MODEL, "init_args": {"width": 3, "net": {"sizes": []}, "floor": 0.2}}
    checkpoint = {"config": {"model": other}}
    with pytest.raises(CheckpointError, match=r"net\.sizes .*floor \(0\.2 there"):
        require_same_model(Path("x"), checkpoint, {"model": MODEL}, apart_from=[left_out])


def test_classes_of_old_checkpoints_are_known_by_their_names_of_today() -> None:
    names = (
        "training.rate_distortion.RateDistortion",
        "training.tasks.compression.CompressionTask",
    )
    old, new = ({"class_path": f"neural_collage.{name}", "init_args": {}} for name in names)
    require_same_model(Path("x"), {"config": {"model": old}}, {"model": new})
    assert current_name("elsewhere.Task") == "elsewhere.Task"


def test_a_checkpoint_without_config_is_refused() -> None:
    with pytest.raises(CheckpointError, match="holds no config"):
        require_same_model(Path("x"), CHECKPOINT, {"model": MODEL})
