import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ssimulacra2 import compute_ssimulacra2

from neural_collage.errors import CollageError, MissingExtraError
from neural_collage.evaluation import distortion
from neural_collage.evaluation.distortion import METRICS, Distortion, chosen_metrics, in_decibels
from neural_collage.evaluation.metrics import Rgb, ms_ssim
from neural_collage.evaluation.ssimulacra2 import Ssimulacra2


def _coarse(picture: Image.Image, bits: int) -> Rgb:
    return np.asarray(picture) >> bits << bits


def _without(package: str) -> Callable[[str], object | None]:
    return lambda name: None if name == package else object()


def test_a_tenth_of_the_dissimilarity_is_ten_decibels_more() -> None:
    assert in_decibels(0.0) == 0
    assert in_decibels(0.9) == pytest.approx(10)
    assert in_decibels(0.99) == pytest.approx(20)
    assert in_decibels(1.0) == math.inf
    assert in_decibels(1.0000001) == math.inf  # rounding can exceed 1


def test_ssimulacra2_is_the_score_that_the_package_gives_for_files(
    photo: Image.Image, tmp_path: Path
) -> None:
    picture = photo.crop((0, 0, 45, 37))  # sides that do not halve
    test = _coarse(picture, 4)
    picture.save(tmp_path / "picture.png")
    Image.fromarray(test).save(tmp_path / "test.png")
    expected = compute_ssimulacra2(str(tmp_path / "picture.png"), str(tmp_path / "test.png"))
    assert Ssimulacra2(np.asarray(picture)).score(test) == expected


def test_ssimulacra2_falls_from_100_with_the_error(photo: Image.Image) -> None:
    against = Ssimulacra2(np.asarray(photo))
    equal, close, far = (against.score(_coarse(photo, bits)) for bits in (0, 3, 6))
    assert equal == 100
    assert close is not None
    assert far is not None
    assert far < close < 100


def test_a_picture_too_small_for_a_scale_has_no_score() -> None:
    small = np.zeros((7, 40, 3), np.uint8)
    assert Ssimulacra2(small).score(small) is None


def test_the_metrics_that_were_chosen_are_measured(rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (176, 180, 3), dtype=np.uint8)
    test = picture >> 4 << 4
    found = Distortion(picture, list(METRICS.values()))
    values = {"ms_ssim": ms_ssim(picture, test), "ssimulacra2": Ssimulacra2(picture).score(test)}
    assert found.others(test) == values
    assert Distortion(picture, [METRICS["ssimulacra2"]]).others(test).keys() == {"ssimulacra2"}
    assert Distortion(picture, []).others(test) == {}
    assert Distortion(picture, []).psnr(test) == found.psnr(test)


def test_metrics_are_chosen_by_name_in_the_order_of_tables() -> None:
    chosen, left_out = chosen_metrics(["ssimulacra2", "psnr", "psnr"])
    assert [metric.name for metric in chosen] == ["psnr", "ssimulacra2"]
    assert left_out == {}
    assert [metric.name for metric in chosen_metrics()[0]] == list(METRICS)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CollageError, match=r"unknown metric 'lpips'.*psnr, ms-ssim, ssimulacra2"):
        chosen_metrics(["psnr", "lpips"])


def test_a_metric_that_is_not_installed_is_left_out_unless_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distortion, "find_spec", _without("ssimulacra2"))
    chosen, left_out = chosen_metrics()
    assert [metric.name for metric in chosen] == ["psnr", "ms-ssim"]
    assert 'pip install "neural-collage[bench]"' in left_out["ssimulacra2"]
    with pytest.raises(MissingExtraError, match="ssimulacra2 is not installed"):
        chosen_metrics(["ssimulacra2"])
