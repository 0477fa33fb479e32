"""What outputs are like and what is said of them: verbosity, times, dry runs, lossy formats."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

import neural_collage as nc
from tests.cli.conftest import Photo, Run


def test_quiet_leaves_failures_and_json(
    collage: Run, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Console, "is_terminal", True)
    with Image.open(photo("x.png")) as frame:
        frame.save(tmp_path / "x.gif", save_all=True, append_images=[frame.rotate(180)])
    result = collage("compress", "x.gif", "missing.png", "-o", "out/", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "collage: missing.png: no such file\n"
    result = collage("decompress", "out/x.clg", "--quiet", "--json")
    assert json.loads(result.stdout)["output"] == "out/x.png"


def test_verbose_says_how_a_file_was_made(collage: Run, photo: Photo) -> None:
    photo("x.png", size=(40, 40))
    line, details = collage("compress", "x.png", "--codec", "neural", "-v").stdout.splitlines()
    assert line.startswith("x.clg  40 x 40")
    assert details == "  codec neural, quality 50, model natural"
    decoded = collage("decompress", "x.clg", "-o", "y.png", "--verbose").stdout.splitlines()
    assert decoded[1] == details
    sized = collage("compress", "x.png", "--size", "5kB", "-o", "y.clg", "-v", "--json")
    facts = json.loads(sized.stdout)
    assert sized.stderr.rstrip().endswith(f", {facts['attempts']} attempts")


def test_a_layer_is_among_the_details(collage: Run, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (9, 80, 200)).save(tmp_path / "x.png")
    assert "graphics layer over 100%" in collage("compress", "x.png", "-v").stdout


def test_times_are_kept_if_that_is_asked_for(collage: Run, photo: Photo, tmp_path: Path) -> None:
    then = 1_000_000_000 * 10**9
    os.utime(photo("x.png"), ns=(then, then))
    assert collage("compress", "x.png", "--keep-times").exit_code == 0
    assert collage("decompress", "x.clg", "-o", "y.png", "--keep-times").exit_code == 0
    assert collage("compress", "x.png", "-o", "z.clg").exit_code == 0
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in ("x.clg", "y.png", "z.clg")}
    assert times["x.clg"] == times["y.png"] == then < times["z.clg"]


def test_a_dry_run_reports_what_a_run_writes(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png")
    photo("in/b.png", size=(30, 20))
    dry = collage("compress", "in", "-o", "out/", "--dry-run", "--json")
    assert dry.exit_code == 0
    assert not (tmp_path / "out").exists()
    collage("compress", "in", "-o", "out/")
    for facts in map(json.loads, dry.stdout.splitlines()):
        assert facts["dry_run"] is True
        assert facts["bytes"] == (tmp_path / facts["output"]).stat().st_size
    again = collage("compress", "in", "-o", "out/", "--dry-run", "--overwrite", "--size", "1kB")
    assert again.stdout.count("not written") == 2
    piped = collage("compress", "in/a.png", "-o", "-", "--dry-run")
    assert (piped.exit_code, piped.stdout_bytes) == (0, b"")


def test_the_quality_of_lossy_outputs_can_be_chosen(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("x.png", size=(64, 64))
    collage("compress", "x.png")
    for name in ("y.jpg", "y.webp", "y.avif"):
        sizes = []
        for options in ((), ("--jpeg-quality", 95), ("--jpeg-quality", 20)):
            result = collage("decompress", "x.clg", "-o", name, "--overwrite", *options)
            assert result.exit_code == 0
            sizes.append((tmp_path / name).stat().st_size)
        assert sizes[0] == sizes[1] > sizes[2]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("decompress", "x.clg", "--jpeg-quality", "80"), "--jpeg-quality: .png has none"),
        (("decompress", "x.clg", "-o", "x.tif", "--jpeg-quality", "80"), ".tif has none"),
        (("decompress", "x.clg", "-o", "x.jpg", "--jpeg-quality", "101"), "--jpeg-quality"),
        (("decompress", "-", "--keep-times"), "standard input and output have no times"),
        (("compress", "x.png", "-o", "-", "--keep-times"), "have no times"),
        (("compress", "x.png", "--quiet", "-v"), "--quiet and --verbose"),
    ],
)
def test_options_that_would_do_nothing_are_usage_errors(
    collage: Run, arguments: tuple[str, ...], reason: str
) -> None:
    result = collage(*arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_the_original_of_a_file_survives_its_decode(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    original = photo("x.png").read_bytes()
    collage("compress", "x.png")
    result = collage("decompress", "x.clg", "--overwrite")
    assert result.exit_code == 1
    assert result.stderr == (
        "collage: x.clg: x.png may be the original of x.clg: -o x.png replaces it\n"
    )
    assert (tmp_path / "x.png").read_bytes() == original
    assert collage("decompress", "x.clg", "-o", "x.png", "--overwrite").exit_code == 0
    assert (tmp_path / "x.png").read_bytes() != original


def test_pictures_of_one_name_are_all_compressed(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("in/a.png")
    photo("in/a.jpg", size=(20, 20))
    assert collage("compress", "in", "-o", "out").exit_code == 0
    assert nc.load(tmp_path / "out/a.png.clg").width == 12
    assert nc.load(tmp_path / "out/a.jpg.clg").width == 20


def test_a_shell_completes_commands_and_options() -> None:
    for words, position, expected in (
        ("collage deco", 1, "decompress"),
        ("collage compress --ssi", 2, "--ssimulacra2"),
    ):
        asked = {"_COLLAGE_COMPLETE": "complete_bash", "COMP_CWORD": str(position)}
        shown = subprocess.run(
            [Path(sys.executable).with_name("collage")],
            env={**os.environ, **asked, "COMP_WORDS": words},
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.split() == [expected]


def test_folders_are_searched_for_all_that_can_be_read(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("in/a.png").rename(tmp_path / "in/a.jfif")
    photo("in/b.tga")
    (tmp_path / "in/c.svg").write_text("<svg/>")
    result = collage("compress", "in", "-o", "out")
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.clg", "b.clg"]
    named = collage("compress", "in/c.svg")
    assert named.exit_code == 1
    assert named.stderr.startswith("collage: in/c.svg: an SVG has lines, not pixels: ")
