import json
import math
from dataclasses import replace

import pytest

from neural_collage.evaluation.bd_rate import Curve
from neural_collage.evaluation.distortion import METRICS
from neural_collage.evaluation.report import best_savings, listed_savings, to_json, to_markdown
from neural_collage.evaluation.results import PictureResult
from tests.evaluation.made_up import PSNR, ours_and_others, point, result_of


def _table(page: str, title: str) -> str:
    return page.split(f"## {title}\n\n")[1].split("\n\n")[0]


def test_json_holds_bd_rates_by_each_metric() -> None:
    found = json.loads(to_json(ours_and_others()))["bd_rate"]
    assert found["reference"] == "fractal"
    assert found["usual_rates"] == [0.1, 1.0]
    assert found["psnr"]["published"] == ["VTM", "fine"]
    assert found["ms-ssim"]["published"] == ["VTM"]
    assert found["ssimulacra2"]["published"] == []
    for metric in METRICS:
        rates = found[metric]["percent_against_others"]["neural"]["jpeg"]
        assert set(rates) == {"low_rates", "usual_rates", "overall"}
        assert found[metric]["percent"]["jpeg"]["overall"] == pytest.approx(60)


def test_tables_show_metrics_side_by_side_and_ranges_by_metric() -> None:
    result = ours_and_others()
    page = to_markdown(result)
    vtm = result.bd_rates_against_others(PSNR)["neural"]["VTM"]
    similar = result.bd_rates_against_others(METRICS["ms-ssim"])["neural"]["VTM"]
    summary = _table(page, "BD-rate at 0.1 to 1 bpp, of neural")
    assert "| against | PSNR | MS-SSIM | SSIMULACRA2 |" in summary
    assert "| jpeg | -50.0 % | -50.0 % | -50.0 % |" in summary
    assert (
        f"| VTM, published | {vtm.usual_rates:+.1f} % | {similar.usual_rates:+.1f} % | – |"
    ) in summary
    ranges = _table(page, "BD-rate by PSNR, of neural")
    assert "| against | 0.1 to 0.6 bpp | 0.1 to 1 bpp | full overlap |" in ranges
    assert f"| {vtm.usual_rates:+.1f} % | {vtm.overall:+.1f} % |" in ranges
    assert "| fine, published | – | – | – |" in ranges
    assert "fine" not in _table(page, "BD-rate by MS-SSIM, of neural")
    against_first = _table(page, "BD-rate at 0.1 to 1 bpp, against fractal")
    assert "| jpeg | +60.0 % | +60.0 % | +60.0 % |" in against_first


def test_curves_are_tables_with_similarity_in_decibels() -> None:
    table = _table(to_markdown(ours_and_others()), "neural")
    head, _, _, second, *_ = table.split("\n")
    assert head == (
        "| quality | bpp | PSNR (dB) | MS-SSIM (dB) | SSIMULACRA2 | encode (s) | decode (s) |"
    )
    assert second == "| 1 | 0.160 | 28.00 | 10.00 | 30.00 | 2.000 | 1.000 |"


def test_what_was_left_out_is_named() -> None:
    result = ours_and_others()
    without = replace(result.settings, left_out={"jxl": "not installed"})
    page = to_markdown(replace(result, settings=without))
    assert "\nLeft out: jxl: not installed.\n" in page


def test_savings_are_those_of_our_best_codec_by_each_metric() -> None:
    for name, metric in METRICS.items():
        savings = best_savings(ours_and_others(), metric)
        assert savings is not None
        assert (savings.codec, savings.rate_range) == ("neural", (0.1, 1.0))
        assert savings.percent["jpeg"] == pytest.approx(-50)
        others = {"jpeg"} if name == "ssimulacra2" else {"jpeg", "VTM"}
        assert set(savings.percent) == others


def test_without_our_codecs_or_others_there_are_no_savings() -> None:
    points = [point(1, 0.2, 28.0), point(2, 0.8, 34.0)]
    for codec in ("fractal", "jpeg"):
        result = result_of([PictureResult("a", {codec: points})], codec)
        assert best_savings(result, PSNR) is None
        assert ", of " not in to_markdown(result)


def test_a_figure_lists_no_published_savings_where_they_are_many() -> None:
    result = ours_and_others()
    curve = Curve([0.04, 0.3, 1.5], [24.0, 32.0, 40.0])
    many = {"psnr": {f"paper {n}": curve for n in range(20)}}
    savings = listed_savings(replace(result, published=many), PSNR)
    assert savings is not None
    assert list(savings.percent) == ["jpeg"]
    assert listed_savings(result, PSNR) == best_savings(result, PSNR)


def test_json_holds_the_measurement_and_is_strict() -> None:
    result = result_of([PictureResult("a", {"x": [point(8, 24.0, math.inf)]})], "x")
    found = json.loads(to_json(result), parse_constant=pytest.fail)
    assert found["pictures"]["a"]["x"][0] | {"psnr": None} == found["curves"]["x"][0]
    assert found["environment"]["versions"]["torch"]
    assert found["settings"]["folder"] == "photos"
