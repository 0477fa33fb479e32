import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.aerial import study as aerial
from benchmarks.aerial.figure import highest_variance
from neural_collage.evaluation.results import Point
from tests.pictures import photo_crop


def test_a_small_run_writes_its_results(tmp_path: Path) -> None:
    pixels = (255 * photo_crop(120)).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "scene.png")
    Image.fromarray(pixels).save(tmp_path / "left out.jpg")
    output = tmp_path / "results"
    aerial.main(tmp_path, output, threads=1, rounds=1, effort=0)
    (scene,) = json.loads((output / "aerial.json").read_text())["scenes"]
    assert (scene["name"], scene["width"], scene["height"]) == ("scene.png", 120, 120)
    point = scene["point"]
    assert point["bpp"] == pytest.approx(8 * scene["file_bytes"] / 120**2)
    assert 15 < point["psnr"] < 35
    estimate = scene["estimate"]
    assert estimate["bits_per_pixel"] == pytest.approx(3 * estimate["bits_per_sample"])
    assert estimate["as_reported"] == pytest.approx(estimate["bits_per_sample"] / 3)  # nine tiles
    assert estimate["bits_per_pixel"] > point["bpp"]
    assert set(scene["at_its_rate"]) == {"neural", "fractal", "jpeg", "webp", "jpeg2000"}
    assert all(peer["psnr"] > point["psnr"] for peer in scene["at_its_rate"].values())
    assert scene["enlarged"]["width"] == 1200
    assert scene["enlarged"]["largest_difference"] < 1e-3
    assert "poli2022" in (output / "aerial.md").read_text()
    with Image.open(output / "aerial.png") as picture:
        assert picture.width > 1600


def test_settings_are_searched_by_rate_and_by_psnr() -> None:
    def at(setting: float) -> Point:
        return Point(setting, setting / 10, 20 + setting, None, 0, 0)

    settings = (1.0, 2.0, 3.0, 4.0)
    assert [aerial.largest_below(at, settings, bpp).quality for bpp in (0, 0.3, 0.35, 9)] == [
        *(1, 3, 3, 4)
    ]
    assert [aerial.smallest_above(at, settings, psnr).quality for psnr in (0, 22, 22.5, 99)] == [
        *(1, 2, 3, 4)
    ]


def test_windows_tile_a_picture_once() -> None:
    covered = np.zeros((23, 35), int)
    for x, y, width, height in aerial.windows(35, 23, 10):
        covered[y : y + height, x : x + width] += 1
    assert (covered == 1).all()


def test_the_part_with_the_highest_variance_is_found() -> None:
    levels = np.full((40, 60), 128, np.uint8)
    levels[20:30:2, 40:50] = 255
    assert highest_variance(Image.fromarray(levels), 10, 10) == (40, 20, 50, 30)
