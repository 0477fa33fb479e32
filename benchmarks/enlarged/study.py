"""Parts of pictures at four times their size, to look at: bicubic, detail and the truth.

    python -m benchmarks.enlarged --data data

Pictures that no weights were trained on are reduced by averages over 4 x 4 pixels and enlarged from
these pixels again: a face, leaves, a building and text of CLIC, an aerial picture of DOTA, and
Sierpinski's triangle. Writes enlarged.jpg, a sheet with one row for each.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFont

from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS
from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.detail_links import DetailLinks
from neural_collage.core.arrays.octaves import Octaves
from neural_collage.core.scales import Window
from neural_collage.errors import CollageError
from neural_collage.evaluation.metrics import Rgb
from neural_collage.evaluation.plots import INK
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.io.files import write_atomically
from neural_collage.io.writing import to_pil
from neural_collage.models.enlargement.detail_network import shipped_detail

SCALE, OCTAVE = 4, 2
SIDE, GAP, LINE = 240, 8, 16
COLUMNS = ("pixels", "bicubic", "detail", "truth")


class Part(NamedTuple):
    """A square part of a picture, `SIDE` pixels wide.

    picture: its file, in the folder of the data sets; empty for the triangle. x, y: its corner.
    """

    picture: str
    content: str
    x: int
    y: int


PARTS = (
    Part("clic/2a2420f929cd.webp", "face", 330, 0),
    Part("clic/c80999cd5533.webp", "leaves", 230, 390),
    Part("clic/7e499613c3e3.webp", "building", 200, 200),
    Part("clic/4cd6910a0b7b.webp", "text", 20, 100),
    Part("dota/P1888.png", "aerial", 200, 160),
    Part("", "fractal", 0, 0),
)


def main(
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")] = Path("data"),
    output: OutputFolder = RESULTS,
    count: Annotated[int, typer.Option(help="Number of parts.", min=1)] = len(PARTS),
) -> None:
    """Write enlarged.jpg."""
    rows = [(part, columns(part, data)) for part in PARTS[:count]]
    file = io.BytesIO()
    sheet(rows).save(file, "JPEG", quality=88, subsampling=0, optimize=True)
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / "enlarged.jpg", file.getvalue())


def columns(part: Part, data: Path) -> list[Rgb]:
    """A part as `COLUMNS` show it, (`SIDE`, `SIDE`, 3) each."""
    path = data / part.picture
    if part.picture and not path.is_file():
        raise CollageError(f"{path}: no such file: give the folder of the data sets (docs/data.md)")
    truth = np.asarray(read_rgb(path) if part.picture else triangle())
    height, width = (side // SCALE * SCALE for side in truth.shape[:2])
    truth = truth[:height, :width]
    reduced = pool((truth.transpose(2, 0, 1) / 255).astype(np.float32), SCALE)
    small = to_pil(reduced)
    shown = [
        np.asarray(small.resize((width, height), Image.Resampling.NEAREST)),
        np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)),
        np.asarray(to_pil(detailed(reduced))),
        truth,
    ]
    return [one[part.y : part.y + SIDE, part.x : part.x + SIDE] for one in shown]


def detailed(reduced: PixelArray) -> PixelArray:
    """A picture at `SCALE`, by its links where it is self-similar."""
    _, height, width = reduced.shape

    def read(window: Window) -> PixelArray:
        rows = slice(window.top, window.top + window.height)
        return reduced[:, rows, window.left : window.left + window.width]

    links = DetailLinks.of(reduced)
    octaves = Octaves(read, (height, width), shipped_detail().at(1), links)
    return octaves.window(OCTAVE, Window(0, 0, height * SCALE, width * SCALE))


def triangle() -> Image.Image:
    """Sierpinski's triangle, 512 x 512: Pascal's triangle modulo 2."""
    place = np.arange(512)
    black = (place[:, None] & place) == 0
    return Image.fromarray(np.where(black, 0, 255).astype(np.uint8)).convert("RGB")


def sheet(rows: Sequence[tuple[Part, Sequence[Rgb]]]) -> Image.Image:
    """A row for each part."""
    width, height = SIDE + GAP, SIDE + GAP + LINE
    size = len(COLUMNS) * width + GAP, len(rows) * height + GAP
    image = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    for number, (part, pictures) in enumerate(rows):
        for column, (name, pixels) in enumerate(zip(COLUMNS, pictures, strict=True)):
            x, y = GAP + column * width, GAP + number * height
            image.paste(Image.fromarray(pixels), (x, y))
            text = part.content if column == 0 else name
            draw.text((x, y + SIDE + 1), text, INK, font)
    return image
