"""The rate-distortion figure: our codecs, other measured codecs and published curves."""

import math
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

from neural_collage.evaluation.bd_rate import Curve
from neural_collage.extras import needs_extra

with needs_extra("bench"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

# Colours that are dark enough for text on white, from the palettes of Okabe & Ito and of Tol, which
# are safe for colour-blind readers. Warm colours are for our codecs.
_OUR_COLOURS = ("#D55E00", "#7A2E00", "#E69F00")
_PEER_COLOURS = ("#0072B2", "#009E73", "#AA3377", "#332288", "#999933")
INK, PALE, _GRID = "#333333", "#8A8A8A", "#EAEAEA"

_RATES = (0.04, 2.5)
"""Lowest and highest rate in bits per pixel; points outside are not shown."""
_RATE_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2)


class Savings(NamedTuple):
    """BD-rates of one codec against other curves, for the legend of the figure.

    rate_range: in bits per pixel. percent: BD-rate by name of the other curve; negative is better.
    """

    codec: str
    rate_range: tuple[float, float]
    percent: Mapping[str, float]


class _Style(NamedTuple):
    colour: str
    width: float
    marker: str | None
    layer: int


def rate_distortion_figure(
    curves: Mapping[str, Curve],
    *,
    title: str,
    ours: Collection[str] = (),
    anchors: Mapping[str, Curve] | None = None,
    savings: Savings | None = None,
) -> Figure:
    """PSNR over bits per pixel, each curve labelled at its right end.

    curves: measured curves by name; those named in `ours` are emphasised.
    anchors: published curves, drawn thin and grey behind the others.
    savings: BD-rates to list in the upper left corner, which rising curves leave free.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    shown = {name: _visible(curve) for name, curve in {**(anchors or {}), **curves}.items()}
    shown = {name: curve for name, curve in shown.items() if curve.rates}
    styles = _styles(shown, ours, anchors or {})
    for name, curve in shown.items():
        style = styles[name]
        axes.plot(
            *curve,
            color=style.colour,
            linewidth=style.width,
            marker=style.marker,
            markersize=2.2 * style.width,
            zorder=style.layer,
        )
    _format_axes(axes, title)
    _label_ends(axes, shown, styles)
    if savings and savings.codec in styles:
        _list_savings(axes, savings, styles[savings.codec].colour)
    return figure


def rendered(figure: Figure, kind: str) -> bytes:
    """The figure as a file; `kind` is "png" or "svg"."""
    file = BytesIO()
    figure.savefig(file, format=kind, dpi=200, facecolor="white")
    return file.getvalue()


def _visible(curve: Curve) -> Curve:
    points = [
        (rate, psnr)
        for rate, psnr in sorted(zip(*curve, strict=True))
        if _RATES[0] <= rate <= _RATES[1] and math.isfinite(psnr)
    ]
    return Curve([rate for rate, _ in points], [psnr for _, psnr in points])


def _styles(
    names: Collection[str], ours: Collection[str], anchors: Collection[str]
) -> dict[str, _Style]:
    our_colours, peer_colours = iter(_OUR_COLOURS), iter(_PEER_COLOURS)
    styles: dict[str, _Style] = {}
    for name in names:
        if name in ours:
            styles[name] = _Style(next(our_colours, INK), 2.6, "o", 4)
        elif name in anchors:
            styles[name] = _Style(PALE, 0.9, None, 2)
        else:
            styles[name] = _Style(next(peer_colours, INK), 1.5, "o", 3)
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


def _format_axes(axes: Axes, title: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_RATE_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    style_axes(axes, title, "bits per pixel", "PSNR (dB)")


def _label_ends(axes: Axes, curves: Mapping[str, Curve], styles: Mapping[str, _Style]) -> None:
    """Write each name right of the plot, at the height of its curve's end, without overlaps."""
    bottom, top = axes.get_ylim()
    spacing = 0.046 * (top - bottom)
    names = sorted(curves, key=lambda name: curves[name].psnrs[-1])
    heights = _spread([curves[name].psnrs[-1] for name in names], spacing)
    for name, height in zip(names, heights, strict=True):
        style, curve = styles[name], curves[name]
        axes.annotate(
            name,
            xy=(curve.rates[-1], curve.psnrs[-1]),
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


def _lowest(group: Sequence[float], spacing: float) -> float:
    return sum(group) / len(group) - spacing * (len(group) - 1) / 2
