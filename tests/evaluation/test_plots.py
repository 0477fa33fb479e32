import math
from io import BytesIO

import pytest
from PIL import Image

from neural_collage.evaluation.bd_rate import Curve
from neural_collage.evaluation.plots import Savings, rate_distortion_figure, rendered

CURVES = {
    "jpeg": Curve([0.2, 0.5, 1.0], [24.0, 29.0, 33.0]),
    "fractal": Curve([1.0, 0.2, 0.5], [33.1, 25.0, 29.5]),
    "webp": Curve([0.2, 0.5, 1.0, 9.0], [25.0, 30.0, 33.05, math.inf]),
}


def test_every_curve_is_labelled_at_its_end_without_overlaps() -> None:
    figure = rate_distortion_figure(CURVES, title="three", ours={"fractal"})
    (axes,) = figure.axes
    labels = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert list(labels) == ["jpeg", "webp", "fractal"]  # from the lowest end to the highest
    bottom, top = axes.get_ylim()
    for lower, upper in zip(list(labels)[:-1], list(labels)[1:], strict=True):
        assert labels[upper] - labels[lower] > 0.04 * (top - bottom)
    assert sum(labels.values()) / 3 == pytest.approx((33.0 + 33.05 + 33.1) / 3)


def test_our_curves_are_thickest_and_anchors_thinnest() -> None:
    anchors = {"BPG": Curve([0.2, 1.0], [27.0, 36.0])}
    figure = rate_distortion_figure(CURVES, title="four", ours={"fractal"}, anchors=anchors)
    anchor, jpeg, ours, webp = (line.get_linewidth() for line in figure.axes[0].lines)
    assert ours > jpeg == webp > anchor


def test_points_outside_the_range_of_rates_are_not_shown() -> None:
    anchors = {"lossless": Curve([9.0], [60.0]), "both": Curve([0.5, 9.0], [31.0, 60.0])}
    figure = rate_distortion_figure(CURVES, title="", anchors=anchors)
    assert "lossless" not in [text.get_text() for text in figure.axes[0].texts]
    assert figure.axes[0].get_ylim()[1] < 40


def test_variants_of_a_format_share_a_colour_and_differ_in_dashes() -> None:
    curves = {
        name: Curve([0.2, 1.0], [25.0 + index, 34.0 + index])
        for index, name in enumerate(("avif", "avif-444", "jxl", "avif-444-slow"))
    }
    lines = rate_distortion_figure(curves, title="").axes[0].lines
    avif, full, jxl, slow = (line.get_color() for line in lines)
    assert avif == full == slow != jxl
    assert [line.is_dashed() for line in lines] == [False, True, False, True]


def test_many_labels_end_below_the_top_of_the_plot() -> None:
    curves = {f"{n}": Curve([0.2, 1.0], [25.0, 34.0 + n / 100]) for n in range(20)}
    (axes,) = rate_distortion_figure(curves, title="").axes
    heights = [text.get_position()[1] for text in axes.texts]
    assert len(heights) == 20
    assert heights == sorted(heights)
    assert axes.get_ylim()[0] <= heights[0] < heights[-1] <= axes.get_ylim()[1]


def test_values_below_the_floor_are_not_shown() -> None:
    curves = {"jpeg": Curve([0.1, 0.5, 1.0], [-80.0, 40.0, 70.0])}
    (axes,) = rate_distortion_figure(curves, title="", metric="SSIMULACRA2", floor=0).axes
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylabel() == "SSIMULACRA2"
    (axes,) = rate_distortion_figure(CURVES, title="", floor=0).axes
    assert axes.get_ylim()[0] > 20


def test_savings_are_listed_in_descending_order_with_aligned_numbers() -> None:
    savings = Savings("fractal", (0.1, 1), {"webp": 3.2, "jpeg": -18.6, "BPG": -9.7})
    figure = rate_distortion_figure(CURVES, title="three", ours={"fractal"}, savings=savings)
    *_, heading, rows = (text.get_text() for text in figure.axes[0].texts)
    assert heading == "fractal: BD-rate at 0.1 to 1 bpp, against"
    space, minus = "\N{FIGURE SPACE}", "\N{MINUS SIGN}"
    assert rows.split("\n") == [f"{minus}19 %  jpeg", f"{minus}10 %  BPG", f"{space}+3 %  webp"]


def test_savings_of_a_curve_that_is_not_shown_are_omitted() -> None:
    savings = Savings("neural", (0.1, 1), {"jpeg": -18.6})
    figure = rate_distortion_figure(CURVES, title="three", savings=savings)
    assert len(figure.axes[0].texts) == len(CURVES)


def test_a_figure_is_rendered_as_png_and_svg() -> None:
    figure = rate_distortion_figure(CURVES, title="three")
    with Image.open(BytesIO(rendered(figure, "png"))) as picture:
        assert picture.format == "PNG"
        assert picture.width >= 1200
    assert b"<svg" in rendered(figure, "svg")
