import json
from pathlib import Path

import pytest
import torch

from benchmarks.restoration import study as restoration
from neural_collage.errors import CollageError
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop


def test_a_small_run_writes_its_results(tmp_path: Path) -> None:
    for number in range(2):
        to_pil(photo_crop(128, 40 * number)).save(tmp_path / f"{number}.png")
    output = tmp_path / "results"
    restoration.main(tmp_path, output)
    found = json.loads((output / "restoration.json").read_text())
    assert list(found["pictures"]) == ["0.png", "1.png"]
    for number, row in enumerate(found["means"]):
        both = [rows[number] for rows in found["pictures"].values()]
        assert {one["task"] for one in both} == {row["task"]}
        assert row["collage"] == pytest.approx(sum(one["collage"] for one in both) / 2)
        if "mean" in row["baselines"]:
            assert row["collage"] > row["baselines"]["mean"]
        if "as it was" in row["baselines"]:
            assert row["collage"] > row["baselines"]["best Gaussian blur"]
            assert row["baselines"]["best Gaussian blur"] > row["baselines"]["as it was"]
    table = (output / "restoration.md").read_text()
    assert all(f"| {row['task']} |" in table for row in found["means"])
    assert str(tmp_path) not in table


def test_masks_have_the_stated_holes() -> None:
    assert float(restoration.random_holes(200, 300).float().mean()) == pytest.approx(0.3, abs=0.01)
    squares = restoration.square_holes(240, 120)
    assert int(squares.sum()) == 2 * 24**2
    assert bool(squares[48:72, 48:72].all())
    text = restoration.text_holes(240, 360)
    assert 0.03 < float(text.float().mean()) < 0.3
    assert torch.equal(text, restoration.text_holes(240, 360))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="no pictures"):
        restoration.main(tmp_path, tmp_path / "results")
