"""Decoding at twice the size beside bicubic enlargement of the decode at 1x.

    python -m benchmarks.superresolution --images data/kodak

Each picture is halved (means of 2 x 2 pixels), compressed with the neural codec and decoded at 2x,
and compared with the picture of full size. Bicubic enlargement (Pillow's) starts from the decode of
the same file at 1x. Detail above the coded size comes from links, so files of effort 7 with links
are compared with files of that effort without, and with effort 5, which has none. Writes
superresolution.json and superresolution.md.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.support.commands import numbers, shown_path
from benchmarks.support.neural import Variant, linked_share
from benchmarks.support.options import CORES, OutputFolder, Threads
from benchmarks.support.photos import photo_files
from benchmarks.support.results import RESULTS, write_results
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import Rgb, ms_ssim, psnr
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.report import markdown_table
from neural_collage.runtime import use_threads

SCALE = 2
VARIANTS = (Variant(5), Variant(7, links=False), Variant(7))


@dataclass(frozen=True)
class Similarity:
    """Similarity of a picture to the original of full size: PSNR in dB, and MS-SSIM.

    ms_ssim: None for pictures too small for it.
    """

    psnr: float
    ms_ssim: float | None


@dataclass(frozen=True)
class Enlargement:
    """One variant at one quality, for a picture or as mean of several.

    bpp: bits of the file per pixel of the halved picture. linked: share of its ranges with a link.
    """

    variant: str
    quality: int
    bpp: float
    linked: float
    collage: Similarity
    bicubic: Similarity


@dataclass(frozen=True)
class PictureResult:
    """Results of a picture; uncompressed: bicubic enlargement of the halved picture itself."""

    picture: str
    uncompressed: Similarity
    enlargements: Sequence[Enlargement]


@dataclass(frozen=True)
class SuperResolution:
    """All results."""

    command: str
    environment: Environment
    model: str
    uncompressed: Similarity
    means: Sequence[Enlargement]
    pictures: Sequence[PictureResult]


def main(
    images: Annotated[Path, typer.Option(help="A folder of pictures.")] = Path("data/kodak"),
    output: OutputFolder = RESULTS,
    qualities: Annotated[str, typer.Option(help="1..100, separated by commas.")] = "20,40,60,80,95",
    model: Annotated[str, typer.Option(help="Model of the neural codec.")] = "natural",
    threads: Threads = CORES,
) -> None:
    """Measure decoding at 2x; writes superresolution.json and superresolution.md."""
    use_threads(threads)
    pictures = [measure(path, numbers(qualities), model) for path in photo_files(images)]
    result = SuperResolution(
        command=f"python -m benchmarks.superresolution --images {shown_path(images)}"
        f" --qualities {qualities} --model {model}",
        environment=Environment.current(),
        model=model,
        uncompressed=mean_similarity([picture.uncompressed for picture in pictures]),
        means=[
            mean(rows) for rows in zip(*(picture.enlargements for picture in pictures), strict=True)
        ],
        pictures=pictures,
    )
    write_results(output, "superresolution", asdict(result), to_markdown(result))
    typer.echo(to_markdown(result))


def measure(path: Path, qualities: Sequence[int], model: str) -> PictureResult:
    """All variants on one picture; an odd last row or column is cut off."""
    picture = read_rgb(path)
    width, height = (side - side % SCALE for side in picture.size)
    full = picture.crop((0, 0, width, height))
    half = full.reduce(SCALE)
    original = np.asarray(full)
    return PictureResult(
        path.name,
        similarity(original, bicubic(half)),
        [
            enlarge(original, half, variant, quality, model)
            for variant in VARIANTS
            for quality in qualities
        ],
    )


def enlarge(
    original: Rgb, half: Image.Image, variant: Variant, quality: int, model: str
) -> Enlargement:
    """Encode the halved picture; decode it at 2x, and enlarge its decode at 1x."""
    data = variant.encode(half, quality, model)
    image = nc.CollageImage.from_bytes(data)
    return Enlargement(
        variant=variant.name,
        quality=quality,
        bpp=8 * len(data) / (half.width * half.height),
        linked=linked_share(image),
        collage=similarity(original, np.asarray(image.to_pil(SCALE))),
        bicubic=similarity(original, bicubic(image.to_pil())),
    )


def bicubic(picture: Image.Image) -> Rgb:
    """A picture enlarged to twice its size."""
    size = (SCALE * picture.width, SCALE * picture.height)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def similarity(original: Rgb, test: Rgb) -> Similarity:
    """Similarity of a picture to the original of the same size."""
    return Similarity(psnr(original, test), ms_ssim(original, test))


def mean(rows: Sequence[Enlargement]) -> Enlargement:
    """The means of one variant and quality over several pictures."""
    return Enlargement(
        variant=rows[0].variant,
        quality=rows[0].quality,
        bpp=fmean(row.bpp for row in rows),
        linked=fmean(row.linked for row in rows),
        collage=mean_similarity([row.collage for row in rows]),
        bicubic=mean_similarity([row.bicubic for row in rows]),
    )


def mean_similarity(found: Sequence[Similarity]) -> Similarity:
    """The mean over several pictures; MS-SSIM is None unless all pictures have one."""
    ms_ssims = [one.ms_ssim for one in found if one.ms_ssim is not None]
    return Similarity(
        fmean(one.psnr for one in found),
        fmean(ms_ssims) if len(ms_ssims) == len(found) else None,
    )


def to_markdown(result: SuperResolution) -> str:
    """The means as a table."""
    rows = [
        [
            f"{row.variant}, quality {row.quality}",
            f"{row.bpp:.3f}",
            f"{100 * row.linked:.1f} %",
            f"{row.collage.psnr:.2f}",
            f"{row.bicubic.psnr:.2f}",
            f"{row.collage.psnr - row.bicubic.psnr:+.2f}",
            _ms_ssim(row.collage),
            _ms_ssim(row.bicubic),
        ]
        for row in result.means
    ]
    header = [
        *("", "bpp", "linked", "PSNR at 2x (dB)", "bicubic (dB)", "difference (dB)"),
        *("MS-SSIM at 2x", "bicubic"),
    ]
    return f"""# Decoding at twice the size

    {result.command}

Mean of {len(result.pictures)} pictures. Each was halved by averaging 2 x 2 pixels and compressed
(model {result.model}); its decode at 2x, and the bicubic enlargement of its decode at 1x, are
compared with the picture of full size. Bits are per pixel of the halved picture. Bicubic
enlargement of the uncompressed halved picture: {result.uncompressed.psnr:.2f} dB, MS-SSIM
{_ms_ssim(result.uncompressed)}.
Machine: {result.environment}.

{markdown_table(header, rows)}
"""


def _ms_ssim(found: Similarity) -> str:
    return "–" if found.ms_ssim is None else f"{found.ms_ssim:.4f}"
