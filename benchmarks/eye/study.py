"""Crops of decodes beside those of AVIF and JPEG XL at equal bytes, to look at.

    python -m benchmarks.eye --images data/kodak

Every picture is encoded by each codec to the largest file of at most a number of bits per pixel, by
bisection over its qualities. Writes eye.jpg, a sheet with one row for each part of a picture, and
eye.json and eye.md with sizes, PSNR and SSIMULACRA 2 of the whole pictures.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFont

from benchmarks.support.commands import shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from neural_collage.errors import CollageError
from neural_collage.evaluation.codecs import BenchmarkCodec, benchmark_codecs
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import Rgb, psnr
from neural_collage.evaluation.plots import INK
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.ssimulacra2 import Ssimulacra2
from neural_collage.evaluation.tables import markdown_table
from neural_collage.io.files import write_atomically

CODECS = "neural,avif,jxl"
SIDE, ZOOM, GAP, LINE = 128, 2, 8, 16


class Part(NamedTuple):
    """A square part of a picture of Kodak.

    x, y: its corner in pixels. bpp: bits per pixel of the whole picture, at most.
    """

    picture: str
    content: str
    x: int
    y: int
    bpp: float


PARTS = (
    Part("kodim04.png", "face", 190, 150, 0.1),
    Part("kodim20.png", "letters and sky", 330, 230, 0.25),
    Part("kodim07.png", "leaves", 330, 200, 0.25),
    Part("kodim23.png", "feathers", 440, 130, 0.1),
    Part("kodim05.png", "machines", 300, 180, 0.6),
    Part("kodim13.png", "trees and water", 380, 250, 1.2),
)
"""What the plate of the documentation shows."""


@dataclass(frozen=True)
class Shown:
    """A decode. score: of SSIMULACRA 2, None for pictures that are too small."""

    picture: str
    codec: str
    quality: float
    bpp: float
    psnr: float
    score: float | None


def main(
    images: Annotated[Path, typer.Option(help="Folder of the pictures of Kodak.")],
    output: OutputFolder = RESULTS,
    codecs: Annotated[str, typer.Option(help="As for `collage benchmark rd`.")] = CODECS,
    count: Annotated[int, typer.Option(help="Number of parts.", min=1)] = len(PARTS),
) -> None:
    """Write eye.jpg, eye.json and eye.md."""
    chosen = benchmark_codecs(codecs.split(","))
    rows, results = {}, []
    for part in PARTS[:count]:
        if not (path := images / part.picture).is_file():
            raise CollageError(f"{path}: no such file: give the folder of Kodak")
        picture = np.asarray(read_rgb(path))
        measure = Ssimulacra2(picture)
        row: dict[str, tuple[Rgb, Shown | None]] = {"original": (picture, None)}
        for codec in chosen:
            decoded, shown = largest(codec, picture, part, measure)
            row[codec.name] = decoded, shown
            results.append(shown)
        rows[part] = row
    file = io.BytesIO()
    sheet(rows).save(file, "JPEG", quality=93, subsampling=0)
    command = f"python -m benchmarks.eye --images {shown_path(images)}"
    command += "" if codecs == CODECS else f" --codecs {codecs}"
    numbers = {"command": command, "environment": asdict(Environment.current())}
    table = to_markdown(command, results)
    write_results(output, "eye", numbers | {"shown": [asdict(one) for one in results]}, table)
    write_atomically(output / "eye.jpg", file.getvalue())
    typer.echo(table)


def largest(
    codec: BenchmarkCodec, picture: Rgb, part: Part, measure: Ssimulacra2
) -> tuple[Rgb, Shown]:
    """The decode of the largest file of a picture of at most `part.bpp`, or of its smallest one."""
    image, limit = Image.fromarray(picture), part.bpp * picture.shape[0] * picture.shape[1] / 8
    low, high, best = 1, 100, codec.encode(image, 1)
    while low < high:
        middle = (low + high + 1) // 2
        if len(data := codec.encode(image, middle)) <= limit:
            low, best = middle, data
        else:
            high = middle - 1
    decoded = codec.decode(best)
    bpp = 8 * len(best) / (picture.shape[0] * picture.shape[1])
    score = measure.score(decoded)
    return decoded, Shown(part.picture, codec.name, low, bpp, psnr(picture, decoded), score)


def sheet(rows: Mapping[Part, Mapping[str, tuple[Rgb, Shown | None]]]) -> Image.Image:
    """A row for each part: the original and the decodes, enlarged by repeated pixels."""
    columns = max(map(len, rows.values()))
    width, height = SIDE * ZOOM + GAP, SIDE * ZOOM + GAP + LINE
    image = Image.new("RGB", (columns * width + GAP, len(rows) * height + GAP), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    for number, (part, row) in enumerate(rows.items()):
        for column, (name, (pixels, shown)) in enumerate(row.items()):
            x, y = GAP + column * width, GAP + number * height
            crop = Image.fromarray(pixels[part.y : part.y + SIDE, part.x : part.x + SIDE])
            enlarged = crop.resize((SIDE * ZOOM,) * 2, Image.Resampling.NEAREST)
            image.paste(enlarged, (x, y))
            text = part.content if shown is None else f"{name}, {shown.bpp:.3f} bpp"
            draw.text((x, y + SIDE * ZOOM + 1), text, INK, font)
    return image


def to_markdown(command: str, results: Sequence[Shown]) -> str:
    """The page of the results."""
    rows = [
        [
            *(one.picture, one.codec, f"{one.bpp:.3f}", f"{one.psnr:.2f}"),
            "–" if one.score is None else f"{one.score:.1f}",
        ]
        for one in results
    ]
    table = markdown_table(["picture", "codec", "bpp", "PSNR (dB)", "SSIMULACRA 2"], rows)
    return f"# Decodes at equal bytes\n\n    {command}\n\n![Parts of decodes](eye.jpg)\n\n{table}\n"
