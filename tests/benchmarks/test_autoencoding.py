import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.autoencoding import study as autoencoding
from benchmarks.autoencoding.report import curves_csv, read_metrics
from neural_collage.training.run.experiment import Experiment
from neural_collage.training.run.quiet import quiet_lightning
from tests.pictures import photo_crop


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for use, left in (("train", 100), ("test", 300)):
        (tmp_path / use).mkdir()
        for top in (0, 80):
            pixels = (255 * photo_crop(64, top, left)).byte().permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(tmp_path / use / f"{top}.png")
    return tmp_path


def test_a_small_run_writes_its_results(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {name: autoencoding.MODELS[name] for name in ("collage", "mlp_16x")}
    monkeypatch.setattr(autoencoding, "MODELS", two)
    autoencoding.main(data, tmp_path / "results", tmp_path / "runs", threads=1, steps=1)
    outcomes = json.loads((tmp_path / "results/autoencoding.json").read_text())["outcomes"]
    assert list(outcomes) == list(two)
    collage, mlp = outcomes.values()
    assert mlp["parameters"] == pytest.approx(16 * collage["parameters"], rel=0.02)
    assert mlp["code_numbers"] == 477
    assert mlp["psnr_enlarged"] is None
    assert collage["psnr_enlarged"] < collage["psnr"]
    assert collage["steps"] == mlp["steps"] == 1
    table = (tmp_path / "results/autoencoding.md").read_text()
    assert all(outcome["title"] in table for outcome in outcomes.values())
    with Image.open(tmp_path / "results/autoencoding_pictures.png") as sheet:
        assert sheet.width == 5 * 132 + 4  # original, input, one of the MLP, two of the collage


def test_a_finished_training_is_not_trained_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlp = autoencoding.MODELS["mlp"]
    arguments = autoencoding.arguments_of(mlp, data, tmp_path / "run", steps=1)
    with quiet_lightning():
        autoencoding.train(arguments)
        monkeypatch.setattr(Experiment, "fit", lambda _: pytest.fail("trained again"))
        autoencoding.train(arguments)


def test_seconds_and_curve_come_from_the_metrics(tmp_path: Path) -> None:
    rows = [
        {"step": 10, "train/images_per_second": 40.0},
        {"step": 10, "val/psnr": 20.0},
        {"step": 30, "train/images_per_second": 80.0},
        {"step": 30, "val/psnr": 21.5},
    ]
    with (tmp_path / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "train/images_per_second", "val/psnr"])
        writer.writeheader()
        writer.writerows(rows)
    seconds, curve = read_metrics(tmp_path / "metrics.csv", batch_size=8)
    assert seconds == pytest.approx(10 * 8 / 40 + 20 * 8 / 80)
    assert curve == [(10, 20.0), (30, 21.5)]
    lines = curves_csv({"one": curve, "two, later": curve[1:]}).splitlines()
    assert lines == ["step,one,two later", "10,20.000,", "30,21.500,21.500"]
