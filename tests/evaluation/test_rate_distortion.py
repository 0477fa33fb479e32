import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neural_collage.errors import CollageError
from neural_collage.evaluation.bd_rate import Curve, bd_rate
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import Rgb, psnr
from neural_collage.evaluation.peers import PEERS
from neural_collage.evaluation.rate_distortion import (
    USUAL_RATES,
    PictureResult,
    Point,
    RateDistortionResult,
    Settings,
    find_pictures,
    measure,
)
from neural_collage.evaluation.report import best_savings, read_anchors, to_json, to_markdown


@dataclass(frozen=True)
class Quantiser:
    """A codec that stores the size and the highest bits of each sample, one byte per sample."""

    name: str = "quantiser"
    qualities: Sequence[float] = (1, 8)
    options: dict[str, object] = field(default_factory=dict)

    def encode(self, picture: Image.Image, quality: float) -> bytes:
        samples = np.asarray(picture) >> (8 - int(quality)) << (8 - int(quality))
        return bytes(picture.size) + samples.tobytes()

    def decode(self, data: bytes) -> Rgb:
        width, height = data[:2]
        return np.frombuffer(data[2:], np.uint8).reshape(height, width, 3)


def _result(
    pictures: Sequence[PictureResult], *codecs: str, anchors: Mapping[str, Curve] | None = None
) -> RateDistortionResult:
    settings = Settings("collage benchmark rd", "photos", 1, {codec: {} for codec in codecs})
    return RateDistortionResult(settings, Environment.current(), pictures, anchors or {})


def _point(quality: float, bpp: float, psnr: float, ms_ssim: float | None = 0.9) -> Point:
    return Point(quality, bpp, psnr, ms_ssim, encode_seconds=2.0, decode_seconds=1.0)


def test_pictures_alone_are_found_sorted_by_name(folder: Path) -> None:
    assert [path.name for path in find_pictures(folder)] == ["a.PNG", "b.png"]


def test_an_empty_folder_is_refused_with_a_source_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match=r"Kodak.*`collage data`"):
        find_pictures(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="not a folder"):
        find_pictures(tmp_path / "none")


def test_a_point_holds_the_rate_of_the_file_and_the_distortion_of_the_decode(folder: Path) -> None:
    small, large = measure(find_pictures(folder), [Quantiser()])
    assert (small.picture, large.picture) == ("a.PNG", "b.png")
    coarse, exact = large.points["quantiser"]
    assert coarse.bpp == exact.bpp == 8 * (2 + 64 * 48 * 3) / (64 * 48)
    original = np.asarray(Image.open(folder / "b.png"))
    assert coarse.psnr == psnr(original, original >> 7 << 7)
    assert exact.psnr == math.inf
    assert coarse.ms_ssim is None


def test_results_do_not_depend_on_the_number_of_processes(folder: Path) -> None:
    def measured(jobs: int) -> list[tuple[str, list[tuple[float, float]]]]:
        return [
            (found.picture, [(point.bpp, point.psnr) for point in found.points["jpeg"]])
            for found in measure(find_pictures(folder), [PEERS["jpeg"]], jobs)
        ]

    assert measured(2) == measured(1)


def test_a_curve_averages_each_quality_over_the_pictures() -> None:
    pictures = [
        PictureResult("a", {"x": [_point(10, 0.25, 25.0), _point(90, 1.0, 35.0)]}),
        PictureResult("b", {"x": [_point(10, 0.75, 28.0, None), _point(90, 2.0, 39.0)]}),
    ]
    low, high = _result(pictures, "x").curves["x"]
    assert low == _point(10, 0.5, 26.5, None)
    assert high == _point(90, 1.5, 37.0)


def test_bd_rates_are_relative_to_jpeg() -> None:
    rates, psnrs = [0.05, 0.2, 0.8], [22.0, 28.0, 34.0]
    points = {
        codec: [_point(1, factor * rate, psnr) for rate, psnr in zip(rates, psnrs, strict=True)]
        for codec, factor in {"jpeg": 1.0, "half": 0.5}.items()
    }
    points["far"] = [_point(1, rate, psnr + 30) for rate, psnr in zip(rates, psnrs, strict=True)]
    bd_rates = _result([PictureResult("a", points)], "jpeg", "half", "far").bd_rates
    assert list(bd_rates) == ["half", "far"]
    assert bd_rates["half"].overall == pytest.approx(-50)
    assert bd_rates["half"].low_rates == pytest.approx(-50)
    assert bd_rates["half"].usual_rates == pytest.approx(-50)
    assert bd_rates["far"].overall is None


def _ours_and_others() -> RateDistortionResult:
    """Two codecs of ours, one of a single rate, JPEG, and two published curves."""
    rates, psnrs = [0.05, 0.2, 0.8, 2.0], [22.0, 28.0, 34.0, 39.0]
    points = {
        codec: [_point(1, factor * rate, psnr) for rate, psnr in zip(rates, psnrs, strict=True)]
        for codec, factor in {"fractal": 1.0, "neural": 0.8, "jpeg": 1.6}.items()
    }
    points["poli2022"] = [_point(50, 0.5, 22.0)]
    anchors = {
        "VTM": Curve([0.04, 0.3, 1.5], [24.0, 32.0, 40.0]),
        "fine": Curve([3.0, 5.0], [50.0, 55.0]),
    }
    return _result([PictureResult("a", points)], *points, anchors=anchors)


def test_our_codecs_are_compared_with_all_other_and_published_curves() -> None:
    result = _ours_and_others()
    rates = result.bd_rates_against_others
    assert list(rates) == ["fractal", "neural"]  # poli2022 has a single point
    assert list(rates["neural"]) == ["jpeg", "VTM", "fine"]
    assert rates["neural"]["jpeg"].overall == pytest.approx(-50)
    ours = Curve([0.04, 0.16, 0.64, 1.6], [22.0, 28.0, 34.0, 39.0])
    against_vtm = rates["neural"]["VTM"]
    assert against_vtm.overall == pytest.approx(bd_rate(result.anchors["VTM"], ours))
    assert against_vtm.usual_rates == pytest.approx(
        bd_rate(result.anchors["VTM"], ours, USUAL_RATES)
    )
    assert rates["neural"]["fine"].overall is None
    found = json.loads(to_json(result))["bd_rate"]
    assert found["published"] == ["VTM", "fine"]
    assert found["usual_rates"] == [0.1, 1.0]
    vtm = found["percent_against_others"]["neural"]["VTM"]
    assert set(vtm) == {"low_rates", "usual_rates", "overall"}
    table = to_markdown(result).split("## BD-rate of neural\n\n")[1].split("\n\n")[0]
    assert "| against | 0.1 to 0.6 bpp | 0.1 to 1 bpp | full overlap |" in table
    assert f"| {vtm['usual_rates']:+.1f} % | {vtm['overall']:+.1f} % |" in table
    assert "| VTM, published |" in table
    assert "| fine, published | – | – | – |" in table


def test_savings_are_those_of_our_best_codec() -> None:
    savings = best_savings(_ours_and_others())
    assert savings is not None
    assert (savings.codec, savings.rate_range) == ("neural", (0.1, 1.0))
    assert savings.percent["jpeg"] == pytest.approx(-50)
    assert set(savings.percent) == {"jpeg", "VTM"}


def test_without_our_codecs_or_others_there_are_no_savings() -> None:
    points = [_point(1, 0.2, 28.0), _point(2, 0.8, 34.0)]
    for codec in ("fractal", "jpeg"):
        result = _result([PictureResult("a", {codec: points})], codec)
        assert best_savings(result) is None
        assert "## BD-rate of" not in to_markdown(result)


def test_without_jpeg_there_are_no_bd_rates() -> None:
    result = _result([PictureResult("a", {"x": [_point(1, 0.5, 30.0)]})], "x")
    assert result.bd_rates == {}
    assert "`jpeg` and another codec are needed" in to_markdown(result)


def test_json_holds_the_measurement_and_is_strict() -> None:
    result = _result([PictureResult("a", {"x": [_point(8, 24.0, math.inf)]})], "x")
    found = json.loads(to_json(result), parse_constant=pytest.fail)
    assert found["pictures"]["a"]["x"][0] | {"psnr": None} == found["curves"]["x"][0]
    assert found["environment"]["versions"]["torch"]
    assert found["settings"]["folder"] == "photos"


def test_anchors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "anchors.json"
    path.write_text('{"BPG": {"bpp": [0.1, 1], "psnr": [26, 37.5], "source": "a paper"}}')
    assert read_anchors(path) == {"BPG": ([0.1, 1.0], [26.0, 37.5])}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "holds no anchors"),
        ("[1, 2]", "holds no anchors"),
        ('{"BPG": {"bpp": [1]}}', "holds no anchors"),
        ('{"BPG": {"bpp": [1], "psnr": ["high"]}}', "holds no anchors"),
        ('{"BPG": {"bpp": [1], "psnr": [30, 31]}}', "BPG has 1 bpp and 2 psnr values"),
    ],
)
def test_other_json_is_refused_as_anchors(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "anchors.json"
    path.write_text(text)
    with pytest.raises(CollageError, match=message):
        read_anchors(path)


def test_an_anchor_with_the_name_of_a_codec_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anchors.json"
    path.write_text('{"jpeg": {"bpp": [0.1, 1], "psnr": [26, 37.5]}}')
    with pytest.raises(CollageError, match="jpeg is also the name of a measured codec: rename it"):
        read_anchors(path, ["jpeg"])


def test_missing_anchors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="No such file"):
        read_anchors(tmp_path / "none.json")
