"""`--size`, `--psnr` and `--ssimulacra2` of `collage compress`, and `--size` of `collage batch`."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

import neural_collage as nc
from neural_collage.cli.support.targets import parse_size
from neural_collage.codec.encoding.targets import psnr_of_file
from neural_collage.evaluation.ssimulacra2 import Ssimulacra2
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil
from tests.cli.conftest import Photo, Run
from tests.pictures import photo_crop

FAST = ("--codec", "fractal", "--effort", 0, "--no-graphics")
"""How a target is searched for does not depend on the codec."""


@pytest.fixture
def source(collage: Run) -> Path:
    to_pil(photo_crop(96)).save("x.png")
    return Path("x.png")


def test_a_size_is_met_and_reported(collage: Run, source: Path) -> None:
    result = collage("compress", source, "--size", "1.5kB", *FAST)
    assert result.exit_code == 0
    written = nc.load("x.clg")
    assert Path("x.clg").stat().st_size <= 1500
    assert result.stdout.rstrip().endswith(f"quality {written.quality}")
    expected = nc.compress(source, size=1500, codec="fractal", effort=0, graphics=False)
    assert Path("x.clg").read_bytes() == expected


def test_a_psnr_is_met_and_reported(collage: Run, source: Path) -> None:
    facts = json.loads(collage("compress", source, "--psnr", 35, "--json", *FAST).stdout)
    written = nc.load("x.clg")
    assert facts["psnr"] == psnr_of_file(read_picture(source), written) >= 35
    assert (facts["quality"], facts["bytes"]) == (written.quality, Path("x.clg").stat().st_size)
    text = collage("compress", source, "--psnr", 35, "--overwrite", *FAST).stdout
    assert text.rstrip().endswith(f"quality {written.quality}  PSNR {facts['psnr']:.2f} dB")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_score_is_met_and_reported(collage: Run, photo: Photo, mode: str) -> None:
    source = photo("x.png", (48, 48), mode)
    facts = json.loads(collage("compress", source, "--ssimulacra2", 60, "--json", *FAST).stdout)
    assert facts["ssimulacra2"] >= 60
    decoded, original = (
        np.asarray(image.convert("RGB"))
        for image in (nc.load("x.clg").to_pil(), to_pil(read_picture(source).pixels))
    )
    assert facts["ssimulacra2"] == pytest.approx(Ssimulacra2(original).score(decoded), abs=0.05)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--size", "20", "the smallest file has .* bytes: 20 bytes cannot be met"),
        ("--psnr", "99", "the best file reaches .* dB: 99.00 dB cannot be met"),
    ],
)
def test_a_target_that_cannot_be_met_writes_nothing(
    collage: Run, source: Path, option: str, value: str, reason: str
) -> None:
    result = collage("compress", source, option, value, *FAST)
    assert result.exit_code == 1
    with pytest.raises(nc.TargetError, match=reason):
        raise nc.TargetError(result.stderr)
    assert len(result.stderr.splitlines()) == 1
    assert not Path("x.clg").exists()


def test_a_picture_too_small_for_a_score_fails_in_one_line(collage: Run, photo: Photo) -> None:
    result = collage("compress", photo("x.png", (7, 40)), "--ssimulacra2", 60)
    assert result.exit_code == 1
    assert "7 x 40 pixels are too small for SSIMULACRA 2" in result.stderr
    assert not Path("x.clg").exists()


def test_scores_need_a_package_which_is_named(
    collage: Run, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "neural_collage.evaluation.ssimulacra2", raising=False)
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    result = collage("compress", source, "--ssimulacra2", 60)
    assert result.exit_code == 1
    assert result.stderr == (
        'collage: ssimulacra2 is not installed: pip install "neural-collage[bench]"\n'
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--size", "1kB", "-q", "5"), "--quality and --size: they exclude each other"),
        (("--psnr", "30", "--ssimulacra2", "5"), "--psnr and --ssimulacra2: they exclude"),
        (("--size", "much"), "--size much: give a number of bytes"),
        (("--psnr", "-3"), "--psnr -3: give a number of dB above 0"),
        (("--psnr", "nan"), "--psnr nan: give"),
        (("--ssimulacra2", "101"), "give a score up to 100"),
    ],
)
def test_wrong_targets_are_usage_errors(
    collage: Run, source: Path, arguments: tuple[str, ...], reason: str
) -> None:
    result = collage("compress", source, *arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())
    assert not Path("x.clg").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("50000", 50_000),
        ("50kB", 50_000),
        ("50 KB", 50_000),
        ("48KiB", 49_152),
        ("1.5MB", 1_500_000),
        ("2m", 2_000_000),
        ("700B", 700),
    ],
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "kB", "-5", "0", "1e3", "5GB", "0.4B", "1.2.3k"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="give a number of bytes"):
        parse_size(text)


def test_metadata_that_are_left_out_take_no_part_of_a_size(collage: Run) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker whose name takes more bytes than are left for it " * 20
    to_pil(photo_crop(96)).save("x.jpg", exif=exif, quality=95)
    assert collage("compress", "x.jpg", "--size", "900B", "--strip", *FAST).exit_code == 0
    assert Path("x.clg").stat().st_size <= 900
    assert nc.load("x.clg").header.metadata.exif is None


def test_every_file_of_a_batch_meets_a_size(collage: Run, source: Path) -> None:
    Path("in").mkdir()
    source.rename("in/x.png")
    batch = ("batch", "in", "out", "--workers", 1, *FAST)
    assert collage(*batch, "--size", "1500B").exit_code == 0
    expected = nc.compress("in/x.png", size=1500, codec="fractal", effort=0, graphics=False)
    assert Path("out/x.clg").read_bytes() == expected
    assert "1 were done before" in collage(*batch, "--size", "1.5kB").stdout
    assert collage(*batch, "--size", "2kB", "-q", 5).exit_code == 1
