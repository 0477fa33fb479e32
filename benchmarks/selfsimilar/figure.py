"""The figures of `benchmarks.selfsimilar`: pictures and the bytes they take; pictures enlarged."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from neural_collage.evaluation.plots import INK

COLUMNS, SIDE, GAP, LINE = 5, 190, 12, 15
SHOWN = {"auto 100": "this", "WebP lossless": "WebP", "JPEG XL lossless": "JPEG XL", "PNG": "PNG"}


def figure(
    pictures: Mapping[str, Image.Image], sizes: Mapping[str, Mapping[str, int]]
) -> Image.Image:
    """A sheet of pictures.

    sizes: bytes of each, by the names of `SHOWN`; codecs that are missing are left out.
    """
    height = SIDE + (1 + len(SHOWN)) * LINE + 2 * GAP
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (SIDE + GAP) + GAP, rows * height + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    bold, font = ImageFont.load_default(13), ImageFont.load_default(12)
    for number, (name, picture) in enumerate(pictures.items()):
        x, y = GAP + number % COLUMNS * (SIDE + GAP), GAP + number // COLUMNS * height
        sheet.paste(_thumbnail(picture), (x, y))
        draw.text((x, y + SIDE + 3), f"{name}, {picture.width} x {picture.height}", INK, bold)
        found = [
            (label, sizes[name][codec]) for codec, label in SHOWN.items() if codec in sizes[name]
        ]
        for line, (label, size) in enumerate(found, start=1):
            top = y + SIDE + 3 + line * LINE
            draw.text((x, top), label, INK, font)
            draw.text((x + 150, top), f"{size:,} bytes", INK, font, anchor="ra")
    return sheet


def _thumbnail(picture: Image.Image) -> Image.Image:
    """A square middle part, reduced, over white, with a frame."""
    white = Image.new("RGBA", picture.size, "white")
    opaque = Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    side = min(opaque.size)
    left, top = (opaque.width - side) // 2, (opaque.height - side) // 2
    part = opaque.crop((left, top, left + side, top + side))
    thumbnail = part.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    ImageDraw.Draw(thumbnail).rectangle((0, 0, SIDE - 1, SIDE - 1), outline="#cccccc")
    return thumbnail


def enlarged_figure(
    rows: Mapping[str, Mapping[str, Image.Image]], errors: Mapping[str, Mapping[str, float]]
) -> Image.Image:
    """Parts of enlarged pictures side by side.

    rows: by picture and by method, all of one size; the last method chooses the part. errors: PSNR
    in dB of each, of those that have one.
    """
    columns = list(next(iter(rows.values())))
    height = SIDE + LINE + GAP
    sheet = Image.new(
        "RGB", (len(columns) * (SIDE + GAP) + GAP, len(rows) * height + LINE + 2 * GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    bold, font = ImageFont.load_default(13), ImageFont.load_default(12)
    for column, method in enumerate(columns):
        draw.text((GAP + column * (SIDE + GAP), GAP // 2), method, INK, bold)
    for row, (name, pictures) in enumerate(rows.items()):
        left, top = _liveliest(list(pictures.values())[-1])
        for column, (method, picture) in enumerate(pictures.items()):
            x, y = GAP + column * (SIDE + GAP), GAP + LINE + row * height
            part = picture.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
            sheet.paste(part, (x, y))
            error = errors[name].get(method)
            text = name if error is None else f"{error:.1f} dB" if error < 100 else "exact"
            draw.text((x, y + SIDE + 2), text, INK, font)
    return sheet


def _liveliest(picture: Image.Image) -> tuple[int, int]:
    """Left and top of the part with most change between neighbours."""
    pixels = np.asarray(picture.convert("L"), np.float64)
    change = np.abs(np.diff(pixels, axis=0))[:, :-1] + np.abs(np.diff(pixels, axis=1))[:-1]
    rows, columns = (side // SIDE for side in change.shape)
    cells = change[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE)
    row, column = divmod(int(cells.sum((1, 3)).argmax()), columns)
    return column * SIDE, row * SIDE
