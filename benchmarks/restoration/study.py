"""Restoration by collages beside plain methods: holes, noise, enlargement, and morphs.

    python -m benchmarks.restoration --images kodak

Holes of three kinds (random pixels, squares, text) are filled by `art.inpainting`, with the
mean of the picture, and by scikit-image's biharmonic functions; noise of three strengths is taken
away by `art.denoising` and by the Gaussian blur that is best for the picture, which only who
has the clean picture can choose; halved pictures are enlarged by their collages and by bicubic
interpolation. A morph has no truth: its PSNR is against the cross-fade, and tells how far from it
the fixed point is. Writes restoration.json and restoration.md.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import torch
import typer
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

import neural_collage as nc
from benchmarks.speed.study import RESULTS
from benchmarks.support.neural import photo_files
from neural_collage.art.denoising import clean
from neural_collage.art.inpainting import fill
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.report import markdown_table
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil

NOISES = (15, 25, 50)
"""Standard deviations in levels of 0 to 255."""
_TEXT = "self-similarity "


@dataclass(frozen=True)
class Comparison:
    """One task on one picture, or the mean of several: PSNR in dB.

    baselines: by name. seconds: that the collage took.
    """

    task: str
    collage: float
    baselines: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Restoration:
    """All results."""

    command: str
    environment: Environment
    means: Sequence[Comparison]
    pictures: Mapping[str, Sequence[Comparison]]


def main(
    images: Annotated[Path, typer.Option(help="A folder of pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = RESULTS,
    jobs: Annotated[int, typer.Option(help="Pictures at once.")] = 1,
) -> None:
    """Compare; writes restoration.json and restoration.md."""
    paths = photo_files(images)
    others = [*paths[1:], paths[0]]  # what a picture is morphed into
    with ProcessPoolExecutor(jobs) as pool:
        found = dict(zip([p.name for p in paths], pool.map(measure, paths, others), strict=True))
    result = Restoration(
        command=f"python -m benchmarks.restoration --images {images.resolve().name}",
        environment=Environment.current(),
        means=[mean(rows) for rows in zip(*found.values(), strict=True)],
        pictures=found,
    )
    output.mkdir(parents=True, exist_ok=True)
    (output / "restoration.json").write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
    (output / "restoration.md").write_text(to_markdown(result), encoding="utf-8")
    typer.echo(to_markdown(result))


def measure(path: Path, other: Path) -> list[Comparison]:
    """All tasks on one picture."""
    torch.set_num_threads(1)
    pixels = read_picture(path).pixels[:3]
    return [
        *(filling(kind, pixels, make(*pixels.shape[1:])) for kind, make in HOLES.items()),
        *(cleaning(pixels, noise) for noise in NOISES),
        enlarging(pixels),
        morphing(pixels, read_picture(other).pixels[:3]),
    ]


def random_holes(height: int, width: int) -> Bool[Tensor, "h w"]:
    """30 % of all pixels."""
    return torch.rand(height, width, generator=torch.Generator().manual_seed(0)) < 0.3


def square_holes(height: int, width: int) -> Bool[Tensor, "h w"]:
    """Squares of 24 pixels, 120 apart."""
    rows, columns = (torch.arange(n) % 120 // 24 == 2 for n in (height, width))
    return rows[:, None] & columns


def text_holes(height: int, width: int) -> Bool[Tensor, "h w"]:
    """Lines of large letters."""
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    for number, top in enumerate(range(10, height, 60)):
        draw.text((-20 * number, top), _TEXT * (1 + width // 90), 255, font_size=28)
    return read_picture(mask).pixels[0] > 0.5


HOLES: dict[str, Callable[[int, int], Tensor]] = {
    "fill 30 % of pixels": random_holes,
    "fill squares of 24 pixels": square_holes,
    "fill text": text_holes,
}


def filling(task: str, pixels: Float[Tensor, "3 h w"], unknown: Bool[Tensor, "h w"]) -> Comparison:
    """PSNR in the holes."""
    known = torch.where(unknown, 0, pixels)
    mean = (known.sum((1, 2)) / (~unknown).sum())[:, None, None].expand_as(pixels)
    smooth = inpaint_biharmonic(
        known.permute(1, 2, 0).numpy(), unknown.numpy(), split_into_regions=True, channel_axis=-1
    )
    smooth = torch.from_numpy(np.asarray(smooth)).permute(2, 0, 1).clamp(0, 1)
    start = time.perf_counter()
    filled = fill(known, unknown)
    seconds = time.perf_counter() - start
    inside = partial(_psnr, pixels[:, unknown])
    return Comparison(
        task,
        inside(filled[:, unknown]),
        {"mean": inside(mean[:, unknown]), "biharmonic": inside(smooth[:, unknown])},
        seconds,
    )


def cleaning(pixels: Float[Tensor, "3 h w"], levels: int) -> Comparison:
    """White noise, of which the strength is known."""
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(levels))
    noisy = pixels + levels / 255 * noise
    blurred = [
        gaussian_filter(noisy.numpy(), (0, sigma, sigma), mode="nearest")
        for sigma in (0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
    ]
    start = time.perf_counter()
    cleaned = clean(noisy, levels / 255)
    seconds = time.perf_counter() - start
    best = max(_psnr(pixels, torch.from_numpy(b).clamp(0, 1)) for b in blurred)
    return Comparison(
        f"noise of {levels} levels",
        _psnr(pixels, cleaned),
        {"as it was": _psnr(pixels, noisy), "best Gaussian blur": best},
        seconds,
    )


def enlarging(pixels: Float[Tensor, "3 h w"]) -> Comparison:
    """From half the size."""
    height, width = (side // 2 * 2 for side in pixels.shape[1:])
    full = to_pil(pixels[:, :height, :width])
    half = full.reduce(2)
    bicubic = half.resize(full.size, Image.Resampling.BICUBIC)
    start = time.perf_counter()
    larger = nc.enlarge(half, 2)
    seconds = time.perf_counter() - start
    truth = read_picture(full).pixels
    return Comparison(
        "enlarge by 2",
        _psnr(truth, larger),
        {"bicubic": _psnr(truth, read_picture(bicubic).pixels)},
        seconds,
    )


def morphing(pixels: Float[Tensor, "3 h w"], other: Float[Tensor, "3 _ _"]) -> Comparison:
    """Half way to another picture, cut to the same size; against the cross-fade."""
    height, width = (min(sides) for sides in zip(pixels.shape[1:], other.shape[1:], strict=True))
    first, last = (
        nc.encode(picture[:, :height, :width].contiguous(), codec="fractal", quality=75)
        for picture in (pixels, other)
    )
    start = time.perf_counter()
    between = nc.morph(first, last, 0.5)
    seconds = time.perf_counter() - start
    faded = torch.lerp(first.decode(), last.decode(), 0.5)
    return Comparison("morph, half way", _psnr(faded, between), {}, seconds)


def mean(rows: Sequence[Comparison]) -> Comparison:
    """Over pictures."""
    return Comparison(
        rows[0].task,
        fmean(row.collage for row in rows),
        {name: fmean(row.baselines[name] for row in rows) for name in rows[0].baselines},
        fmean(row.seconds for row in rows),
    )


def to_markdown(result: Restoration) -> str:
    """The means as a table, and where the collage loses."""
    rows = []
    for row in result.means:
        plain = max(row.baselines, key=lambda name: row.baselines[name], default=None)
        rows.append(
            [
                row.task,
                f"{row.collage:.2f}",
                ", ".join(f"{name} {value:.2f}" for name, value in row.baselines.items()) or "–",
                "–" if plain is None else f"{row.collage - row.baselines[plain]:+.2f}",
                f"{row.seconds:.1f}",
            ]
        )
    lost = [
        f"{row.task} ({name})"
        for row in result.means
        for name, value in row.baselines.items()
        if value > row.collage
    ]
    header = ["", "collage (dB)", "plain (dB)", "over the best of these (dB)", "seconds"]
    return f"""# Restoration

    {result.command}

Mean PSNR of {len(result.pictures)} pictures, of holes inside of them, one thread. The morph is
compared with the cross-fade, which is no truth.

{markdown_table(header, rows)}

The collage loses at: {", ".join(lost) or "nothing here"}.

Machine: {result.environment}.
"""


def _psnr(truth: Tensor, test: Tensor) -> float:
    return float(-10 * (truth - test).double().square().mean().log10())


if __name__ == "__main__":
    typer.run(main)
