"""The pictures of docs/pictures that explain: `python docs/figures.py [FOLDER] [NAME ...]`.

All are made from photos that scikit-image ships, by the code that the pages describe.
"""

import io
import sys
from bisect import bisect
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from PIL import Image
from skimage import data
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.weights import shipped_weights
from neural_collage.core import isometry
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.blocks import cut, pool
from neural_collage.fractal.pifs import iterate, pifs
from neural_collage.io.reading import read_picture

INK, ORANGE, BLUE = "#1c1c1c", "#e6550d", "#2171b5"


def photo(side: int = 256, left: int = 100, top: int = 0, width: int = 256) -> Tensor:
    """The astronaut (NASA) or a part of it, (3, side, side) in [0, 1]."""
    part = Image.fromarray(data.astronaut()).crop((left, top, left + width, top + width))
    return read_picture(part.resize((side, side), Image.Resampling.BOX)).pixels


def rows(shape: tuple[int, int], width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of plain axes."""
    figure, axes = plt.subplots(
        *shape, figsize=(width, height), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, list(axes.flat)


def show(axis: Axes, picture: Tensor | PixelArray, title: str) -> None:
    """Show a picture (c, h, w), pixel by pixel."""
    pixels = np.asarray(picture).clip(0, 1).transpose(1, 2, 0)
    axis.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_title(title, fontsize=10, color=INK, loc="left")


def frame(axis: Axes, x: float, y: float, side: float, colour: str) -> None:
    """Mark a square."""
    axis.add_patch(
        Rectangle((x - 0.5, y - 0.5), side, side, fill=False, edgecolor=colour, linewidth=2)
    )


def arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow between two points."""
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.2}
    axis.annotate("", xy=end, xytext=start, arrowprops=style)


def mapped() -> Figure:
    """How one range is made of a domain: reduce, turn, scale, add."""
    picture = photo(128).mean(0, keepdim=True)
    size = 16
    code = pifs(picture, range_size=size, domain_size=32, step=8)
    variances = cut(picture, size)[0].var(dim=(-2, -1)).flatten()
    order = (variances * code.weights[0, :, 0].abs()).argsort(descending=True)
    index = int(order[0])
    down, across = (size * int(n) for n in divmod(index, 128 // size))
    y, x = (int(n) for n in code.domains[index, 0])
    turn, weight, bias = (
        int(code.isometries[index, 0]),
        code.weights[0, index, 0],
        code.bias[0, index],
    )
    reduced = pool(picture[:, y : y + 32, x : x + 32], 2)
    turned = isometry.apply(reduced, turn)
    figure, axes = rows((1, 6), 11, 2.4)
    show(axes[0], picture, "picture")
    frame(axes[0], x, y, 32, BLUE)
    frame(axes[0], across, down, size, ORANGE)
    show(axes[1], picture[:, y : y + 32, x : x + 32], "domain, 32 x 32")
    show(axes[2], reduced, "pooled by 2")
    show(axes[3], turned, f"isometry {turn}")
    show(axes[4], weight * turned + bias, f"times {weight:.2f}, plus {bias:.2f}")
    show(axes[5], picture[:, down : down + size, across : across + size], "the range, as it is")
    for axis, colour in ((axes[1], BLUE), (axes[5], ORANGE)):
        frame(axis, 0, 0, 32 if colour == BLUE else size, colour)
    return figure


def converging() -> Figure:
    """Iterates from two starts, and their distance to the fixed point."""
    picture = photo(128)
    code = pifs(picture, range_size=4, domain_size=8, step=4, bound=0.8)
    fixed = code.decode()
    other = photo(128, 256, 256)
    noise = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))
    paths = [iterate(code, 10, start=start) for start in (other, noise)]
    figure = plt.figure(figsize=(11, 3.8), layout="constrained")
    grid = figure.add_gridspec(2, 7, width_ratios=[1] * 5 + [0.1, 2.6])
    steps = (0, 1, 2, 4, 8)
    for row, path in enumerate(paths):
        for column, step in enumerate(steps):
            axis = figure.add_subplot(grid[row, column])
            axis.set_axis_off()
            title = ("start" if step == 0 else f"step {step}") if row == 0 else ""
            show(axis, path[step], title)
    axis = figure.add_subplot(grid[:, 6])
    for name, path in zip(("another picture", "noise"), paths, strict=True):
        distances = [float((z - fixed).abs().max()) for z in path]
        axis.semilogy(range(11), distances, marker="o", markersize=3, label=f"from {name}")
    bound = [0.8**n for n in range(11)]
    axis.semilogy(
        range(11), bound, color=INK, linestyle="--", linewidth=1, label="bound, 0.8 to the n"
    )
    axis.set_xlabel("steps")
    axis.set_title("largest distance to the fixed point", fontsize=10, loc="left")
    axis.legend(fontsize=8, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def theorem() -> Figure:
    """The error of the fixed point over the error of one step, and the bound of the theorem."""
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    bound = 0.8
    for left, colour in ((100, ORANGE), (0, BLUE), (256, "#31a354")):
        picture = photo(128, left, 100 if left != 100 else 0)
        collage_errors, errors = [], []
        for size, step in ((16, 8), (16, 4), (8, 8), (8, 4), (4, 8), (4, 4), (4, 2)):
            code = pifs(picture, range_size=size, domain_size=2 * size, step=step, bound=bound)
            collage_errors.append(float((picture - code.step(picture)).abs().max()))
            errors.append(float((picture - code.decode()).abs().max()))
        axis.scatter(collage_errors, errors, s=22, color=colour)
    ends = np.array([0.0, 1.0])
    axis.plot(ends, ends / (1 - bound), color=INK, linestyle="--", linewidth=1)
    axis.plot(ends, ends, color="#9a9a9a", linewidth=1)
    axis.text(0.2, 0.93, "the bound: five times as large", fontsize=9)
    axis.text(0.62, 0.56, "equal", fontsize=9, color="#606060")
    axis.set(xlim=(0, 1), ylim=(0, 1.02))
    axis.set_xlabel("largest error of one step from the picture, max |x - T x|")
    axis.set_ylabel("largest error of\nthe fixed point")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def scales() -> Figure:
    """One code, decoded at four scales."""
    tiles = nc.fractalize(photo(256), nc.Tiling(tiles=16, contrast=0.4))
    figure, axes = rows((1, 4), 11, 2.9)
    show(axes[0], tiles.decode(0.25), "1/4: 64 x 64")
    show(axes[1], tiles.decode(1), "1: 256 x 256")
    frame(axes[1], 120, 80, 32, ORANGE)
    show(axes[2], tiles.decode(8, (960, 640, 256, 256)), "8: the orange square")
    frame(axes[2], 112, 34, 32, ORANGE)
    show(axes[3], tiles.decode(64, (8576, 5392, 256, 256)), "64: a square of that")
    return figure


def pipeline() -> Figure:
    """What the encoder and the decoder of the neural codec do, one after the other."""
    figure, axis = plt.subplots(figsize=(11, 3.1), layout="constrained")
    axis.set(xlim=(0, 11), ylim=(0, 3.1))
    axis.set_axis_off()
    encode, decode, learned = "#fff3e6", "#e8f1fa", "#f2f2f2"
    boxes = [
        (0.05, 2.0, "picture\nRGB", learned),
        (1.95, 2.0, "analysis\n(network)", encode),
        (3.85, 2.0, "320 latents for\n16 x 16 pixels", learned),
        (5.75, 2.0, "quantise\n(RDOQ)", encode),
        (7.65, 2.0, "range coder", encode),
        (9.55, 2.0, "bytes", learned),
        (9.55, 0.3, "range decoder", decode),
        (7.65, 0.3, "symbols", learned),
        (5.75, 0.3, "times steps", decode),
        (3.85, 0.3, "sum of patches\n32 x 32", decode),
        (1.95, 0.3, "picture\nat 1x", learned),
        (0.05, 0.3, "octaves\nabove 1x", decode),
    ]
    for x, y, text, colour in boxes:
        axis.add_patch(
            FancyBboxPatch(
                (x, y), 1.4, 0.8, "round,pad=0,rounding_size=0.08", fc=colour, ec="#8a8a8a"
            )
        )
        axis.text(x + 0.7, y + 0.4, text, ha="center", va="center", fontsize=9, color=INK)
    for n in range(5):
        arrow(axis, (1.45 + 1.9 * n, 2.4), (1.95 + 1.9 * n, 2.4))
        arrow(axis, (9.55 - 1.9 * n, 0.7), (9.05 - 1.9 * n, 0.7))
    arrow(axis, (10.25, 2.0), (10.25, 1.1))
    axis.text(
        7.0,
        1.55,
        "entropy model: side information and earlier symbols\n"
        "give the probability of each one, in whole numbers",
        ha="center",
        va="center",
        fontsize=9,
        color=INK,
    )
    arrow(axis, (8.35, 1.75), (8.35, 2.0))
    arrow(axis, (9.3, 1.55), (9.9, 1.1))
    axis.text(0.05, 2.92, "encoder", fontsize=9, color=ORANGE)
    axis.text(0.05, 1.22, "decoder, without torch", fontsize=9, color=BLUE)
    return figure


def patches() -> Figure:
    """The first patches of the shipped weights."""
    bank = shipped_weights("natural").decoder().bank.patches.astype(np.float64)
    figure, axes = rows((4, 16), 11, 3.1)
    for axis, patch in zip(axes, bank, strict=False):
        show(axis, 0.5 + 0.5 * patch / np.abs(patch).max(), "")
    return figure


def partial() -> Figure:
    """What the first bytes of a file show."""
    file = nc.compress(Image.fromarray(data.astronaut()).crop((0, 0, 512, 384)), quality=60)
    figure, axes = rows((1, 4), 11, 2.5)
    for axis, share in zip(axes, (0.3, 0.5, 0.8, 1), strict=True):
        length = round(share * len(file))
        picture = nc.decompress(file[:length], partial=share < 1)
        show(
            axis,
            picture,
            f"{length:,} of {len(file):,} bytes" if share < 1 else f"all {len(file):,}",
        )
    return figure


def octaves() -> Figure:
    """A part of a photo at four times its size: pixels, interpolated, with detail."""
    image = nc.encode(Image.fromarray(data.astronaut()), quality=80)
    x, y, side = 182, 92, 48
    window = (4 * x, 4 * y, 4 * side, 4 * side)
    figure, axes = rows((1, 4), 11, 3)
    show(axes[0], image.decode(1, (x, y, side, side)), "pixels at 1x")
    show(axes[1], image.decode(4, window, detail="none"), "4x, average interpolation")
    show(axes[2], image.decode(4, window, detail="full"), "4x, with detail")
    averages = pool(torch.from_numpy(image.decode(4, window, detail="full").copy()), 4)
    show(axes[3], averages, "averages of the detail: the pixels")
    return figure


def opening() -> Figure:
    """A photo in files of the same bytes, a window of ours at 8x, and the photo made of itself."""
    original = Image.fromarray(data.astronaut())
    file = nc.compress(original, quality=45)
    x, y, side = 130, 10, 170
    part, near = (x, y, side, side), (186, 76)
    own = nc.decompress(file, region=part)
    figure, axes = rows((2, 3), 10.5, 7.6)
    photograph = read_picture(original).pixels
    show(axes[0], photograph[:, y : y + side, x : x + side], "part of a photo of 512 x 512 pixels")
    show(axes[1], own, f"neural-collage, {len(file):,} bytes")
    frame(axes[1], near[0] - x, near[1] - y, 45, "#ffe14d")
    window = nc.decompress(file, scale=8, region=(8 * near[0], 8 * near[1], 360, 360))
    show(axes[2], window, "the square, decoded at 8x")
    for axis, name in ((axes[3], "JPEG"), (axes[4], "AVIF")):
        other = largest_within(original, name, len(file))
        with Image.open(io.BytesIO(other)) as decoded:
            pixels = read_picture(decoded.convert("RGB")).pixels
        show(axis, pixels[:, y : y + side, x : x + side], f"{name}, {len(other):,} bytes")
    fractal = nc.fractalize(original, nc.Tiling(tiles=48))
    show(axes[5], fractal.decode(1), "made of copies of itself")
    return figure


def largest_within(picture: Image.Image, name: str, size: int) -> bytes:
    """The file of the best quality that Pillow writes in some format within `size` bytes."""

    def encoded(quality: int) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, name, quality=quality, optimize=True)
        return buffer.getvalue()

    best = bisect(range(1, 96), size, key=lambda quality: len(encoded(quality)))
    return encoded(best)


FIGURES: dict[str, Callable[[], Figure]] = {
    "opening": opening,
    "map": mapped,
    "converging": converging,
    "theorem": theorem,
    "scales": scales,
    "pipeline": pipeline,
    "patches": patches,
    "partial": partial,
    "octaves": octaves,
}


def main() -> None:
    """Write some figures, or all, into a folder, which is docs/pictures by default."""
    mpl.use("Agg")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or FIGURES:
        figure, buffer = FIGURES[name](), io.BytesIO()
        figure.savefig(buffer, dpi=130, format="png")
        plt.close(figure)
        with Image.open(buffer) as drawn:
            drawn.convert("RGB").save(folder / f"{name}.webp", quality=88, method=6)


if __name__ == "__main__":
    main()
