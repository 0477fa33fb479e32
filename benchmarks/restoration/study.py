"""Restoration by collages beside standard methods: inpainting, denoising, enlargement, morphing.

    python -m benchmarks.restoration --images data/kodak

Holes of three kinds (random pixels, squares, text) are filled by `art.inpainting`, with the mean of
the known pixels, and by scikit-image's biharmonic inpainting. Noise of three strengths is removed
by `art.denoising` and by the Gaussian blur of highest PSNR, which is chosen with the clean picture
and thus an upper bound. Halved pictures are enlarged by their collages and by bicubic
interpolation. There is no ground truth for a morph: its PSNR is relative to the cross-fade and
shows how much the two differ. Writes restoration.json and restoration.md.
"""

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
from benchmarks.support.commands import shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.photos import photo_files
from benchmarks.support.results import RESULTS, write_results
from benchmarks.support.timing import timed
from neural_collage.art.denoising import clean
from neural_collage.art.inpainting import fill
from neural_collage.core.metrics import psnr_of
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil
from neural_collage.runtime import use_threads

NOISES = (15, 25, 50)
"""Standard deviations in 8-bit levels."""
_TEXT = "self-similarity "


@dataclass(frozen=True)
class Comparison:
    """PSNR in dB of one task on one picture, or means over several pictures.

    baselines: PSNR of the other methods by name. seconds: time of the collage method.
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
    images: Annotated[Path, typer.Option(help="A folder of pictures.")] = Path("data/kodak"),
    output: OutputFolder = RESULTS,
    jobs: Annotated[int, typer.Option(help="Pictures measured at a time.")] = 1,
) -> None:
    """Measure restoration; writes restoration.json and restoration.md."""
    paths = photo_files(images)
    others = [*paths[1:], paths[0]]  # each picture is morphed into the next
    with ProcessPoolExecutor(jobs) as pool:
        found = dict(zip([p.name for p in paths], pool.map(measure, paths, others), strict=True))
    result = Restoration(
        command=f"python -m benchmarks.restoration --images {shown_path(images)}",
        environment=Environment.current(),
        means=[mean(rows) for rows in zip(*found.values(), strict=True)],
        pictures=found,
    )
    write_results(output, "restoration", asdict(result), to_markdown(result))
    typer.echo(to_markdown(result))


def measure(path: Path, other: Path) -> list[Comparison]:
    """All tasks on one picture."""
    use_threads(1)
    pixels = read_picture(path).pixels[:3]
    return [
        *(inpainting(task, pixels, mask(*pixels.shape[1:])) for task, mask in HOLES.items()),
        *(denoising(pixels, noise) for noise in NOISES),
        enlarging(pixels),
        morphing(pixels, read_picture(other).pixels[:3]),
    ]


def random_holes(height: int, width: int) -> Bool[Tensor, "h w"]:
    """A mask of 30 % of all pixels."""
    return torch.rand(height, width, generator=torch.Generator().manual_seed(0)) < 0.3


def square_holes(height: int, width: int) -> Bool[Tensor, "h w"]:
    """A mask of squares of 24 pixels, 120 apart."""
    rows, columns = (torch.arange(n) % 120 // 24 == 2 for n in (height, width))
    return rows[:, None] & columns


def text_holes(height: int, width: int) -> Bool[Tensor, "h w"]:
    """A mask of lines of text in letters of 28 pixels."""
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


def inpainting(
    task: str, pixels: Float[Tensor, "3 h w"], unknown: Bool[Tensor, "h w"]
) -> Comparison:
    """PSNR in the unknown pixels."""
    known = torch.where(unknown, 0, pixels)
    mean = (known.sum((1, 2)) / (~unknown).sum())[:, None, None].expand_as(pixels)
    smooth = inpaint_biharmonic(
        known.permute(1, 2, 0).numpy(), unknown.numpy(), split_into_regions=True, channel_axis=-1
    )
    smooth = torch.from_numpy(np.asarray(smooth)).permute(2, 0, 1).clamp(0, 1)
    seconds, filled = timed(partial(fill, known, unknown))
    inside = partial(_psnr, pixels[:, unknown])
    return Comparison(
        task,
        inside(filled[:, unknown]),
        {"mean": inside(mean[:, unknown]), "biharmonic": inside(smooth[:, unknown])},
        seconds,
    )


def denoising(pixels: Float[Tensor, "3 h w"], levels: int) -> Comparison:
    """PSNR after white noise of a known standard deviation is removed."""
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(levels))
    noisy = pixels + levels / 255 * noise
    blurred = [
        gaussian_filter(noisy.numpy(), (0, sigma, sigma), mode="nearest")
        for sigma in (0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
    ]
    seconds, cleaned = timed(partial(clean, noisy, levels / 255))
    best = max(_psnr(pixels, torch.from_numpy(b).clamp(0, 1)) for b in blurred)
    return Comparison(
        f"noise of {levels} levels",
        _psnr(pixels, cleaned),
        {"as it was": _psnr(pixels, noisy), "best Gaussian blur": best},
        seconds,
    )


def enlarging(pixels: Float[Tensor, "3 h w"]) -> Comparison:
    """PSNR of an enlargement from half the size."""
    height, width = (side // 2 * 2 for side in pixels.shape[1:])
    full = to_pil(pixels[:, :height, :width])
    half = full.reduce(2)
    bicubic = half.resize(full.size, Image.Resampling.BICUBIC)
    seconds, enlarged = timed(partial(nc.enlarge, half, 2))
    original = read_picture(full).pixels
    return Comparison(
        "enlarge by 2",
        _psnr(original, enlarged),
        {"bicubic": _psnr(original, read_picture(bicubic).pixels)},
        seconds,
    )


def morphing(pixels: Float[Tensor, "3 h w"], other: Float[Tensor, "3 _ _"]) -> Comparison:
    """PSNR of a morph half way to another picture, both cropped to one size, to the cross-fade."""
    height, width = (min(sides) for sides in zip(pixels.shape[1:], other.shape[1:], strict=True))
    first, last = (
        nc.encode(picture[:, :height, :width].contiguous(), codec="fractal", quality=75)
        for picture in (pixels, other)
    )
    seconds, morphed = timed(partial(nc.morph, first, last, 0.5))
    cross_fade = torch.from_numpy((first.decode() + last.decode()) / 2)
    return Comparison("morph, half way", _psnr(cross_fade, morphed), {}, seconds)


def mean(rows: Sequence[Comparison]) -> Comparison:
    """The means of one task over several pictures."""
    return Comparison(
        rows[0].task,
        fmean(row.collage for row in rows),
        {name: fmean(row.baselines[name] for row in rows) for name in rows[0].baselines},
        fmean(row.seconds for row in rows),
    )


def to_markdown(result: Restoration) -> str:
    """The means as a table, and the tasks at which another method is better."""
    rows = []
    for row in result.means:
        best = max(row.baselines.values(), default=None)
        rows.append(
            [
                row.task,
                f"{row.collage:.2f}",
                ", ".join(f"{name} {value:.2f}" for name, value in row.baselines.items()) or "–",
                "–" if best is None else f"{row.collage - best:+.2f}",
                f"{row.seconds:.1f}",
            ]
        )
    worse = [
        f"{row.task} ({name})"
        for row in result.means
        for name, value in row.baselines.items()
        if value > row.collage
    ]
    header = ["", "collage (dB)", "others (dB)", "gain over the best of these (dB)", "seconds"]
    return f"""# Restoration

    {result.command}

Mean PSNR of {len(result.pictures)} pictures, for holes that of the pixels inside, one thread. The
morph has no ground truth and is compared with the cross-fade.

{markdown_table(header, rows)}

Tasks at which another method is better: {", ".join(worse) or "none"}.

Machine: {result.environment}.
"""


def _psnr(original: Tensor, test: Tensor) -> float:
    return float(psnr_of((original - test).double().square().mean()))
