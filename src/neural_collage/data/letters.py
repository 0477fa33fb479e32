"""Letters and signs of fonts as pictures with a truth at any size, for `data/letters`.

    python -m neural_collage.data.letters FONTS -o data/letters

Every font below FONTS is rendered at 512 pixels, where hinting moves outlines by little, and
averaged: a pixel is the share of its area inside of the outline. Folders directly below FONTS are
families: all fonts of a family belong to one of the splits train, val and test, which are parquet
files with the columns `image` (PNG, grey), `label` (position in `CHARACTERS`) and `font`.
"""

import argparse
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from neural_collage.errors import DataError
from neural_collage.extras import needs_extra
from neural_collage.io.files import write_atomically

with needs_extra("train"):
    import pyarrow as pa
    import pyarrow.parquet as pq

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!?&@#%$*+=/()[]{}<>"
"""The classes, in the order of their labels."""
SPLITS = ("train", "val", "test")
SIZE = 128
"""Pixels across a picture, unless another size is asked for."""
_FINE = 512  # pixels across the rendering that smaller pictures average
_EM, _BASELINE = 0.78, 0.72  # size of a font, and height of its baseline below the top, of a side
_MARGIN = 4 / 512  # of a side, that glyphs keep from the edges
_LEAST = 0.75  # of the characters, that a font must have
_UNKNOWN = "\U0010fffd"  # private use: drawn as the sign for a missing character


def split_of(family: str) -> str:
    """The split of a family, which depends on its name alone: 5 % val, 10 % test."""
    hundredth = zlib.crc32(family.encode()) % 100
    return "val" if hundredth < 5 else "test" if hundredth < 15 else "train"


def font_files(folder: Path) -> list[tuple[str, Path]]:
    """Family and file of every TrueType and OpenType font below a folder.

    Raises:
        DataError: there is none.
    """
    found = [
        (path.relative_to(folder).parts[0], path)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (".ttf", ".otf") and path.is_file() and not path.is_symlink()
    ]
    if not found:
        raise DataError(
            f"{folder}: no .ttf or .otf files below it: give a folder of fonts such as "
            "/usr/share/fonts, or see docs/data.md for packages of fonts with open licences"
        )
    return found


def letters_of(path: Path, size: int = SIZE) -> list[tuple[int, np.ndarray]]:
    """Label and picture (size, size), bytes, of the characters that a font has and that fit.

    [] for fonts without most of the characters. size: a divisor of 512.

    Raises:
        OSError: FreeType cannot read the font.
    """
    font = ImageFont.truetype(str(path), round(_FINE * _EM), layout_engine=ImageFont.Layout.BASIC)
    unknown = _drawn(font, _UNKNOWN)
    drawn = [(label, _drawn(font, character)) for label, character in enumerate(CHARACTERS)]
    known = [
        (label, glyph)
        for label, glyph in drawn
        if glyph is not None and not (unknown is not None and np.array_equal(glyph, unknown))
    ]
    if len(known) < _LEAST * len(CHARACTERS):
        return []
    cell = _FINE // size
    cells = [(label, glyph.reshape(size, cell, size, cell)) for label, glyph in known]
    return [
        (label, np.rint(glyph.mean((1, 3), dtype=np.float32)).astype(np.uint8))
        for label, glyph in cells
    ]


def render(
    folder: Path, output: Path, size: int = SIZE, splits: Sequence[str] = SPLITS
) -> dict[str, int]:
    """Write one parquet file per split; returns the numbers of pictures.

    Fonts of one name are rendered once; those that cannot be read are left out.

    Raises:
        DataError: no fonts, or none of them has most of the characters.
    """
    counts = {}
    for split in splits:
        fonts = [(f, path) for f, path in font_files(folder) if split_of(f) == split]
        rows = list(_rows(fonts, size))
        counts[split] = len(rows)
        if rows:
            table = pa.Table.from_pylist(rows)
            file = io.BytesIO()
            pq.write_table(table, file, compression="none")  # PNG is compressed
            output.mkdir(parents=True, exist_ok=True)
            write_atomically(output / f"{split}.parquet", file.getvalue())
    if not any(counts.values()):
        raise DataError(f"{folder}: none of its fonts has most of the characters {CHARACTERS}")
    return counts


def _rows(fonts: Sequence[tuple[str, Path]], size: int) -> Iterator[dict[str, object]]:
    seen = set()
    for family, path in fonts:
        try:
            name = " ".join(filter(None, ImageFont.truetype(str(path), 16).getname()))
            letters = [] if name in seen else letters_of(path, size)
        except OSError:
            continue
        seen.add(name)
        for label, pixels in letters:
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG", compress_level=3)
            image = {"bytes": file.getvalue(), "path": None}
            yield {"image": image, "label": label, "font": f"{family}/{name}"}


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray | None:
    """A glyph in the middle of a square, on the baseline; None if it is empty or does not fit."""
    image = Image.new("L", (_FINE, _FINE))
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = draw.textbbox((0, 0), character, font=font, anchor="ls")
    margin, baseline = _FINE * _MARGIN, round(_FINE * _BASELINE)
    fits = right - left <= _FINE - 2 * margin
    fits &= baseline + top >= margin and baseline + bottom <= _FINE - margin
    if right <= left or bottom <= top or not fits:
        return None
    middle = round((_FINE - right + left) / 2 - left)
    draw.text((middle, baseline), character, fill=255, font=font, anchor="ls")
    return np.asarray(image)


def main() -> None:
    """Render the letters of all fonts below a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("fonts", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--size", type=int, default=SIZE, choices=[32, 64, 128, 256, 512])
    parser.add_argument("--split", choices=SPLITS, action="append", help="all, if not given")
    arguments = parser.parse_args()
    counts = render(arguments.fonts, arguments.output, arguments.size, arguments.split or SPLITS)
    sys.stdout.write("".join(f"{split}: {count:,} letters\n" for split, count in counts.items()))


if __name__ == "__main__":
    main()
