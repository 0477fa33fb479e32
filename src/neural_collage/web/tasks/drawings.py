"""Pictures of our own, computed: an example to compress, and styles to paint with."""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Levels = npt.NDArray[np.uint8]
_SIDE = 512


def poster() -> Levels:
    """(480, 640, 4): a drawing with few colours, text and a transparent ground."""
    image = Image.new("RGBA", (640, 480), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((24, 24, 616, 456), 36, fill=(250, 244, 230, 255))
    draw.ellipse((392, 64, 560, 232), fill=(240, 138, 60, 255))
    for number, colour in enumerate(((36, 72, 96), (52, 104, 120), (84, 140, 140))):
        base = 420 - 40 * (2 - number)
        ridge = [
            (x, base - 150 + 40 * number + 46 * math.sin(x / (53 - 9 * number) + 2.1 * number))
            for x in range(56, 585, 4)
        ]
        draw.polygon([(56, 420), *ridge, (584, 420)], fill=(*colour, 255))
    font = ImageFont.load_default(44)
    draw.text((64, 60), "Fixed point", fill=(36, 40, 52, 255), font=font)
    draw.text((64, 112), "z = A z + c", fill=(200, 70, 40, 255), font=ImageFont.load_default(30))
    return np.asarray(image)


def hatching() -> Levels:
    """(512, 512, 3): strokes of a pen in bent fields."""
    rng = np.random.default_rng(3)
    image = Image.new("RGB", (_SIDE, _SIDE), (246, 240, 228))
    draw = ImageDraw.Draw(image)
    for _ in range(2600):
        x, y = rng.uniform(0, _SIDE, 2)
        angle = math.sin(x / 70) + math.cos(y / 90) + 0.15 * rng.normal()
        length, width = rng.uniform(10, 34), int(rng.integers(1, 4))
        ends = (x, y, x + length * math.cos(angle), y + length * math.sin(angle))
        draw.line(ends, fill=(30, 34, 60 + int(rng.integers(0, 50))), width=width)
    return np.asarray(image)


def mosaic() -> Levels:
    """(512, 512, 3): tesserae with gaps, in rings of changing colours."""
    rng = np.random.default_rng(5)
    image = Image.new("RGB", (_SIDE, _SIDE), (60, 52, 48))
    draw = ImageDraw.Draw(image)
    for ring in range(8, 372, 14):
        count = max(6, round(2 * math.pi * ring / 15))
        for number in range(count):
            angle = 2 * math.pi * (number + 0.3 * rng.random()) / count
            x, y = _SIDE / 2 + ring * math.cos(angle), _SIDE / 2 + ring * math.sin(angle)
            hue = 0.5 + 0.5 * math.sin(ring / 40 + 2 * math.cos(angle))
            colour = [70 + 170 * hue, 90 + 90 * (1 - hue), 190 - 120 * hue] + 14 * rng.normal(
                size=3
            )
            corners = [
                (x + 7.4 * math.cos(angle + turn), y + 7.4 * math.sin(angle + turn))
                for turn in (math.pi / 4 + n * math.pi / 2 for n in range(4))
            ]
            fill = tuple(int(value) for value in np.clip(colour, 0, 255))
            draw.polygon(corners, fill=fill)
    return np.asarray(image)


def brushwork() -> Levels:
    """(512, 512, 3): short thick strokes that follow waves, as in oil."""
    rng = np.random.default_rng(7)
    image = Image.new("RGB", (_SIDE, _SIDE), (44, 70, 130))
    draw = ImageDraw.Draw(image)
    palette = np.array(
        [(38, 62, 140), (76, 120, 180), (150, 180, 200), (236, 200, 90), (250, 236, 190)]
    )
    for _ in range(5200):
        x, y = rng.uniform(-10, _SIDE + 10, 2)
        angle = 1.4 * math.sin(x / 60 + y / 110) + math.cos(y / 47)
        light = 0.5 + 0.5 * math.sin(x / 60 + y / 110 + 0.6) + 0.12 * rng.normal()
        colour = palette[int(np.clip(light * 5, 0, 4))] + 12 * rng.normal(size=3)
        length = rng.uniform(9, 22)
        ends = (x, y, x + length * math.cos(angle), y + length * math.sin(angle))
        draw.line(ends, fill=tuple(int(v) for v in np.clip(colour, 0, 255)), width=5)
    return np.asarray(image.filter(ImageFilter.SMOOTH))


def watercolour() -> Levels:
    """(512, 512, 3): soft stains with dark rims on grained paper."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    paper = np.full((_SIDE, _SIDE, 3), 248.0) - 6 * rng.random((_SIDE, _SIDE, 1))
    for _ in range(60):
        cx, cy, radius = *rng.random(2), rng.uniform(0.04, 0.17)
        turn = np.arctan2(y - cy, x - cx)
        bent = radius * (1 + 0.16 * np.sin(3 * turn + cx * 9) + 0.09 * np.sin(7 * turn + cy * 9))
        depth = bent - np.hypot(x - cx, y - cy)
        wet = 1 / (1 + np.exp(-depth * 420))
        rim = np.exp(-((depth - 0.004) ** 2) / 2e-5)
        colour = np.array([rng.uniform(40, 220), rng.uniform(60, 170), rng.uniform(70, 210)])
        weight = (wet * 0.32 + rim * 0.22)[..., None]
        paper = paper * (1 - weight) + colour * weight
    return np.clip(paper, 0, 255).astype(np.uint8)
