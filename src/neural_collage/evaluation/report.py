"""The report of a rate-distortion benchmark: numbers, tables and figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean

from neural_collage.evaluation.codecs import is_ours
from neural_collage.evaluation.distortion import Metric
from neural_collage.evaluation.kept_points import point_as_json
from neural_collage.evaluation.plots import Savings, rate_distortion_figure, rendered
from neural_collage.evaluation.results import (
    LOW_RATES,
    USUAL_RATES,
    BdRates,
    Point,
    RateDistortionResult,
)
from neural_collage.evaluation.tables import curve_table, range_sections, summary_sections


def report_names(metrics: Sequence[Metric]) -> list[str]:
    """Names of the files that `report_files` returns."""
    return ["rd.json", "rd.md", *(f"{_stem(each)}.{kind}" for each in metrics for kind in _KINDS)]


def report_files(result: RateDistortionResult) -> dict[str, bytes]:
    """The files of a report by name; PSNR has the figures rd.png and rd.svg."""
    contents = [to_json(result).encode(), to_markdown(result).encode()]
    for metric in result.metrics:
        curves = result.curves(metric)
        figure = rate_distortion_figure(
            curves,
            title=f"{result.settings.folder}: mean of {len(result.pictures)} pictures",
            metric=metric.label,
            floor=metric.floor,
            ours=[codec for codec in curves if is_ours(codec)],
            anchors=result.published_curves(metric),
            savings=listed_savings(result, metric),
        )
        contents += [rendered(figure, kind) for kind in _KINDS]
    return dict(zip(report_names(result.metrics), contents, strict=True))


def to_json(result: RateDistortionResult) -> str:
    """All results as JSON; the infinite PSNR of an unchanged picture becomes null."""
    return json.dumps(
        {
            "settings": asdict(result.settings),
            "environment": asdict(result.environment),
            "bd_rate": {
                "reference": result.reference,
                "low_rates": LOW_RATES,
                "usual_rates": USUAL_RATES,
                **{metric.name: _bd_rates_as_json(result, metric) for metric in result.metrics},
            },
            "curves": _points_as_json(result.points),
            "pictures": {
                picture.picture: _points_as_json(picture.points) for picture in result.pictures
            },
        },
        indent=1,
        allow_nan=False,
    )


def to_markdown(result: RateDistortionResult) -> str:
    """The settings, and the BD-rates and mean curves as tables."""
    settings = result.settings
    codecs = "; ".join(
        f"{codec} ({', '.join(f'{name}={value}' for name, value in options.items())})"
        if options
        else codec
        for codec, options in settings.codecs.items()
    )
    left_out = "".join(f"\nLeft out: {name}: {why}." for name, why in settings.left_out.items())
    curves = "\n\n".join(
        f"## {codec}\n\n{curve_table(points, result.metrics)}"
        for codec, points in result.points.items()
    )
    return f"""# Rate-distortion over the {len(result.pictures)} pictures of {settings.folder}

    {settings.command}

Codecs: {codecs}.{left_out}
Machine: {result.environment}. Pictures measured at a time: {settings.jobs}.

{summary_sections(result)}

{range_sections(result)}

{curves}
"""


def best_savings(result: RateDistortionResult, metric: Metric) -> Savings | None:
    """BD-rates at `USUAL_RATES` of the best of our codecs; None if none can be computed."""
    found = {
        codec: {
            other: rates.usual_rates
            for other, rates in against.items()
            if rates.usual_rates is not None
        }
        for codec, against in result.bd_rates_against_others(metric).items()
    }
    found = {codec: percent for codec, percent in found.items() if percent}
    if not found:
        return None
    best = min(found, key=lambda codec: fmean(found[codec].values()))
    return Savings(best, USUAL_RATES, found[best])


def listed_savings(result: RateDistortionResult, metric: Metric) -> Savings | None:
    """`best_savings` as far as a figure has room: with many, without the published curves."""
    savings = best_savings(result, metric)
    if savings is None or len(savings.percent) <= _MOST_LISTED:
        return savings
    measured = {k: v for k, v in savings.percent.items() if k in result.settings.codecs}
    return savings._replace(percent=measured)


_KINDS = ("png", "svg")
_MOST_LISTED = 12
"""BD-rates that a figure has room for."""


def _stem(metric: Metric) -> str:
    return "rd" if metric.name == "psnr" else f"rd-{metric.name}"


def _bd_rates_as_json(result: RateDistortionResult, metric: Metric) -> dict[str, object]:
    return {
        "percent": _rates_as_json(result.bd_rates(metric)),
        "published": list(result.published_curves(metric)),
        "percent_against_others": {
            codec: _rates_as_json(rates)
            for codec, rates in result.bd_rates_against_others(metric).items()
        },
    }


def _points_as_json(points: Mapping[str, Sequence[Point]]) -> dict[str, list[dict[str, object]]]:
    return {
        codec: [point_as_json(point) for point in of_codec] for codec, of_codec in points.items()
    }


def _rates_as_json(rates: Mapping[str, BdRates]) -> dict[str, dict[str, float | None]]:
    return {name: asdict(row) for name, row in rates.items()}
