"""Self-similar and synthetic pictures, and screens: bytes and errors beside lossless peers.

    python -m benchmarks.selfsimilar

Encodes pictures that the benchmark makes itself (fractals, patterns, text, pixel art, icons with
alpha, one colour), and those of a folder if one is given, with the codecs of this library at the
qualities 75 and 100, the fractal one also without domains, and with PNG, WebP, AVIF and, where
pillow-jxl-plugin is installed, JPEG XL. Attractors are also decoded at three or four times their
size and compared with the attractor computed at that size, beside bicubic and Lanczos enlargement
of the same decode. Writes selfsimilar.json and selfsimilar.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

import neural_collage as nc
from benchmarks.selfsimilar.codecs import Ours, Peer, codecs, psnr_over_white
from benchmarks.selfsimilar.pictures import PATTERNS, Pattern
from benchmarks.support.commands import shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.photos import photo_files
from benchmarks.support.results import RESULTS, write_results
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.report import markdown_table

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS}


@dataclass(frozen=True)
class Size:
    """Bytes of a file, and PSNR of its pixels in dB over white; None if they are equal."""

    file_bytes: int
    psnr: float | None


@dataclass(frozen=True)
class Enlargement:
    """PSNR in dB of enlargements of a fractal file of quality 100, against the truth."""

    pattern: str
    factor: int
    psnr: Mapping[str, float]


@dataclass(frozen=True)
class SelfSimilarity:
    """All results; sizes: of each picture, by codec."""

    command: str
    environment: Environment
    sizes: Mapping[str, Mapping[str, Size]]
    enlargements: Sequence[Enlargement]


def main(
    images: Annotated[
        Path | None, typer.Option(help="A folder of pictures to measure, too.")
    ] = None,
    output: OutputFolder = RESULTS,
    only: Annotated[str, typer.Option(help="Names of patterns, separated by commas.")] = "",
) -> None:
    """Measure; writes selfsimilar.json and selfsimilar.md."""
    chosen = [p for p in PATTERNS if not only or p.name in only.split(",")]
    pictures = {pattern.name: pattern.make(1) for pattern in chosen}
    pictures |= {path.stem: read_rgb(path) for path in (photo_files(images) if images else [])}
    compared = codecs()
    result = SelfSimilarity(
        command="python -m benchmarks.selfsimilar"
        + (f" --images {shown_path(images)}" if images else "")
        + (f' --only "{only}"' if only else ""),
        environment=Environment.current(),
        sizes={
            name: {codec.name: measure(image, codec) for codec in compared}
            for name, image in pictures.items()
        },
        enlargements=[enlarge(pattern) for pattern in chosen if pattern.factor > 1],
    )
    write_results(output, "selfsimilar", asdict(result), to_markdown(result))
    typer.echo(to_markdown(result))


def measure(image: Image.Image, codec: Ours | Peer) -> Size:
    """Encode and decode a picture."""
    data = codec.encode(image)
    error = psnr_over_white(image, codec.decode(data))
    return Size(len(data), error if math.isfinite(error) else None)


def enlarge(pattern: Pattern) -> Enlargement:
    """Decode a pattern at its factor, and enlarge its decode by the filters."""
    truth = pattern.make(pattern.factor)
    collage = nc.encode(pattern.make(1), codec="fractal", quality=100)
    decoded = collage.to_pil()
    enlarged = {"collage": collage.to_pil(pattern.factor)} | {
        name: decoded.resize(truth.size, method) for name, method in FILTERS.items()
    }
    errors = {name: psnr_over_white(truth, image) for name, image in enlarged.items()}
    return Enlargement(pattern.name, pattern.factor, errors)


def to_markdown(result: SelfSimilarity) -> str:
    """The sizes and the enlargements as tables."""
    names = list(next(iter(result.sizes.values())))
    lossy = [name for name in names if name.endswith(" 75")]
    exact = [name for name in names if name not in lossy]
    methods = ["collage", *FILTERS]
    enlarged = [
        [one.pattern, f"{one.factor}x", *(f"{one.psnr[method]:.2f}" for method in methods)]
        for one in result.enlargements
    ]
    return f"""# Self-similar and synthetic pictures

    {result.command}

Bytes of files, and PSNR in dB (over white where there is alpha); "exact" if all pixels are equal.
Machine: {result.environment}.

## Lossless, or quality 100

{_table(result.sizes, exact)}

## Quality 75

{_table(result.sizes, lossy)}

## Enlarged

PSNR in dB against the attractor at that size, of a fractal file of quality 100.

{markdown_table(["attractor", "scale", *methods], enlarged)}
"""


def _table(sizes: Mapping[str, Mapping[str, Size]], names: Sequence[str]) -> str:
    rows = [[picture, *(_shown(found[name]) for name in names)] for picture, found in sizes.items()]
    return markdown_table(["picture", *names], rows)


def _shown(size: Size) -> str:
    quality = "exact" if size.psnr is None else f"{size.psnr:.1f}"
    return f"{size.file_bytes:,} ({quality})"
