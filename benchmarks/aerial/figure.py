"""The figure of `benchmarks.aerial`: the most detailed part of each scene, coded by each codec."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import neural_collage as nc
from neural_collage.codec.registry import CODECS
from neural_collage.codec.streams.poli2022 import NAME
from neural_collage.evaluation.codecs import BenchmarkCodec
from neural_collage.evaluation.plots import INK
from neural_collage.io.writing import to_pil

PANEL = (320, 240)
ZOOM, ENLARGEMENT = 2, 10
GAP, CAPTION = 6, 18

Panel = tuple[str, Image.Image]


def figure(
    scenes: Sequence[tuple[Image.Image, Mapping[str, float]]], codecs: Sequence[BenchmarkCodec]
) -> Image.Image:
    """Two rows per scene: a part decoded at 1x and shown at 2x, and a smaller part at 10x.

    scenes: pictures, each with the setting of every codec at the rate of `poli2022`.
    """
    rows = [row for scene, settings in scenes for row in scene_rows(scene, settings, codecs)]
    width = max(len(row) for row in rows) * (PANEL[0] + GAP) + GAP
    height = len(rows) * (PANEL[1] + CAPTION + GAP) + GAP
    sheet = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for i, row in enumerate(rows):
        for j, (caption, panel) in enumerate(row):
            x, y = GAP + j * (PANEL[0] + GAP), GAP + i * (PANEL[1] + CAPTION + GAP)
            draw.text((x, y), caption, fill=INK, font=font)
            sheet.paste(panel, (x, y + CAPTION))
    return sheet


def scene_rows(
    scene: Image.Image, settings: Mapping[str, float], codecs: Sequence[BenchmarkCodec]
) -> tuple[list[Panel], list[Panel]]:
    """Panels of a part of a scene at 1x from all codecs, and of a part of that at 10x."""
    box = highest_variance(scene, PANEL[0] // ZOOM, PANEL[1] // ZOOM)
    show = partial(_part, box=box)
    data = nc.compress(scene, codec=NAME)
    decoded = to_pil(nc.decompress(data))
    files = {codec.name: codec.encode(scene, settings[codec.name]) for codec in codecs}
    near = [("original", show(scene)), (NAME, show(decoded))]
    for codec in codecs:
        picture = Image.fromarray(codec.decode(files[codec.name]))
        near.append((f"{codec.name} at {settings[codec.name]:g}", show(picture)))

    small = (PANEL[0] // ENLARGEMENT, PANEL[1] // ENLARGEMENT)
    part = highest_variance(scene.crop(box), *small)
    inner = tuple(n + box[i % 2] for i, n in enumerate(part))
    region = (ENLARGEMENT * inner[0], ENLARGEMENT * inner[1], *PANEL)
    enlarged = partial(nc.decompress, scale=ENLARGEMENT, region=region)
    far = [
        ("original, its pixels", _part(scene, inner)),
        (f"{NAME} at 10x", to_pil(enlarged(data))),
        (f"{NAME} at 1x, bicubic", _part(decoded, inner, Image.Resampling.BICUBIC)),
        *((f"{name} at 10x", to_pil(enlarged(files[name]))) for name in files if name in CODECS),
        ("original, bicubic", _part(scene, inner, Image.Resampling.BICUBIC)),
    ]
    return near, far


def highest_variance(picture: Image.Image, width: int, height: int) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) with the highest variance of grey levels.

    Boxes are placed on a grid of half their width and height.
    """
    width, height = min(width, picture.width), min(height, picture.height)
    levels = np.asarray(picture.convert("L"), np.float64)
    boxes = [
        (x, y, x + width, y + height)
        for y in range(0, picture.height - height + 1, max(1, height // 2))
        for x in range(0, picture.width - width + 1, max(1, width // 2))
    ]
    return max(boxes, key=lambda b: float(levels[b[1] : b[3], b[0] : b[2]].var()))


def _part(
    picture: Image.Image,
    box: tuple[int, ...],
    kernel: Image.Resampling = Image.Resampling.NEAREST,
) -> Image.Image:
    left, top, right, bottom = box
    return picture.resize(PANEL, kernel, box=(left, top, right, bottom))
