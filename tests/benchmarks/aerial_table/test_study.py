"""A small run of the study, its choices of settings and its extrapolation."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.aerial_table import study
from benchmarks.aerial_table.extrapolation import extrapolated, marks_of
from benchmarks.aerial_table.results import Coded
from benchmarks.support.scenes import scene_files, square_parts
from neural_collage.errors import CollageError
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop


def test_a_small_run_writes_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "CODECS", ("fractal", "jpeg", "webp"))
    to_pil(photo_crop(64)).save(tmp_path / "scene.png")
    output = tmp_path / "results"
    study.main(
        tmp_path, 1, 64, networks=1, steps=40, stride=2, check_steps=60, full_steps=4, output=output
    )
    result = json.loads((output / "aerial_table.json").read_text())
    (part,) = result["parts"]
    (fit,), (at_bytes,), (at_psnr,) = part["fits"], part["at_bytes"], part["at_psnr"]
    assert fit["network"] == "COIN 5 x 20"
    assert (fit["file_bytes"], fit["curve"][-1][0]) == (3606, 40)
    assert part["paper"]["codec"] == "poli2022"
    assert [each["codec"] for each in at_bytes] == list(study.CODECS)
    assert [each["codec"] for each in at_psnr] == list(study.CODECS)
    for each in at_psnr:
        assert each["psnr"] >= fit["extrapolated"]
    assert result["formula_check"]["curve"][-1][0] == 60
    assert result["step_seconds"]["COIN 5 x 20"] > 0
    page = (output / "aerial_table.md").read_text()
    assert "| COIN 5 x 20, after 40 steps | 3,606 |" in page
    assert "| COIN 5 x 20, extrapolated | 3,606 |" in page
    assert "[exhaustive](exhaustive.md)" in page


def at(quality: float) -> Coded:
    """A codec of which each quality takes 100 bytes and gives 1 dB."""
    return Coded("", quality, int(100 * quality), 20 + quality, 0, 0)


def test_settings_are_those_nearest_in_bytes() -> None:
    sizes = (1, 100, 149, 151, 5000, 10**6)
    assert [study.of_nearest_bytes(at, size).quality for size in sizes] == [1, 1, 1, 2, 50, 99]


def test_settings_are_the_lowest_that_reach_a_psnr() -> None:
    wanted = (0, 21, 21.5, 70, 999)
    assert [study.of_least_psnr(at, psnr).quality for psnr in wanted] == [1, 1, 2, 50, 99]


def test_marks_end_at_the_last_step_at_equal_ratios() -> None:
    assert marks_of(5) == [5]
    assert marks_of(640) == [10, 14, 20, 28, 40, 57, 80, 113, 160, 226, 320, 453, 640]


def test_curves_of_the_formula_are_extrapolated_exactly() -> None:
    curve = [(n, 30 - 40 / n**0.5) for n in marks_of(640)]
    assert extrapolated(curve, 50_000) == pytest.approx(30 - 40 / 50_000**0.5)
    early = [(n, 0.0 if n < 80 else value) for n, value in curve]  # before 1/8 of the steps
    assert extrapolated(early, 50_000) == pytest.approx(30 - 40 / 50_000**0.5)
    assert extrapolated(curve, 640) == curve[-1][1]


def test_parts_tile_the_middles_of_all_scenes_in_turn(tmp_path: Path) -> None:
    levels = np.arange(50 * 40 * 3).reshape(50, 40, 3) % 251
    Image.fromarray(levels.astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(levels[:20, :20].astype(np.uint8)).save(tmp_path / "b.png")
    parts = square_parts(tmp_path, 20, 4)
    assert [name for name, _ in parts] == ["a.png at 0, 5", "b.png at 0, 0"] + [
        f"a.png at {x}, {y}" for x, y in ((20, 5), (0, 25))
    ]
    assert np.array_equal(np.asarray(parts[3][1]), levels[25:45, :20])
    with pytest.raises(CollageError, match="has 5 parts of 20 x 20 pixels, not 6: ask for fewer"):
        square_parts(tmp_path, 20, 6)


def test_a_folder_without_scenes_is_refused_with_their_source(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "left out.jpg")
    with pytest.raises(CollageError, match=r"no lossless pictures: put aerial scenes there.*DOTA"):
        scene_files(tmp_path)
