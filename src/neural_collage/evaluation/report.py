"""The report of a rate-distortion benchmark: numbers, tables and a figure."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from statistics import fmean

from neural_collage.codec.registry import CODECS
from neural_collage.errors import CollageError
from neural_collage.evaluation.bd_rate import Curve
from neural_collage.evaluation.plots import Savings, rate_distortion_figure, rendered
from neural_collage.evaluation.rate_distortion import (
    LOW_RATES,
    REFERENCE,
    USUAL_RATES,
    BdRates,
    Point,
    RateDistortionResult,
    curve_of,
)

REPORT_FILES = ("rd.json", "rd.md", "rd.png", "rd.svg")
"""Names of the files that `report_files` returns."""


def report_files(result: RateDistortionResult) -> dict[str, bytes]:
    """The files of a report by name."""
    figure = rate_distortion_figure(
        {codec: curve_of(points) for codec, points in result.curves.items()},
        title=f"{result.settings.folder}: mean of {len(result.pictures)} pictures",
        ours=CODECS,
        anchors=result.anchors,
        savings=best_savings(result),
    )
    contents = (
        to_json(result).encode(),
        to_markdown(result).encode(),
        rendered(figure, "png"),
        rendered(figure, "svg"),
    )
    return dict(zip(REPORT_FILES, contents, strict=True))


def to_json(result: RateDistortionResult) -> str:
    """All results as JSON; the infinite PSNR of an unchanged picture becomes null."""
    return json.dumps(
        {
            "settings": asdict(result.settings),
            "environment": asdict(result.environment),
            "bd_rate": {
                "reference": REFERENCE,
                "low_rates": LOW_RATES,
                "usual_rates": USUAL_RATES,
                "percent": _rates_as_json(result.bd_rates),
                "published": list(result.anchors),
                "percent_against_others": {
                    codec: _rates_as_json(rates)
                    for codec, rates in result.bd_rates_against_others.items()
                },
            },
            "curves": _points_as_json(result.curves),
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
    curves = "\n\n".join(
        f"## {codec}\n\n{curve_table(points)}" for codec, points in result.curves.items()
    )
    return f"""# Rate-distortion over the {len(result.pictures)} pictures of {settings.folder}

    {settings.command}

Codecs: {codecs}.
Machine: {result.environment}. Pictures measured at a time: {settings.jobs}.

{bd_rate_sections(result)}

{curves}
"""


def bd_rate_sections(result: RateDistortionResult) -> str:
    """BD-rates of all codecs against the reference, then of each of ours against all others.

    Negative is better: the share of the other codec's bits that is saved at equal PSNR.
    """
    against_reference = (
        bd_rate_table("codec", result.bd_rates)
        if result.bd_rates
        else f"None: `{REFERENCE}` and another codec are needed."
    )
    sections = [f"## BD-rate against {REFERENCE}\n\n{against_reference}"]
    for codec, rates in result.bd_rates_against_others.items():
        if rates:
            named = {
                f"{other}, published" if other in result.anchors else other: rates[other]
                for other in rates
            }
            sections.append(f"## BD-rate of {codec}\n\n{bd_rate_table('against', named)}")
    return "\n\n".join(sections)


def bd_rate_table(title: str, rates: Mapping[str, BdRates]) -> str:
    """One row for each entry of `rates`; `title` is the header of the first column."""
    ranges = [f"{low:g} to {high:g} bpp" for low, high in (LOW_RATES, USUAL_RATES)]
    return markdown_table(
        [title, *ranges, "full overlap"],
        [[name, *map(_percent, astuple(row))] for name, row in rates.items()],
    )


def best_savings(result: RateDistortionResult) -> Savings | None:
    """BD-rates at `USUAL_RATES` of the best of our codecs; None if none can be computed."""
    found = {
        codec: {
            other: rates.usual_rates
            for other, rates in against.items()
            if rates.usual_rates is not None
        }
        for codec, against in result.bd_rates_against_others.items()
    }
    found = {codec: percent for codec, percent in found.items() if percent}
    if not found:
        return None
    best = min(found, key=lambda codec: fmean(found[codec].values()))
    return Savings(best, USUAL_RATES, found[best])


def curve_table(points: Sequence[Point]) -> str:
    """One row per quality."""
    return markdown_table(
        ["quality", "bpp", "PSNR (dB)", "MS-SSIM", "encode (s)", "decode (s)"],
        [
            [
                f"{point.quality:g}",
                f"{point.bpp:.3f}",
                f"{point.psnr:.2f}",
                "–" if point.ms_ssim is None else f"{point.ms_ssim:.4f}",
                f"{point.encode_seconds:.3f}",
                f"{point.decode_seconds:.3f}",
            ]
            for point in points
        ],
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names the row and whose other columns hold numbers."""
    align = [":--"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, align, *rows))


def read_anchors(path: Path, taken: Collection[str] = ()) -> dict[str, Curve]:
    """Published curves from JSON of name -> {"bpp": [...], "psnr": [...]}; other keys are ignored.

    taken: names that are already in use.

    Raises:
        CollageError: the file cannot be read, has another form, or uses a name of `taken`.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        curves = {
            str(name): Curve(
                [float(rate) for rate in entry["bpp"]], [float(value) for value in entry["psnr"]]
            )
            for name, entry in entries.items()
        }
    except OSError as error:
        raise CollageError(f"cannot read the anchors {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CollageError(
            f'{path} holds no anchors: JSON of name -> {{"bpp": [...], "psnr": [...]}} expected'
        ) from error
    for name, curve in curves.items():
        if name in taken:
            raise CollageError(f"{path}: {name} is also the name of a measured codec: rename it")
        if not curve.rates or len(curve.rates) != len(curve.psnrs):
            raise CollageError(
                f"{path}: {name} has {len(curve.rates)} bpp and {len(curve.psnrs)} psnr values"
            )
    return curves


def _points_as_json(points: Mapping[str, Sequence[Point]]) -> dict[str, list[dict[str, object]]]:
    return {
        codec: [_point_as_json(point) for point in of_codec] for codec, of_codec in points.items()
    }


def _rates_as_json(rates: Mapping[str, BdRates]) -> dict[str, dict[str, float | None]]:
    return {name: asdict(row) for name, row in rates.items()}


def _point_as_json(point: Point) -> dict[str, object]:
    return {**asdict(point), "psnr": point.psnr if math.isfinite(point.psnr) else None}


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f} %"
