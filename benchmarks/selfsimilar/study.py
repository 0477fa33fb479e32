"""Self-similar and synthetic pictures, and screens: bytes and errors beside lossless peers.

    python -m benchmarks.selfsimilar

Encodes pictures that the benchmark makes itself (fractals, patterns, text, pixel art, icons with
alpha, one colour), and those of a folder if one is given, with the codecs of this library at the
qualities 75 and 100, the fractal one also without domains, and with PNG, WebP, AVIF and, where
pillow-jxl-plugin is installed, JPEG XL. Attractors are also decoded at three or four times their
size and compared with the attractor computed at that size, beside bicubic and Lanczos enlargement
of the same decode. Writes selfsimilar.json, selfsimilar.md and, of pictures that are exact at
quality 100, selfsimilar.png.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.selfsimilar.codecs import Ours, Peer, codecs, curves, psnr_over_white
from benchmarks.selfsimilar.figure import enlarged_figure, figure
from benchmarks.selfsimilar.pictures import PATTERNS, Pattern
from benchmarks.support.commands import shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.photos import photo_files
from benchmarks.support.results import RESULTS, write_results
from neural_collage.codec.registry import AUTO
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.tables import markdown_table

TARGETS = tuple(range(30, 52, 2))
"""PSNR in dB at which the bytes of codecs are compared."""
ENLARGED = ("carpet", "triangle", "Koch snowflake")
"""Attractors that the figure of enlargements shows."""
EXACT = 100.0
"""What stands for the PSNR of equal pixels."""
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
    """All results.

    sizes: of each picture, by codec. curves: of the pictures of the folder, by codec.
    """

    command: str
    environment: Environment
    sizes: Mapping[str, Mapping[str, Size]]
    curves: Mapping[str, Mapping[str, Sequence[Size]]]
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
    patterns = {pattern.name: pattern.make(1) for pattern in chosen}
    others = {path.stem: read_rgb(path) for path in (photo_files(images) if images else [])}
    pictures = patterns | others
    quick = [codec for codec in codecs() if isinstance(codec, Peer) or codec.codec == AUTO]
    named = curves().items()
    result = SelfSimilarity(
        command="python -m benchmarks.selfsimilar"
        + (f" --images {shown_path(images)}" if images else "")
        + (f' --only "{only}"' if only else ""),
        environment=Environment.current(),
        sizes={
            name: measure_all(name, image, codecs() if name in patterns else quick)
            for name, image in pictures.items()
        },
        curves={
            name: {codec: list(measure_all(name, image, rates).values()) for codec, rates in named}
            for name, image in others.items()
        },
        enlargements=[enlarge(pattern) for pattern in chosen if pattern.factor > 1],
    )
    write_results(output, "selfsimilar", asdict(result), to_markdown(result))
    exact = {name: image for name, image in pictures.items() if _is_exact(result.sizes[name])}
    sizes = {
        name: {codec: size.file_bytes for codec, size in result.sizes[name].items()}
        for name in exact
    }
    figure(exact, sizes).save(output / "selfsimilar.png", optimize=True)
    shown = [pattern for pattern in chosen if pattern.name in ENLARGED]
    if shown:
        rows = {p.name: enlargements(p) | {"truth": p.make(p.factor)} for p in shown}
        errors = {one.pattern: one.psnr for one in result.enlargements}
        enlarged_figure(rows, errors).save(output / "selfsimilar_enlarged.png", optimize=True)
    typer.echo(to_markdown(result))


def _is_exact(sizes: Mapping[str, Size]) -> bool:
    return sizes["auto 100"].psnr is None


def measure_all(name: str, image: Image.Image, compared: Sequence[Ours | Peer]) -> dict[str, Size]:
    """Encode and decode a picture with codecs, whose names differ."""
    typer.echo(f"{name}: {', '.join(codec.name for codec in compared)}", err=True)
    return {codec.name: measure(image, codec) for codec in compared}


def measure(image: Image.Image, codec: Ours | Peer) -> Size:
    """Encode and decode a picture."""
    data = codec.encode(image)
    error = psnr_over_white(image, codec.decode(data))
    return Size(len(data), error if math.isfinite(error) else None)


def bytes_for(curve: Sequence[Size], target: float) -> float:
    """The bytes of a codec for a PSNR of at least `target` dB.

    Interpolated in the logarithm between the points of its curve that no other point beats; the
    smallest file where all are better, the largest where none is as good.
    """
    points = sorted((one.file_bytes, EXACT if one.psnr is None else one.psnr) for one in curve)
    best: list[tuple[int, float]] = []
    for size, error in points:
        if not best or error > best[-1][1]:
            best.append((size, error))
    sizes, errors = np.array(best, np.float64).T
    return float(np.exp(np.interp(target, errors, np.log(sizes))))


def saved(ours: Sequence[Size], other: Sequence[Size]) -> float:
    """How much larger our files are than others, in percent, at equal PSNR; negative is better.

    The geometric mean over `TARGETS`.
    """
    ratios = [math.log(bytes_for(ours, t) / bytes_for(other, t)) for t in TARGETS]
    return 100 * math.expm1(fmean(ratios))


def enlarge(pattern: Pattern) -> Enlargement:
    """Decode a pattern at its factor, and enlarge its decode by the filters."""
    truth = pattern.make(pattern.factor)
    errors = {
        name: min(psnr_over_white(truth, image), EXACT)
        for name, image in enlargements(pattern).items()
    }
    return Enlargement(pattern.name, pattern.factor, errors)


def enlargements(pattern: Pattern) -> dict[str, Image.Image]:
    """A pattern at its factor, from files of quality 100."""
    original = pattern.make(1)
    collage = nc.encode(original, codec="fractal", quality=100, graphics=False)
    exact = nc.encode(original, quality=100)
    size = pattern.factor * original.width, pattern.factor * original.height
    return {
        "fractal": collage.to_pil(pattern.factor),
        "auto": exact.to_pil(pattern.factor),
        "average interpolation": exact.to_pil(pattern.factor, detail="none"),
    } | {name: exact.to_pil().resize(size, method) for name, method in FILTERS.items()}


def _decibels(psnr: float) -> str:
    return "exact" if psnr >= EXACT else f"{psnr:.2f}"


def to_markdown(result: SelfSimilarity) -> str:
    """The sizes and the enlargements as tables."""
    names = list(next(iter(result.sizes.values())))
    lossy = [name for name in names if name.endswith(" 75")]
    exact = [name for name in names if name not in lossy]
    methods = ["fractal", "auto", "average interpolation", *FILTERS]
    enlarged = [
        [one.pattern, f"{one.factor}x", *(_decibels(one.psnr[method]) for method in methods)]
        for one in result.enlargements
    ]
    peers = [name for name in next(iter(result.curves.values()), {}) if name != "auto"]
    rates = [
        [picture, *(f"{saved(found['auto'], found[peer]):+.0f} %" for peer in peers)]
        for picture, found in result.curves.items()
    ]
    if rates:
        means = [
            fmean(saved(found["auto"], found[peer]) for found in result.curves.values())
            for peer in peers
        ]
        rates.append(["mean", *(f"{mean:+.0f} %" for mean in means)])
    return f"""# Self-similar and synthetic pictures

    {result.command}

Bytes of files, and PSNR in dB (over white where there is alpha); "exact" if all pixels are equal.
Machine: {result.environment}.

## Lossless, or quality 100

{_table(result.sizes, exact)}

## Quality 75

{_table(result.sizes, lossy)}

## Bytes at equal errors

Of auto, beside others: the mean over PSNRs of {TARGETS[0]} to {TARGETS[-1]} dB; negative is
smaller. Where all files of a codec are better than that, its smallest one counts.

{markdown_table(["picture", *peers], rates)}

## Enlarged

PSNR in dB against the attractor at that size, of a fractal file of quality 100.

{markdown_table(["attractor", "scale", *methods], enlarged)}
"""


def _table(sizes: Mapping[str, Mapping[str, Size]], names: Sequence[str]) -> str:
    rows = [
        [picture, *(_shown(found[name]) if name in found else "" for name in names)]
        for picture, found in sizes.items()
    ]
    return markdown_table(["picture", *names], rows)


def _shown(size: Size) -> str:
    quality = "exact" if size.psnr is None else f"{size.psnr:.1f}"
    return f"{size.file_bytes:,} ({quality})"
