"""`collage compress --all-frames`: numbered files of animations and of pages."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neural_collage as nc
from tests.cli.conftest import Photo, Run
from tests.cli.test_commands import files

FAST = ("--codec", "fractal", "--effort", "0")
COLOURS = ("red", "lime", "blue")


@pytest.fixture
def animation(tmp_path: Path) -> Path:
    frames = [Image.new("RGB", (12, 8), colour) for colour in COLOURS]
    path = tmp_path / "walk.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80)
    return path


def test_all_frames_become_numbered_files(
    collage: Run, animation: Path, photo: Photo, tmp_path: Path
) -> None:
    photo("still.png")
    result = collage(
        "compress", "walk.gif", "still.png", "-o", "out/", "--all-frames", "--json", *FAST
    )
    assert result.exit_code == 0, result.output
    names = [f"walk-{number:04}.clg" for number in (1, 2, 3)]
    assert files(tmp_path / "out") == {*names, "still.clg"}
    facts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [fact.get("frame") for fact in facts] == [1, 2, 3, None]
    assert result.stderr == "collage: warning: walk.gif: the durations of its frames are not kept\n"
    for name, colour in zip(names, COLOURS, strict=True):
        decoded = np.asarray(nc.load(tmp_path / "out" / name).to_pil())
        expected = np.asarray(Image.new("RGB", (12, 8), colour))
        np.testing.assert_allclose(decoded, expected, atol=8)


def test_without_the_option_the_first_frame_is_taken_with_a_warning(
    collage: Run, animation: Path, tmp_path: Path
) -> None:
    result = collage("compress", "walk.gif", *FAST)
    assert result.exit_code == 0
    assert result.stderr == ("collage: warning: walk.gif: holds 3 frames, only the first is used\n")
    assert files(tmp_path) == {"walk.gif", "walk.clg"}


def test_frames_before_a_broken_one_are_kept_and_it_is_said_once(
    collage: Run, tmp_path: Path, rng: np.random.Generator
) -> None:
    noise = [Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)) for _ in range(4)]
    path = tmp_path / "x.png"
    noise[0].save(path, save_all=True, append_images=noise[1:])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    result = collage("compress", "x.png", "--all-frames", *FAST)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if "warning: " not in line]
    assert len(errors) == 1
    assert errors[0].startswith("collage: x.png: frame ")
    written = sorted(files(tmp_path) - {"x.png"})
    assert written == [f"x-{number:04}.clg" for number in range(1, len(written) + 1)]
    assert 1 <= len(written) < 4


def test_frames_are_not_replaced_and_need_names(
    collage: Run, animation: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "walk-0002.clg"
    kept.write_bytes(b"mine")
    result = collage("compress", "walk.gif", "--all-frames", *FAST)
    assert result.exit_code == 1
    assert "walk-0002.clg exists: pass --overwrite to replace it" in result.stderr
    assert kept.read_bytes() == b"mine"
    for arguments in (("-", "-o", "x.clg"), ("walk.gif", "-o", "-")):
        result = collage("compress", *arguments, "--all-frames")
        assert result.exit_code == 2
        assert "--all-frames writes numbered files" in " ".join(result.stderr.split())
