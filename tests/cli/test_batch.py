"""`collage batch`: outputs, summary, exit codes and errors."""

import json
from pathlib import Path

from PIL import Image

import neural_collage as nc
from tests.cli.conftest import Photo, Run
from tests.cli.test_commands import files

FRACTAL = ("--codec", "fractal", "--no-graphics", "--effort", "0", "--workers", "1")


def test_a_second_run_of_a_batch_has_nothing_to_do(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("in/a.jpg")
    photo("in/deep/b.png")
    result = collage("batch", "in", "out", *FRACTAL, "--psnr", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["total"], summary["done"], summary["failed"]) == (2, 2, 0)
    assert summary["psnr"] > 20
    expected = {"a.clg", "deep/b.clg", "manifest.jsonl", ".lock"}
    assert files(tmp_path / "out") == expected
    assert nc.load(tmp_path / "out/deep/b.clg").codec == "fractal"
    again = collage("batch", "in", "out", *FRACTAL, "--psnr")
    assert again.exit_code == 0
    assert again.stdout.startswith("0 of 2 done in")
    assert "2 were done before" in again.stdout
    assert "manifest: out/manifest.jsonl" in again.stdout


def test_a_failure_is_a_line_on_stderr_and_exit_code_1(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("in/a.png")
    (tmp_path / "in/bad.png").write_bytes(b"")
    result = collage("batch", "in", "out", *FRACTAL, "--retries", "0")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["collage: bad.png: the file is empty"]
    assert "1 of 2 done" in result.stdout
    assert "1 failed" in result.stdout


def test_a_batch_decompresses_to_another_scale_and_format(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("in/a.png", size=(12, 8))
    collage("compress", "in", "-o", "clg/", "--codec", "fractal")
    options = ("--task", "decompress", "--scale", "2", "--format", "jpg", "--workers", "1")
    result = collage("batch", "clg", "out", *options)
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "out/a.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (24, 16))


def test_invalid_arguments_are_refused(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png")
    wrong = {
        ("in", "out", "--engine", "cloud"): (2, "'cloud' is not one of 'local', 'ray'"),
        ("in", "out", "--task", "press"): (2, "'press' is not one of 'compress'"),
        ("in", "out", "--address", "x:1"): (2, "--address is for --engine ray"),
        ("in", "out", "--codec", "zip"): (2, "unknown codec 'zip'"),
        ("in", "out", "--model", "none.safetensors"): (1, "none.safetensors"),
        ("in", "in"): (1, "is also the source"),
        ("nowhere", "out"): (1, "nowhere: no such folder"),
        ("in", "out", "--task", "decompress"): (1, "nothing to decompress: no .clg files"),
        ("in", "out", "--task", "decompress", "--format", "doc"): (1, "no picture format .doc"),
        ("in", "nonsense://out"): (1, "nonsense"),
    }
    for arguments, (code, message) in wrong.items():
        result = collage("batch", *arguments)
        assert (result.exit_code, message in result.stderr) == (code, True), result.output


def test_a_second_batch_with_the_same_destination_is_refused(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    from neural_collage.batch.locations import locked

    photo("in/a.png")
    with locked(str(tmp_path / "out")):
        result = collage("batch", "in", "out", *FRACTAL)
    assert result.exit_code == 1
    assert "another batch is writing there" in result.stderr
    assert not list((tmp_path / "out").rglob("*.clg"))
