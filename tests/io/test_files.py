import os
import stat
from pathlib import Path

import pytest

from neural_collage.codec.container import read_collage_file
from neural_collage.errors import ImageError, OutputError
from neural_collage.io.files import write_atomically


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.clg"
    for data in (b"first", b"second"):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [tmp_path / "x.clg"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "x", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "x")}
    assert len(modes) == 1


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_leaves_what_was_there(
    interruption: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.clg"
    path.write_bytes(b"old")

    def interrupt(*_: object) -> None:
        raise interruption

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(interruption):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "x.clg"]


def test_what_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written: Not a directory"):
        write_atomically(tmp_path / "file" / "x.clg", b"")
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        write_atomically(tmp_path / "missing" / "x.clg", b"")


def test_folders_and_devices_are_not_replaced(tmp_path: Path) -> None:
    for path in (tmp_path, Path(os.devnull)):
        with pytest.raises(OutputError, match="is not a regular file"):
            write_atomically(path, b"")


def test_only_a_collage_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "collage").write_bytes(b"\x89CLG and more")
    (tmp_path / "other").write_bytes(b"something else")
    assert read_collage_file(tmp_path / "collage") == b"\x89CLG and more"
    assert read_collage_file(tmp_path / "other") == b"some"


def test_a_file_that_cannot_be_read_is_an_image_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"x\.clg: no such file"):
        read_collage_file(tmp_path / "x.clg")
    with pytest.raises(ImageError, match="cannot be read: Is a directory"):
        read_collage_file(tmp_path)
