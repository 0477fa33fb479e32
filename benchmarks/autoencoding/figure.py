"""The figures of `benchmarks.autoencoding`: learning curves and reconstructions."""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from benchmarks.autoencoding.report import Curve
from neural_collage.evaluation.plots import INK, PALE, style_axes
from neural_collage.io.writing import to_pil

# Warm for collages, cold for the others, as in the rate-distortion figure.
COLOURS = ("#D55E00", "#7A2E00", "#0072B2", "#009E73")
PANEL, GAP, CAPTION = 128, 4, 18


def curves_figure(curves: Mapping[str, Curve], averages: float) -> Figure:
    """PSNR over steps, a curve per model; a dashed line at the PSNR of range averages."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (title, curve), colour in zip(curves.items(), COLOURS, strict=False):
        steps, psnrs = zip(*curve, strict=True)
        axes.plot(steps, psnrs, color=colour, marker="o", markersize=3, label=title)
    axes.axhline(averages, color=PALE, linewidth=0.9, linestyle="--", label="averages of ranges")
    style_axes(axes, "Denoising autoencoding", "steps", "PSNR on held-out crops (dB)")
    axes.legend(frameon=False, labelcolor=INK, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def pictures_sheet(rows: Mapping[str, Tensor]) -> Image.Image:
    """A column for each entry of `rows`: its title above its pictures (n, c, h, w), enlarged."""
    count = len(next(iter(rows.values())))
    step = PANEL + GAP
    sheet = Image.new("RGB", (len(rows) * step + GAP, count * step + GAP + CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for column, (title, pictures) in enumerate(rows.items()):
        draw.text((column * step + GAP, GAP), title, fill=INK, font=font)
        for row, picture in enumerate(torch.clamp(pictures, 0, 1)):
            panel = to_pil(picture).resize((PANEL, PANEL), Image.Resampling.NEAREST)
            sheet.paste(panel, (column * step + GAP, row * step + GAP + CAPTION))
    return sheet
