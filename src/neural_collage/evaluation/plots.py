"""The rate-distortion figure: our codecs, other measured codecs and published curves."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import cycle
from typing import NamedTuple, TypeAlias

from neural_collage.evaluation.bd_rate import Curve
from neural_collage.extras import needs_extra

with needs_extra("bench"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

# Colours that are dark enough for text on white, from the palettes of Okabe & Ito and of Tol, which
# are safe for colour-blind readers. Warm colours are for our codecs.
_OUR_COLOURS = ("#D55E00", "#7A2E00", "#E69F00", "#C1272D")
_PEER_COLOURS = ("#0072B2", "#009E73", "#AA3377", "#332288", "#999933", "#117799")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.5, 1.5)))
INK, PALE, _GRID = "#333333", "#8A8A8A", "#EAEAEA"

_RATES = (0.05, 3)
"""Lowest and highest rate in bits per pixel, both with `_MARGIN`; points outside are not shown."""
_MARGIN = 1.05
_RATE_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 3)
_LABEL_HEIGHT = 0.2
"""Inches between the labels of curves."""
_AROUND = 0.85
"""Inches of the figure's height that are not the plot's."""


class Savings(NamedTuple):
    """BD-rates of one codec against other curves, for the legend of the figure.

    rate_range: in bits per pixel. percent: BD-rate by name of the other curve; negative is better.
    """

    codec: str
    rate_range: tuple[float, float]
    percent: Mapping[str, float]


_Dashes: TypeAlias = str | tuple[float, tuple[float, ...]]


class _Style(NamedTuple):
    colour: str
    width: float
    marker: str | None
    layer: int
    dashes: _Dashes = "-"


def rate_distortion_figure(
    curves: Mapping[str, Curve],
    *,
    title: str,
    metric: str = "PSNR (dB)",
    floor: float = -math.inf,
    ours: Collection[str] = (),
    anchors: Mapping[str, Curve] | None = None,
    savings: Savings | None = None,
) -> Figure:
    """A metric over bits per pixel, each curve labelled at its right end.

    curves: measured curves by name; those named in `ours` are emphasised. Variants of a format,
        named as in "avif" and "avif-444", have one colour and differ in dashes.
    metric: its label. floor: values below are not shown.
    anchors: published curves, drawn thin and grey behind the others.
    savings: BD-rates to list in the upper left corner, which rising curves leave free.
    """
    shown = {name: _visible(curve) for name, curve in {**(anchors or {}), **curves}.items()}
    shown = {name: curve for name, curve in shown.items() if curve.rates}
    height = max(5, 1 + _LABEL_HEIGHT * len(shown))
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.add_subplot()
    styles = _styles(shown, ours, anchors or {})
    for name, curve in shown.items():
        style = styles[name]
        axes.plot(
            *curve,
            color=style.colour,
            linewidth=style.width,
            linestyle=style.dashes,
            marker=style.marker,
            markersize=2.2 * style.width,
            zorder=style.layer,
        )
    if axes.get_ylim()[0] < floor:
        axes.set_ylim(bottom=floor)
    _format_axes(axes, title, metric)
    _label_ends(axes, shown, styles, _LABEL_HEIGHT / (height - _AROUND))
    if savings and savings.codec in styles:
        _list_savings(axes, savings, styles[savings.codec].colour)
    return figure


def rendered(figure: Figure, kind: str) -> bytes:
    """The figure as a file; `kind` is "png" or "svg"."""
    file = BytesIO()
    figure.savefig(file, format=kind, dpi=200, facecolor="white")
    return file.getvalue()


def _visible(curve: Curve) -> Curve:
    low, high = _RATES[0] / _MARGIN, _RATES[1] * _MARGIN
    points = [
        (rate, value)
        for rate, value in sorted(zip(*curve, strict=True))
        if low <= rate <= high and math.isfinite(value)
    ]
    return Curve([rate for rate, _ in points], [value for _, value in points])


def _styles(
    names: Collection[str], ours: Collection[str], anchors: Collection[str]
) -> dict[str, _Style]:
    our_colours, peer_colours = iter(_OUR_COLOURS), iter(_PEER_COLOURS)
    formats: dict[str, tuple[str, Iterator[_Dashes]]] = {}
    styles: dict[str, _Style] = {}
    for name in names:
        if name in ours:
            styles[name] = _Style(next(our_colours, INK), 2.6, "o", 4)
        elif name in anchors:
            styles[name] = _Style(PALE, 0.9, None, 2)
        else:
            family = name.partition("-")[0]
            if family not in formats:
                formats[family] = (next(peer_colours, INK), cycle(_DASHES))
            colour, dashes = formats[family]
            styles[name] = _Style(colour, 1.5, "o", 3, next(dashes))
    return styles


def style_axes(axes: Axes, title: str, across: str, up: str) -> None:
    """The look of all figures: a title, names of both axes, a pale grid, no frame."""
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.tick_params(colors=INK, length=0, labelsize=10)
    axes.set_title(title, loc="left", color=INK, fontsize=12)
    axes.set_xlabel(across, color=INK, fontsize=11)
    axes.set_ylabel(up, color=INK, fontsize=11)


def _format_axes(axes: Axes, title: str, metric: str) -> None:
    axes.set_xscale("log")
    axes.set_xlim(_RATES[0] / _MARGIN, _RATES[1] * _MARGIN)
    axes.xaxis.set_major_locator(FixedLocator(_RATE_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    style_axes(axes, title, "bits per pixel", metric)


def _label_ends(
    axes: Axes, curves: Mapping[str, Curve], styles: Mapping[str, _Style], share: float
) -> None:
    """Write each name right of the plot, at the height of its curve's end, without overlaps.

    share: of the plot's height, between two names.
    """
    bottom, top = axes.get_ylim()
    spacing = share * (top - bottom)
    names = sorted(curves, key=lambda name: curves[name].values[-1])
    heights = _lowered(_spread([curves[name].values[-1] for name in names], spacing), spacing, top)
    for name, height in zip(names, heights, strict=True):
        style, curve = styles[name], curves[name]
        axes.annotate(
            name,
            xy=(curve.rates[-1], curve.values[-1]),
            xytext=(1.04, height),
            textcoords=axes.get_yaxis_transform(),
            color=style.colour,
            fontsize=11 if style.layer > 2 else 9,
            fontweight="bold" if style.layer == 4 else "normal",
            verticalalignment="center",
            arrowprops={
                "arrowstyle": "-",
                "color": style.colour,
                "linewidth": 0.6,
                "alpha": 0.5,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )


def _list_savings(axes: Axes, savings: Savings, colour: str) -> None:
    """List BD-rates in the upper left corner, the largest saving first."""
    low, high = savings.rate_range
    rows = sorted(savings.percent.items(), key=lambda row: row[1])
    # Numbers are aligned with the figure space U+2007, which is as wide as a digit.
    figures = [f"{percent:+.0f}".replace("-", "\N{MINUS SIGN}") for _, percent in rows]
    width = max(map(len, figures))
    lines = [
        f"{number.rjust(width, chr(0x2007))} %  {name}"
        for number, (name, _) in zip(figures, rows, strict=True)
    ]
    heading = f"{savings.codec}: BD-rate at {low:g} to {high:g} bpp, against"
    texts = ((heading, -4, colour, "bold"), ("\n".join(lines), -19, INK, "normal"))
    for text, below, ink, weight in texts:
        axes.annotate(
            text,
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(8, below),
            textcoords="offset points",
            verticalalignment="top",
            color=ink,
            fontsize=9,
            fontweight=weight,
            linespacing=1.35,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
            zorder=1,  # above the grid, below the curves
        )


def _spread(values: Sequence[float], spacing: float) -> list[float]:
    """Move rising values apart to at least `spacing`.

    Values that are too close form a group, which is spaced evenly around its mean.
    """
    groups: list[list[float]] = []
    for value in values:
        groups.append([value])
        while len(groups) > 1 and _lowest(groups[-1], spacing) < (
            _lowest(groups[-2], spacing) + len(groups[-2]) * spacing
        ):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [
        _lowest(group, spacing) + index * spacing for group in groups for index in range(len(group))
    ]


def _lowered(heights: Sequence[float], spacing: float, top: float) -> list[float]:
    """Rising heights, moved down as far as they must be for none to lie above `top`."""
    room = [top - spacing * index for index in reversed(range(len(heights)))]
    return [min(height, most) for height, most in zip(heights, room, strict=True)]


def _lowest(group: Sequence[float], spacing: float) -> float:
    return sum(group) / len(group) - spacing * (len(group) - 1) / 2
