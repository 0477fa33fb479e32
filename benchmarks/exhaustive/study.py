"""Exhaustive fractal search as published, beside the search of the codec and the network.

    python -m benchmarks.exhaustive --images data/clic

The luma of the middle of each picture is coded by an exhaustive search over all domains and eight
isometries (Jacquin 1992; Fisher 1995; see `coder`), and by the codecs fractal and neural at the
least quality that reaches the same PSNR; effort 0 of fractal searches for no domains. Times are CPU
seconds of single encodes, of all threads, which other work on the machine does not lengthen much.
Writes exhaustive.json and exhaustive.md.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from textwrap import fill
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.exhaustive.coder import CODERS, Coder, encode
from benchmarks.support.commands import numbers, shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.photos import photo_files
from benchmarks.support.results import RESULTS, write_results
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.runtime import use_threads


@dataclass(frozen=True)
class Ours:
    """A codec of the library as it is compared here, with its effort and model."""

    name: str
    codec: str
    effort: int = 5
    model: str | None = None

    def encode(self, image: Image.Image, quality: int) -> nc.CollageImage:
        """The picture at a quality, without a graphics layer."""
        return nc.encode(
            image, codec=self.codec, quality=quality, effort=self.effort, model=self.model,
            graphics=False,
        )  # fmt: skip


OURS = (
    Ours("fractal, effort 0, no domains", "fractal", 0),
    Ours("fractal, effort 5", "fractal"),
    Ours("neural, natural-psnr", "neural", model="natural-psnr"),
)


@dataclass(frozen=True)
class Measured:
    """A picture coded by one codec. seconds: CPU time of the encode."""

    codec: str
    seconds: float
    psnr: float
    bpp: float


@dataclass(frozen=True)
class Comparison:
    """A picture coded exhaustively, and by our codecs at its PSNR or the next above."""

    picture: str
    side: int
    exhaustive: Measured
    ours: Sequence[Measured]


@dataclass(frozen=True)
class Result:
    """All numbers."""

    command: str
    environment: Environment
    side: int
    comparisons: Sequence[Comparison]
    growth: Sequence[Comparison]


def luma(path: Path, side: int) -> Image.Image:
    """The luma of the middle of a picture, side x side pixels.

    Raises:
        CollageError: the picture is smaller.
    """
    with Image.open(path) as image:
        grey = image.convert("L")
    left, top = (grey.width - side) // 2, (grey.height - side) // 2
    if min(left, top) < 0:
        raise CollageError(f"{path}: {grey.width} x {grey.height} pixels: take a smaller --side")
    return grey.crop((left, top, left + side, top + side))


def psnr(image: Image.Image, decoded: np.ndarray) -> float:
    """Of samples in 0..1, rounded to 8 bits, in dB."""
    rounded = np.rint(np.clip(decoded, 0, 1) * 255)
    error = float(np.square(rounded - np.asarray(image, np.float64)).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-12)))


def exhaustive(image: Image.Image, coder: Coder) -> Measured:
    """A picture coded by an exhaustive search."""
    pixels = torch.from_numpy(np.asarray(image, np.float32) / 255)
    start = time.process_time()
    code = encode(pixels, coder)
    seconds = time.process_time() - start
    decoded = code.collage.decode()[0].numpy()
    return Measured(coder.name, seconds, psnr(image, decoded), code.bits / pixels.numel())


def at_equal_psnr(image: Image.Image, codec: Ours, wanted: float) -> Measured:
    """A picture coded at the least quality of at least a PSNR, or at the best one."""
    low, high = 1, 100
    while low < high:
        middle = (low + high) // 2
        if _measured(image, codec, middle).psnr < wanted:
            low = middle + 1
        else:
            high = middle
    return _measured(image, codec, low)


def _measured(image: Image.Image, codec: Ours, quality: int) -> Measured:
    start = time.process_time()
    file = codec.encode(image, quality).to_bytes()
    seconds = time.process_time() - start
    reached = psnr(image, nc.decompress(file)[0])
    return Measured(codec.name, seconds, reached, 8 * len(file) / (image.width * image.height))


def to_markdown(result: Result) -> str:
    """A table for each coder: means over the pictures."""
    names = list(dict.fromkeys(each.exhaustive.codec for each in result.comparisons))
    tables = []
    for name in names:
        of_name = [each for each in result.comparisons if each.exhaustive.codec == name]
        searched = [each.exhaustive for each in of_name]
        rows = [_row("exhaustive", searched, searched)]
        for number, codec in enumerate(of_name[0].ours):
            rows.append(_row(codec.codec, [each.ours[number] for each in of_name], searched))
        title = f"\n## {name[0].upper()}{name[1:]}\n"
        columns = ("codec", "encode (CPU s)", "times as fast", "PSNR (dB)", "bpp", "of its bits")
        tables += [title, markdown_table(columns, rows)]
    pictures = len({each.picture for each in result.comparisons})
    shown = "picture" if pictures == 1 else "pictures"
    about = (
        f"{result.environment}. Means over the luma of the middle {result.side} x {result.side} "
        f"pixels of {pictures} {shown}; ratios are those of the means. Ours stand at the least "
        "quality that reaches the PSNR of the search, and their bits are those of whole files."
    )
    heading = ("# Exhaustive fractal search\n", f"    {result.command}\n", fill(about, 100))
    return "\n".join((*heading, *tables, *_growth(result.growth), ""))


def _growth(growth: Sequence[Comparison]) -> list[str]:
    """CPU seconds over the size of a picture."""
    if not growth:
        return []
    first = growth[0]
    columns = ("pixels", "exhaustive", *(each.codec for each in first.ours))
    rows = [
        (
            f"{each.side} x {each.side}",
            *(f"{found.seconds:.3g}" for found in (each.exhaustive, *each.ours)),
        )
        for each in growth
    ]
    about = f"CPU seconds on {first.picture}; {first.exhaustive.codec}:"
    return ["\n## Growth\n", about, "", markdown_table(columns, rows)]


def _row(name: str, found: Sequence[Measured], searched: Sequence[Measured]) -> tuple[str, ...]:
    seconds, bpp = mean(m.seconds for m in found), mean(m.bpp for m in found)
    ratio = mean(m.seconds for m in searched) / seconds
    share = bpp / mean(m.bpp for m in searched)
    quality = mean(m.psnr for m in found)
    return name, f"{seconds:.3g}", f"{ratio:,.3g}", f"{quality:.2f}", f"{bpp:.3f}", f"{share:.0%}"


def main(
    images: Annotated[
        Path | None,
        typer.Option(help="A folder of pictures; by default the photos of scikit-image."),
    ] = None,
    count: Annotated[int, typer.Option(help="Pictures, the first ones.", min=1)] = 2,
    side: Annotated[int, typer.Option(help="Of the parts, a multiple of 16.", min=32)] = 256,
    growth: Annotated[
        str, typer.Option(help="Sides for the last coder, separated by commas; '' for none.")
    ] = "64,128,256,384",
    threads: Annotated[int, typer.Option(help="Threads of torch.", min=1)] = 1,
    output: OutputFolder = RESULTS,
) -> None:
    """Compare exhaustive searches with our codecs at equal PSNR."""
    sides = numbers(growth) if growth else []
    if any(each % 16 for each in (side, *sides)):
        raise CollageError("--side and --growth: give multiples of 16, the largest range")
    use_threads(threads)
    paths = photo_files(images)[:count]
    for codec in OURS:
        codec.encode(luma(paths[0], side), 50)  # loads weights
    comparisons = [compare(path, side, coder) for path in paths for coder in CODERS]
    grown = [compare(paths[0], each, CODERS[-1]) for each in sides]
    folder = "" if images is None else f" --images {shown_path(images)}"
    command = f"python -m benchmarks.exhaustive{folder} --count {count} --side {side}"
    command += f" --growth {growth} --threads {threads}" if growth else f" --threads {threads}"
    result = Result(command, Environment.current(), side, comparisons, grown)
    write_results(output, "exhaustive", asdict(result), to_markdown(result))


def compare(path: Path, side: int, coder: Coder) -> Comparison:
    """The middle of a picture, coded exhaustively and by our codecs."""
    image = luma(path, side)
    searched = exhaustive(image, coder)
    ours = [at_equal_psnr(image, codec, searched.psnr) for codec in OURS]
    return Comparison(path.name, side, searched, ours)
