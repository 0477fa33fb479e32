"""Compress a photo, decode it at 1x and at 4x, and show the results side by side.

    python examples/demo.py [PHOTO] [--quality 75] [--out demo]

Writes photo.clg, decoded.png, decoded-4x.png and demo.png.
"""

import argparse
import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

import neural_collage as nc
from neural_collage.evaluation.metrics import psnr
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil

DETAIL = 64
"""Side of the square shown enlarged, in pixels of the photo."""
INK, FRAME = "#1c1c1c", "#ffe14d"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compress a photo and decode it at 1x and 4x.")
    parser.add_argument("photo", nargs="?", help="default: scikit-image's astronaut")
    parser.add_argument("--quality", type=int, default=75, help="1..100")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the results")
    options = parser.parse_args()
    try:
        demonstrate(options.photo, options.quality, options.out)
    except nc.CollageError as error:
        sys.exit(f"demo: {error}")


def demonstrate(photo: str | None, quality: int, out: Path) -> None:
    """Write the results, and print bytes, bits per pixel, PSNR and times."""
    picture = read_picture(photo if photo is not None else astronaut())
    original = to_pil(picture.pixels, picture.icc_profile).convert("RGB")

    started = time.perf_counter()
    collage = nc.encode(original, quality=quality)
    encoded = time.perf_counter()
    decoded = collage.to_pil()
    decoded_at_1x = time.perf_counter()
    enlarged = collage.to_pil(scale=4)
    decoded_at_4x = time.perf_counter()

    out.mkdir(parents=True, exist_ok=True)
    nc.save(collage, out / "photo.clg")
    decoded.save(out / "decoded.png")
    enlarged.save(out / "decoded-4x.png")
    size = (out / "photo.clg").stat().st_size
    bits = 8 * size / (collage.width * collage.height)
    quality_db = psnr(np.asarray(original), np.asarray(decoded))
    caption = f"{size:,} bytes, {bits:.2f} bpp, {quality_db:.2f} dB"
    show(original, decoded, enlarged, caption).savefig(out / "demo.png")

    for name, text in {
        "photo": f"{photo or 'astronaut'}, {collage.width} x {collage.height}",
        "size": f"{size:,} bytes, {bits:.3f} bits per pixel at quality {quality}",
        "PSNR": f"{quality_db:.2f} dB",
        "encode": f"{encoded - started:.2f} s",
        "decode 1x": f"{1000 * (decoded_at_1x - encoded):.0f} ms",
        "decode 4x": f"{1000 * (decoded_at_4x - decoded_at_1x):.0f} ms",
        "see": out / "demo.png",
    }.items():
        print(f"{name:10} {text}")


def astronaut() -> Image.Image:
    """A public-domain photo of NASA that scikit-image ships."""
    from skimage import data

    return Image.fromarray(data.astronaut())


def show(
    original: Image.Image, decoded: Image.Image, enlarged: Image.Image, caption: str
) -> Figure:
    """Original and decode above, a detail of the 4x decode beside a bicubic enlargement below.

    The bicubic enlargement is of the 1x decode: both start from the same bits.
    """
    x, y, side = most_detailed_square(np.asarray(original.convert("L"), dtype=np.float32))
    detail = enlarged.crop((4 * x, 4 * y, 4 * (x + side), 4 * (y + side)))
    bicubic = decoded.crop((x, y, x + side, y + side)).resize(detail.size, Image.Resampling.BICUBIC)

    mpl.use("Agg")
    height = 5.2 * original.height / original.width
    figure, axes = plt.subplots(
        2, 2, figsize=(11, height + 6.2), dpi=150, height_ratios=[height, 5.2], layout="constrained"
    )
    panels = (
        ("Original", original),
        (f"Collage, {caption}", decoded),
        ("Detail of the collage decoded at 4x", detail),
        ("The same detail of the 1x decode, enlarged bicubically", bicubic),
    )
    for axis, (title, image) in zip(axes.flat, panels, strict=True):
        axis.set_title(title, fontsize=11, color=INK, loc="left")
        axis.set_axis_off()
        axis.imshow(np.asarray(image), interpolation="nearest" if axis in axes[1] else "auto")
    for axis in axes[0]:
        frame(axis, x, y, side)
    return figure


def frame(axis: Axes, x: int, y: int, side: int) -> None:
    """Mark the detail with a bright line on a dark one, which is visible on any photo."""
    for colour, width in ((INK, 3.5), (FRAME, 1.5)):
        axis.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=colour, linewidth=width))


def most_detailed_square(luma: npt.NDArray[np.float32]) -> tuple[int, int, int]:
    """(x, y, side) of the square with the largest sum of gradients, inside the middle half."""
    height, width = luma.shape
    side = min(DETAIL, height, width)
    edges = np.hypot(*np.gradient(luma)) if side > 1 else np.zeros_like(luma)
    sums = np.pad(edges.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows = sums[side:] - sums[:-side]
    energy = rows[:, side:] - rows[:, :-side]
    top, left = energy.shape[0] // 4, energy.shape[1] // 4
    middle = energy[top : energy.shape[0] - top, left : energy.shape[1] - left]
    y, x = np.unravel_index(middle.argmax(), middle.shape)
    return left + int(x), top + int(y), side


if __name__ == "__main__":
    main()
