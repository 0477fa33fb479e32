import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from typer.testing import Result

from neural_collage.evaluation.peers import PEERS, PillowCodec

Run = Callable[..., Result]


@pytest.fixture
def rd(collage: Run, photo: Callable[..., Path]) -> Run:
    """Run `collage benchmark rd` on a folder of two pictures."""
    photo("photos/b.png", size=(48, 32))
    folder = photo("photos/a.png", size=(32, 48)).parent
    return partial(collage, "benchmark", "rd", "--images", folder)


def test_the_report_is_written_and_the_bd_rates_are_printed(rd: Run, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors.json"
    anchors.write_text('{"a paper": {"bpp": [0.5, 1.0], "psnr": [30, 33]}}')
    output = tmp_path / "new" / "results"
    found = rd("--codecs", "webp,jpeg", "--anchors", anchors, "-o", output)
    assert found.exit_code == 0, found.output
    assert {path.name for path in output.iterdir()} == {
        *("rd.json", "rd.md", "rd.png", "rd.svg"),
        *("rd-ms-ssim.png", "rd-ms-ssim.svg", "rd-ssimulacra2.png", "rd-ssimulacra2.svg"),
        "rd-points",
    }
    report = json.loads((output / "rd.json").read_text())
    assert set(report["curves"]) == {"webp", "jpeg"}
    assert set(report["pictures"]) == {"a.png", "b.png"}
    table = (output / "rd.md").read_text(encoding="utf-8")
    assert found.stdout.strip() in table
    assert "| jpeg |" in found.stdout
    assert "against webp" in found.stdout
    assert str(tmp_path) not in table
    assert "--anchors anchors.json" in table
    assert found.stderr == ""  # no progress bar off a terminal


def test_codecs_of_the_library_are_compared_with_published_curves(rd: Run, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors.json"
    anchors.write_text('{"a paper": {"bpp": [0.01, 0.1, 9.0], "psnr": [1, 30, 60]}}')
    choice = [
        "--codecs",
        "fractal,jpeg",
        "--metrics",
        "psnr",
        "--qualities",
        "10,50,90",
        "--effort",
        "0",
    ]
    found = rd(*choice, "--anchors", anchors)
    assert found.exit_code == 0, found.output
    rates = json.loads((tmp_path / "rd.json").read_text())["bd_rate"]
    against_others = rates["psnr"]["percent_against_others"]
    assert set(against_others) == {"fractal"}
    assert against_others["fractal"]["a paper"]["overall"] > 0
    assert "## BD-rate at 0.1 to 1 bpp, of fractal" in found.stdout
    assert "| a paper, published |" in found.stdout


def test_a_published_curve_must_not_be_named_like_a_codec(rd: Run, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors.json"
    anchors.write_text('{"jpeg": {"bpp": [0.5, 1.0], "psnr": [30, 33]}}')
    found = rd("--codecs", "jpeg", "--anchors", anchors)
    assert found.exit_code == 1
    assert "rename it" in found.stderr


def test_sets_of_the_catalogue_lie_where_the_variable_says(
    collage: Run, photo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    photo("kodak/a.png")
    monkeypatch.setenv("NEURAL_COLLAGE_DATA", str(tmp_path))
    output = tmp_path / "results"
    found = collage("benchmark", "rd", "--images", "data/kodak", "--codecs", "jpeg", "-o", output)
    assert found.exit_code == 0, found.output
    refused = collage("benchmark", "rd", "--images", "data/screens", "--codecs", "jpeg")
    assert refused.exit_code == 1
    assert "gb82-image-set" in refused.stderr


def test_qualities_and_effort_are_passed_to_the_codec(rd: Run, tmp_path: Path) -> None:
    choice = ["--codecs", "fractal", "--metrics", "psnr"]
    found = rd(*choice, "--qualities", "60,20", "--effort", "0")
    assert found.exit_code == 0, found.output
    report = json.loads((tmp_path / "rd.json").read_text())
    assert [point["quality"] for point in report["curves"]["fractal"]] == [20, 60]
    assert report["settings"]["codecs"] == {"fractal": {"effort": 0}}


def test_metrics_and_pictures_are_chosen(rd: Run, tmp_path: Path) -> None:
    found = rd("--codecs", "jpeg", "--metrics", "ssimulacra2", "--match", "a.*")
    assert found.exit_code == 0, found.output
    names = {path.name for path in tmp_path.iterdir()}
    assert {"rd-ssimulacra2.png", "rd-ssimulacra2.svg"} <= names
    assert "rd.png" not in names
    report = json.loads((tmp_path / "rd.json").read_text())
    assert report["settings"]["metrics"] == ["ssimulacra2"]
    assert all(point["ssimulacra2"] <= 100 for point in report["curves"]["jpeg"])
    assert "--metrics ssimulacra2" in report["settings"]["command"]
    assert "--match 'a.*'" in report["settings"]["command"]
    assert list(report["pictures"]) == ["a.png"]


def test_what_is_not_installed_is_named_and_left_out(
    rd: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: PEERS[name] for name in ("jpeg", "jxl", "heic-444")}
    monkeypatch.setattr("neural_collage.evaluation.codecs.PEERS", few)
    for module in ("peers", "distortion"):
        monkeypatch.setattr(f"neural_collage.evaluation.{module}.find_spec", lambda name: None)
    found = rd("--codecs", "peers")
    assert found.exit_code == 0, found.output
    for name in ("jxl", "heic-444", "ssimulacra2"):
        assert f"{name} is left out: " in found.stderr
    assert 'pip install "neural-collage[bench]"' in found.stderr
    report = json.loads((tmp_path / "rd.json").read_text())
    assert list(report["curves"]) == ["jpeg"]
    assert report["settings"]["metrics"] == ["psnr"]
    refused = rd("--codecs", "jxl", "-o", "other")
    assert refused.exit_code == 1
    assert "jxl: pillow-jxl-plugin is not installed" in refused.stderr


def test_an_interrupted_run_continues(
    rd: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = ["--codecs", "jpeg", "--metrics", "psnr", "--overwrite"]
    assert rd(*choice).exit_code == 0
    report = (tmp_path / "rd.json").read_text()

    def fail(codec: PillowCodec, picture: object, quality: float) -> bytes:
        raise AssertionError("encoded again")

    monkeypatch.setattr(PillowCodec, "encode", fail)
    assert rd(*choice).exit_code == 0
    assert (tmp_path / "rd.json").read_text() == report


def test_results_are_kept_unless_overwritten(rd: Run, tmp_path: Path) -> None:
    old = tmp_path / "rd.md"
    old.write_text("old")
    refused = rd("--codecs", "jpeg", "--metrics", "psnr")
    assert refused.exit_code == 1
    assert "--overwrite" in refused.stderr
    assert old.read_text() == "old"
    assert not (tmp_path / "rd.json").exists()
    assert rd("--codecs", "jpeg", "--metrics", "psnr", "--overwrite").exit_code == 0
    assert old.read_text(encoding="utf-8").startswith("# Rate-distortion")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--codecs", "jpeg,gif"], 1, "unknown codec 'gif'"),
        (["--codecs", "jpeg", "--anchors", "none.json"], 1, "none.json"),
        (["--codecs", "neural:none.safetensors"], 1, "none.safetensors"),
        (["--codecs", "jpeg", "--metrics", "psnr,lpips"], 1, "unknown metric 'lpips'"),
        (["--qualities", "10,high"], 2, "whole numbers"),
        (["--qualities", "0,50"], 2, "1..100"),
        (["--effort", "10"], 2, "--effort"),
        (["--jobs", "0"], 2, "--jobs"),
    ],
)
def test_bad_arguments_are_refused(
    arguments: list[str], code: int, message: str, rd: Run, tmp_path: Path
) -> None:
    found = rd("-o", "out", *arguments)
    assert found.exit_code == code
    assert message in found.stderr
    assert not (tmp_path / "out").exists()


def test_the_error_for_an_empty_folder_names_a_data_set(collage: Run, tmp_path: Path) -> None:
    found = collage("benchmark", "rd", "--images", tmp_path)
    assert found.exit_code == 1
    assert found.stderr.count("\n") == 1
    assert "Kodak" in found.stderr


def test_an_output_that_is_a_file_is_refused(rd: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = rd("--codecs", "jpeg", "-o", "file")
    assert found.exit_code == 1
    assert "file: cannot be made" in found.stderr
