"""The tables of a rate-distortion report, as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from neural_collage.evaluation.distortion import Metric
from neural_collage.evaluation.results import (
    LOW_RATES,
    USUAL_RATES,
    BdRates,
    Point,
    RateDistortionResult,
)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names the row and whose other columns hold numbers."""
    align = [":--"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, align, *rows))


def summary_sections(result: RateDistortionResult) -> str:
    """BD-rates at the usual rates by all metrics: against the reference, and of each of ours.

    Negative is better: the share of the other codec's bits that is saved at equal quality.
    """
    low, high = USUAL_RATES
    at = f"BD-rate at {low:g} to {high:g} bpp"
    reference = {metric: result.bd_rates(metric) for metric in result.metrics}
    ours = {metric: result.bd_rates_against_others(metric) for metric in result.metrics}
    sections = [f"## {at}, against {result.reference}\n\n{_by_metric(result, 'codec', reference)}"]
    for codec in dict.fromkeys(codec for by_codec in ours.values() for codec in by_codec):
        columns = {metric: by_codec.get(codec, {}) for metric, by_codec in ours.items()}
        if any(columns.values()):
            table = _by_metric(result, "against", columns)
            sections.append(f"## {at}, of {codec}\n\n{table}")
    return "\n\n".join(sections)


def range_sections(result: RateDistortionResult) -> str:
    """The same by each metric at all ranges of rates."""
    sections = []
    for metric in result.metrics:
        title = f"## BD-rate by {metric.short_label}"
        against = result.bd_rates(metric)
        sections.append(f"{title}, against {result.reference}\n\n{bd_rate_table('codec', against)}")
        for codec, rates in result.bd_rates_against_others(metric).items():
            if rates:
                named = {_named(result, other): row for other, row in rates.items()}
                sections.append(f"{title}, of {codec}\n\n{bd_rate_table('against', named)}")
    return "\n\n".join(sections)


def _by_metric(
    result: RateDistortionResult, title: str, columns: Mapping[Metric, Mapping[str, BdRates]]
) -> str:
    others = dict.fromkeys(other for column in columns.values() for other in column)
    return markdown_table(
        [title, *(metric.short_label for metric in columns)],
        [
            [
                _named(result, other),
                *(
                    percent(column[other].usual_rates if other in column else None)
                    for column in columns.values()
                ),
            ]
            for other in others
        ],
    )


def curve_table(points: Sequence[Point], metrics: Sequence[Metric]) -> str:
    """One row per quality."""
    return markdown_table(
        ["quality", "bpp", *(metric.label for metric in metrics), "encode (s)", "decode (s)"],
        [
            [
                f"{point.quality:g}",
                f"{point.bpp:.3f}",
                *(_value(point, metric) for metric in metrics),
                f"{point.encode_seconds:.3f}",
                f"{point.decode_seconds:.3f}",
            ]
            for point in points
        ],
    )


def bd_rate_table(title: str, rates: Mapping[str, BdRates]) -> str:
    """One row for each entry of `rates`; `title` is the header of the first column."""
    ranges = [f"{low:g} to {high:g} bpp" for low, high in (LOW_RATES, USUAL_RATES)]
    return markdown_table(
        [title, *ranges, "full overlap"],
        [[name, *map(percent, astuple(row))] for name, row in rates.items()],
    )


def percent(value: float | None) -> str:
    """A signed percentage, or a dash for None."""
    return "–" if value is None else f"{value:+.1f} %"


def _named(result: RateDistortionResult, other: str) -> str:
    return other if other in result.settings.codecs else f"{other}, published"


def _value(point: Point, metric: Metric) -> str:
    value = getattr(point, metric.field)
    return "–" if value is None else f"{metric.on_curve(value):.2f}"
