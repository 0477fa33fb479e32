"""Decoding above the original size: a collage at 2x beside bicubic enlargement of its 1x decode.

    python -m benchmarks.superresolution --images kodak

Each picture is halved (the average of 2 x 2 pixels), compressed with the neural codec and decoded
at 2x, and compared with the picture it was halved from. Bicubic enlargement (Pillow's) starts from
the same file, decoded at 1x. Links are what a collage goes on from above its size, so files with
them stand beside files of equal effort without, and beside the network's one pass. Writes
superresolution.json and superresolution.md.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.speed.study import RESULTS
from benchmarks.support.neural import Variant, linked_share, numbers, photo_files, rgb
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import Rgb, ms_ssim, psnr
from neural_collage.evaluation.report import markdown_table
from neural_collage.runtime import available_cores

SCALE = 2
VARIANTS = (Variant(5), Variant(7, links=False), Variant(7))


@dataclass(frozen=True)
class Likeness:
    """How close a picture comes to the one of full size.

    ms_ssim: None for pictures too small for it.
    """

    psnr: float
    ms_ssim: float | None


@dataclass(frozen=True)
class Enlargement:
    """One variant at one quality: of a picture, or the mean of several.

    bpp: bits of the file per pixel of the halved picture. linked: share of its ranges with a link.
    """

    variant: str
    quality: int
    bpp: float
    linked: float
    collage: Likeness
    bicubic: Likeness


@dataclass(frozen=True)
class PictureResult:
    """A picture; uncompressed: bicubic enlargement of the halved picture itself."""

    picture: str
    uncompressed: Likeness
    enlargements: Sequence[Enlargement]


@dataclass(frozen=True)
class SuperResolution:
    """All results."""

    command: str
    environment: Environment
    model: str
    uncompressed: Likeness
    means: Sequence[Enlargement]
    pictures: Sequence[PictureResult]


def main(
    images: Annotated[Path, typer.Option(help="A folder of pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = RESULTS,
    qualities: Annotated[str, typer.Option(help="1..100, separated by commas.")] = "20,40,60,80,95",
    model: Annotated[str, typer.Option(help="Of the neural codec.")] = "natural",
    threads: Annotated[int, typer.Option(help="Of torch.")] = available_cores(),
) -> None:
    """Measure decoding at 2x; writes superresolution.json and superresolution.md."""
    torch.set_num_threads(threads)
    pictures = [measure(path, numbers(qualities), model) for path in photo_files(images)]
    folder = images.resolve().name
    result = SuperResolution(
        command=f"python -m benchmarks.superresolution --images {folder} --qualities {qualities}"
        f" --model {model}",
        environment=Environment.current(),
        model=model,
        uncompressed=mean_likeness([picture.uncompressed for picture in pictures]),
        means=[
            mean(rows) for rows in zip(*(picture.enlargements for picture in pictures), strict=True)
        ],
        pictures=pictures,
    )
    output.mkdir(parents=True, exist_ok=True)
    file = json.dumps(asdict(result), indent=1)
    (output / "superresolution.json").write_text(file, encoding="utf-8")
    (output / "superresolution.md").write_text(to_markdown(result), encoding="utf-8")
    typer.echo(to_markdown(result))


def measure(path: Path, qualities: Sequence[int], model: str) -> PictureResult:
    """One picture through all variants; an odd last row or column is cut off."""
    picture = rgb(path)
    width, height = (side - side % SCALE for side in picture.size)
    full = picture.crop((0, 0, width, height))
    half = full.reduce(SCALE)
    original = np.asarray(full)
    return PictureResult(
        path.name,
        likeness(original, bicubic(half)),
        [
            enlarge(original, half, variant, quality, model)
            for variant in VARIANTS
            for quality in qualities
        ],
    )


def enlarge(
    original: Rgb, half: Image.Image, variant: Variant, quality: int, model: str
) -> Enlargement:
    """One file, decoded at 2x and enlarged from 1x."""
    data = variant.encode(half, quality, model)
    image = nc.CollageImage.from_bytes(data)
    return Enlargement(
        variant=variant.name,
        quality=quality,
        bpp=8 * len(data) / (half.width * half.height),
        linked=linked_share(image),
        collage=likeness(original, np.asarray(image.to_pil(SCALE))),
        bicubic=likeness(original, bicubic(image.to_pil())),
    )


def bicubic(picture: Image.Image) -> Rgb:
    """A picture at twice its size."""
    size = (SCALE * picture.width, SCALE * picture.height)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def likeness(original: Rgb, test: Rgb) -> Likeness:
    """Of a picture of full size."""
    return Likeness(psnr(original, test), ms_ssim(original, test))


def mean(rows: Sequence[Enlargement]) -> Enlargement:
    """Over pictures, of one variant and quality."""
    return Enlargement(
        variant=rows[0].variant,
        quality=rows[0].quality,
        bpp=fmean(row.bpp for row in rows),
        linked=fmean(row.linked for row in rows),
        collage=mean_likeness([row.collage for row in rows]),
        bicubic=mean_likeness([row.bicubic for row in rows]),
    )


def mean_likeness(found: Sequence[Likeness]) -> Likeness:
    """Over pictures; without MS-SSIM unless all have one."""
    similarities = [one.ms_ssim for one in found if one.ms_ssim is not None]
    return Likeness(
        fmean(one.psnr for one in found),
        fmean(similarities) if len(similarities) == len(found) else None,
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
            _similarity(row.collage),
            _similarity(row.bicubic),
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
enlargement of that picture itself, not compressed: {result.uncompressed.psnr:.2f} dB, MS-SSIM
{_similarity(result.uncompressed)}.
Machine: {result.environment}.

{markdown_table(header, rows)}
"""


def _similarity(found: Likeness) -> str:
    return "–" if found.ms_ssim is None else f"{found.ms_ssim:.4f}"


if __name__ == "__main__":
    typer.run(main)
