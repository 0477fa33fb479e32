import pytest

from neural_collage.evaluation.bd_rate import Curve, bd_rate
from neural_collage.evaluation.distortion import METRICS, Metric
from neural_collage.evaluation.results import USUAL_RATES, PictureResult, curve_of
from tests.evaluation.made_up import CODEC_FACTORS, PSNR, ours_and_others, result_of
from tests.evaluation.made_up import point as _point

EACH_METRIC = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def test_a_curve_averages_each_quality_over_the_pictures() -> None:
    pictures = [
        PictureResult("a", {"x": [_point(10, 0.25, 25.0), _point(90, 1.0, 35.0)]}),
        PictureResult("b", {"x": [_point(10, 0.75, 28.0, None), _point(90, 2.0, 39.0)]}),
    ]
    low, high = result_of(pictures, "x").points["x"]
    assert low == _point(10, 0.5, 26.5, None)
    assert high == _point(90, 1.5, 37.0)


def test_ms_ssim_is_averaged_before_the_logarithm() -> None:
    pictures = [
        PictureResult(name, {"x": [_point(10, 0.5, 30.0, ms_ssim)]})
        for name, ms_ssim in {"a": 0.99, "b": 0.81}.items()
    ]
    curve = result_of(pictures, "x").curves(METRICS["ms-ssim"])["x"]
    assert curve.values == pytest.approx([10])  # of 1 - 0.9


def test_points_without_a_value_are_not_on_the_curve() -> None:
    points = [_point(1, 0.2, 28.0, None), _point(2, 0.8, 34.0, 0.9)]
    curve = curve_of(points, METRICS["ms-ssim"])
    assert curve.rates == [0.8]
    assert curve.values == pytest.approx([10])
    assert curve_of(points, METRICS["ssimulacra2"]) == Curve([], [])


@EACH_METRIC
def test_a_codec_needs_no_less_rate_than_itself(metric: Metric) -> None:
    result = ours_and_others()
    same = result.points["jpeg"]
    twice = result_of([PictureResult("a", {"jpeg": same, "again": same})], "jpeg", "again")
    found = twice.bd_rates(metric)["again"]
    assert (found.low_rates, found.usual_rates, found.overall) == pytest.approx((0, 0, 0))


@EACH_METRIC
def test_half_the_rate_is_half_by_each_metric(metric: Metric) -> None:
    rates = ours_and_others().bd_rates_against_others(metric)
    assert rates["neural"]["jpeg"].overall == pytest.approx(-50)
    assert rates["neural"]["jpeg"].usual_rates == pytest.approx(-50)


def test_bd_rates_are_relative_to_the_first_codec() -> None:
    pictures = [PictureResult("a", dict(ours_and_others().points))]
    result = result_of(pictures, "neural", "fractal", "jpeg")
    assert result.reference == "neural"
    found = {codec: rates.overall for codec, rates in result.bd_rates(PSNR).items()}
    assert found == {
        codec: pytest.approx(100 * (CODEC_FACTORS[codec] / CODEC_FACTORS["neural"] - 1))
        for codec in ("fractal", "jpeg")
    }


def test_curves_that_have_nothing_in_common_have_no_bd_rate() -> None:
    near, far = [_point(1, 0.1, 22), _point(2, 0.8, 30)], [_point(1, 0.1, 40), _point(2, 0.8, 45)]
    result = result_of([PictureResult("a", {"jpeg": near, "far": far})], "jpeg", "far")
    assert result.bd_rates(PSNR)["far"].overall is None


def test_our_codecs_are_compared_with_all_other_and_published_curves() -> None:
    result = ours_and_others()
    rates = result.bd_rates_against_others(PSNR)
    assert list(rates) == ["fractal", "neural", "neural:mine"]  # poli2022 has a single point
    assert list(rates["neural"]) == ["jpeg", "VTM", "fine"]
    vtm = result.published_curves(PSNR)["VTM"]
    ours = result.curves(PSNR)["neural"]
    assert rates["neural"]["VTM"].overall == pytest.approx(bd_rate(vtm, ours))
    assert rates["neural"]["VTM"].usual_rates == pytest.approx(bd_rate(vtm, ours, USUAL_RATES))
    assert rates["neural"]["fine"].overall is None
    by_similarity = result.bd_rates_against_others(METRICS["ms-ssim"])
    assert list(by_similarity["neural"]) == ["jpeg", "VTM"]  # published without: not there
