"""`collage compress` and what all commands share: files, reports, exit codes and errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import Result

import neural_collage as nc
from neural_collage.cli.support import progress
from neural_collage.codec import api, registry
from tests.cli.conftest import Photo, Run


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_folder_is_compressed_and_decompressed_at_twice_the_size(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("in/a.jpg")
    photo("in/deep/b.png", size=(5, 9), mode="RGBA")
    photo("in/deep/c.tif", size=(1, 1), mode="L")
    assert collage("compress", "in", "-o", "k", "-q", 30, "--effort", 0).exit_code == 0
    assert files(tmp_path / "k") == {"a.clg", "deep/b.clg", "deep/c.clg"}
    assert collage("decompress", "k", "-o", "d", "--scale", 2).exit_code == 0
    assert files(tmp_path / "d") == {"a.png", "deep/b.png", "deep/c.png"}
    for name, size, mode in (
        ("a", (24, 16), "RGB"),
        ("deep/b", (10, 18), "RGBA"),
        ("deep/c", (2, 2), "L"),
    ):
        with Image.open(tmp_path / f"d/{name}.png") as image:
            assert (image.size, image.mode) == (size, mode)


def test_files_equal_those_of_the_library(collage: Run, photo: Photo, tmp_path: Path) -> None:
    source = photo("x.png")
    assert collage("compress", "x.png", "-q", 70, "--effort", 1).exit_code == 0
    assert (tmp_path / "x.clg").read_bytes() == nc.compress(source, quality=70, effort=1)
    assert collage("decompress", "x.clg", "-o", "y.png").exit_code == 0
    with Image.open(tmp_path / "y.png") as image:
        assert (np.asarray(image) == np.asarray(nc.load(tmp_path / "x.clg").to_pil())).all()


def test_text_output_is_a_line_per_file(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("x.png")
    result = collage("compress", "x.png", "--effort", 0)
    size = (tmp_path / "x.clg").stat().st_size
    assert result.stdout.startswith(f"x.clg  12 x 8  {size} bytes  {8 * size / 96:.3f} bpp  ")
    assert result.stderr == ""


def test_json_output_is_an_object_per_input(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("x.png")
    (tmp_path / "bad.png").touch()
    result = collage("compress", "x.png", "missing.png", "bad.png", "--json", "--effort", 0)
    assert result.exit_code == 1
    missing, done, bad = objects(result)
    assert missing == {"input": "missing.png", "error": "missing.png: no such file"}
    assert bad == {"input": "bad.png", "error": "bad.png: the file is empty"}
    size = (tmp_path / "x.clg").stat().st_size
    assert done.pop("seconds") > 0
    assert done == {
        "input": "x.png",
        "output": "x.clg",
        "bytes": size,
        "width": 12,
        "height": 8,
        "bpp": 8 * size / 96,
    }
    (decoded,) = objects(collage("decompress", "x.clg", "-o", "y.png", "--scale", 3, "--json"))
    assert (decoded["width"], decoded["height"]) == (36, 24)
    assert decoded["bytes"] == (tmp_path / "y.png").stat().st_size


def test_unreadable_files_fail_in_one_line_and_others_are_processed(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("in/a.png")
    photo("in/z.png")
    (tmp_path / "in/text.png").write_text("no picture")
    (tmp_path / "in/cut.jpg").write_bytes(photo("whole.jpg").read_bytes()[:-40])
    result = collage("compress", "in", "-o", "out", "--effort", 0)
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert first.startswith("collage: in/cut.jpg: damaged or incomplete picture: ")
    assert second == "collage: in/text.png: not a picture in a format that Pillow reads"
    assert files(tmp_path / "out") == {"a.clg", "z.clg"}


def test_a_warning_is_one_line_and_no_failure(collage: Run, photo: Photo, tmp_path: Path) -> None:
    with Image.open(photo("x.png")) as frame:
        frame.save(tmp_path / "x.gif", save_all=True, append_images=[frame.rotate(180)])
    result = collage("compress", "x.gif", "--effort", 0)
    assert result.exit_code == 0
    assert result.stderr == "collage: warning: x.gif: holds 2 frames, only the first is used\n"


def test_an_existing_output_is_kept_without_overwrite(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("x.png")
    (tmp_path / "x.clg").write_text("precious")
    result = collage("compress", "x.png", "--effort", 0)
    assert result.exit_code == 1
    assert result.stderr == "collage: x.png: x.clg exists: pass --overwrite to replace it\n"
    assert (tmp_path / "x.clg").read_text() == "precious"
    assert collage("compress", "x.png", "--effort", 0, "--overwrite").exit_code == 0
    assert nc.load(tmp_path / "x.clg").width == 12


def test_an_output_that_cannot_be_written_fails_without_work(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("x.png")
    (tmp_path / "file").touch()
    before = files(tmp_path)
    result = collage("compress", "x.png", "-o", "file/y.clg")
    assert result.exit_code == 1
    assert "file is not a folder" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x89CLG", b"\x89CLG\x07 from the future"], ids=repr
)
def test_the_error_names_a_file_that_is_no_collage(
    collage: Run, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "x.clg").write_bytes(content)
    for command in ("decompress", "info"):
        result = collage(command, "x.clg")
        assert result.exit_code == 1
        assert result.stderr.startswith("collage: x.clg: ")
        assert len(result.stderr.splitlines()) == 1
    assert files(tmp_path) == {"x.clg"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["compress"], "Missing argument"),
        (["compress", "x.png", "-q", "0"], "'--quality' / '-q'"),
        (["compress", "x.png", "-q", "101"], "'--quality' / '-q'"),
        (["compress", "x.png", "--effort", "10"], "'--effort'"),
        (
            ["compress", "x.png", "--codec", "jpeg"],
            "unknown codec 'jpeg': choose one of auto, fractal, neural",
        ),
        (["compress", "x.png", "-o", "x.jpg"], "end a file in .clg"),
        (["decompress", "x.clg", "--scale", "0"], "--scale 0: give a number above 0"),
        (["decompress", "x.clg", "--scale", "nan"], "give a number above 0"),
        (["decompress", "x.clg", "--scale", "inf"], "give a number above 0"),
        (["decompress", "x.clg", "--region", "1,2,3"], "give four whole numbers"),
        (["decompress", "x.clg", "--region", "a,b,c,d"], "give four whole numbers"),
        (["decompress", "x.clg", "-o", "y.clg"], "end a file in .png"),
        (["explode"], "No such command 'explode'"),
    ],
)
def test_wrong_usage_exits_with_two(
    collage: Run, photo: Photo, arguments: list[str], reason: str, tmp_path: Path
) -> None:
    photo("x.png")
    result = collage(*arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())
    assert files(tmp_path) == {"x.png"}


def test_codecs_registered_at_run_time_are_accepted(
    collage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert collage("compress", "missing.png", "--codec", "mine").exit_code == 2
    monkeypatch.setitem(registry._codecs, "mine", registry.CODECS["fractal"])
    result = collage("compress", "missing.png", "--codec", "mine")
    assert (result.exit_code, result.stderr) == (1, "collage: missing.png: no such file\n")


def test_an_unavailable_device_fails_once(collage: Run, photo: Photo) -> None:
    photo("x.png")
    result = collage("compress", "x.png", "x.png", "--device", "cuda:99")
    assert result.exit_code == 1
    assert result.stderr.count("device 'cuda:99' cannot be used") == 1


def test_an_unexpected_error_is_one_line_and_a_traceback_only_with_debug(
    collage: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("x.png")

    def broken_encode(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(api, "encode", broken_encode)
    result = collage("compress", "x.png")
    assert result.exit_code == 1
    assert result.stderr == (
        "collage: x.png: unexpected ZeroDivisionError: a bug (`collage --debug` shows where)\n"
    )
    result = collage("--debug", "compress", "x.png")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "in broken_encode" in result.stderr


def test_an_error_outside_a_job_is_one_line(collage: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = collage("info", "missing.clg")
    assert (result.exit_code, result.stderr) == (1, "collage: missing.clg: no such file\n")
    assert "Traceback" in collage("--debug", "info", "missing.clg").stderr

    def broken_check(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug\nof two lines")

    monkeypatch.setattr("neural_collage.runtime.check_device", broken_check)
    assert collage("compress", "x.png").stderr.startswith(
        "collage: unexpected ZeroDivisionError: a bug of two lines"
    )


def test_an_output_folder_that_becomes_unwritable_is_one_failure(
    collage: Run, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("x.png")
    encode = api.encode

    def encode_while_a_file_takes_the_folders_place(*arguments: Any, **options: Any) -> Any:
        (tmp_path / "out").touch()
        return encode(*arguments, **options)

    monkeypatch.setattr(api, "encode", encode_while_a_file_takes_the_folders_place)
    result = collage("compress", "x.png", "-o", "out/", "--effort", 0)
    assert result.exit_code == 1
    assert result.stderr == "collage: x.png: out: cannot be made: File exists\n"


def test_progress_is_shown_only_on_a_terminal(
    collage: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("x.png")
    assert collage("compress", "x.png", "--effort", 0).stderr == ""
    monkeypatch.setattr(progress, "on_terminal", lambda: True)
    monkeypatch.setattr(Console, "is_terminal", True)
    result = collage("compress", "x.png", "--effort", 0, "--overwrite", "--json")
    assert "1/1" in result.stderr
    assert len(objects(result)) == 1
