"""Self-similar and synthetic pictures: fractals, patterns, text, pixel art, icons.

All are deterministic functions of a whole factor, which multiplies their size: enlargements can be
compared with the truth.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Points = npt.NDArray[np.complex128]

SUPERSAMPLING = 4
"""Samples a side of a pixel where edges are antialiased."""
_TEXT = (
    "every block of the picture is a smaller copy of another block plus a few smooth patches and "
    "a constant so the map has one fixed point and that is the picture at any resolution"
)


@dataclass(frozen=True)
class Pattern:
    """A picture of the study.

    make: the picture at a whole multiple of its size.
    factor: how much it can be enlarged to be compared with the truth; 1 if there is none.
    """

    name: str
    make: Callable[[int], Image.Image]
    factor: int = 1


def carpet(factor: int = 1) -> Image.Image:
    """Sierpinski's carpet, 729 x 729: black where no base-3 digits of x and y are both 1."""
    n = 729 * factor
    hole = np.zeros((n, n), bool)
    place = np.arange(n)
    while place.any():
        digit = place % 3 == 1
        hole |= digit[:, None] & digit
        place = place // 3
    return _grey(255.0 * hole)


def triangle(factor: int = 1) -> Image.Image:
    """Sierpinski's triangle, 512 x 512: Pascal's triangle modulo 2."""
    place = np.arange(512 * factor)
    return _grey(255.0 * ((place[:, None] & place) != 0))


def fern(factor: int = 1, grey: bool = False) -> Image.Image:
    """Barnsley's fern, 512 x 512, by the chaos game; grey: by the logarithm of the density."""
    n = 512 * factor
    walkers, rng = 100_000 * factor**2, np.random.default_rng(0)
    x, y = np.zeros(walkers), np.zeros(walkers)
    maps = np.array(
        [
            [0, 0, 0, 0.16, 0, 0],
            [0.85, 0.04, -0.04, 0.85, 0, 1.6],
            [0.2, -0.26, 0.23, 0.22, 0, 1.6],
            [-0.15, 0.28, 0.26, 0.24, 0, 0.44],
        ]
    )
    hits = np.zeros(n * n, np.int64)
    for step in range(40):
        a, b, c, d, e, f = maps[rng.choice(4, walkers, p=[0.01, 0.85, 0.07, 0.07])].T
        x, y = a * x + b * y + e, c * x + d * y + f
        if step >= 20:  # near the attractor
            row, column = n - 1 - (y * n / 10.2).astype(int), ((x + 5) * n / 10.2).astype(int)
            hits += np.bincount(row.clip(0, n - 1) * n + column.clip(0, n - 1), minlength=n * n)
    density = hits.reshape(n, n)
    if not grey:
        return _grey(255.0 * (density == 0))
    return _grey(255 - 255 * np.log1p(density) / math.log1p(int(density.max())))


def koch(factor: int = 1) -> Image.Image:
    """Koch's snowflake, filled, 512 x 512, antialiased."""
    corners: Points = np.exp(2j * np.pi * np.array([3, 7, 11]) / 12)
    for _ in range(8):
        side = (np.roll(corners, -1) - corners) / 3
        bump = side * np.exp(-1j * np.pi / 3)
        corners = np.stack(
            [corners, corners + side, corners + side + bump, corners + 2 * side], 1
        ).ravel()
    return _drawn(512, factor, lambda draw, n: draw.polygon(_places(corners / 2.2, n), fill=0))


def dragon(factor: int = 1) -> Image.Image:
    """The dragon curve of 2^14 segments, 512 x 512."""
    turns = np.arange(1, 1 << 14)
    lowest = turns & -turns
    left = (turns & (lowest << 1)) == 0
    heading = np.cumsum(np.where(left, 1, -1))
    path = np.cumsum(np.concatenate([[0], 1j ** (heading % 4)]))
    middle = (path.real.max() + path.real.min()) / 2 + 1j * (path.imag.max() + path.imag.min()) / 2
    path = 0.9 * (path - middle) / max(np.ptp(path.real), np.ptp(path.imag))
    return _drawn(512, factor, lambda draw, n: draw.line(_places(path, n), fill=0, width=n // 512))


def tree(factor: int = 1) -> Image.Image:
    """A tree by the L-system F -> F[+F]F[-F]F (Prusinkiewicz & Lindenmayer 1990), 512 x 512."""
    word = "F"
    for _ in range(5):
        word = word.replace("F", "F[+F]F[-F]F")
    lines, stack, place, heading = [], [], 0j, 1j
    for letter in word:
        if letter == "F":
            lines.append((place, place + heading))
            place += heading
        elif letter == "[":
            stack.append((place, heading))
        elif letter == "]":
            place, heading = stack.pop()
        else:
            heading *= np.exp((1 if letter == "+" else -1) * 1j * np.pi * 25.7 / 180)
    ends = np.array(lines)
    height = ends.imag.max()

    def draw_lines(draw: ImageDraw.ImageDraw, n: int) -> None:
        for line in 0.9 * (ends / height - 0.5j):
            draw.line(_places(line, n), fill=0, width=n // 512)

    return _drawn(512, factor, draw_lines)


def julia(factor: int = 1) -> Image.Image:
    """The Julia set of -0.8 + 0.156i in colours of escape times, 512 x 512."""
    z = _plane(512 * factor, 1.6)
    return _escape_times(z, np.full_like(z, -0.8 + 0.156j))


def mandelbrot(factor: int = 1) -> Image.Image:
    """The Mandelbrot set in colours of escape times, 512 x 512."""
    c = _plane(512 * factor, 1.5) - 0.5
    return _escape_times(np.zeros_like(c), c)


def terrain(factor: int = 1) -> Image.Image:
    """Noise with a spectrum of 1/f, 512 x 512, grey."""
    n = 512 * factor
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n))
    frequency[0, 0] = 1
    noise = np.random.default_rng(1).normal(size=(n, n))
    field = np.fft.irfft2(np.fft.rfft2(noise) / frequency**1.5, (n, n))
    return _grey(255 * (field - field.min()) / np.ptp(field))


def tiling(factor: int = 1) -> Image.Image:
    """Truchet's tiles of 32 x 32 pixels with quarter circles, in two orientations, 512 x 512."""
    side = 32 * factor
    centre = np.arange(side) + 0.5
    distance = np.hypot(*np.meshgrid(centre, centre)) - side / 2
    other = distance[::-1, ::-1]
    ink = np.minimum(np.abs(distance), np.abs(other)) - 3 * factor
    tile = 255 * (ink + 0.5).clip(0, 1)
    flip = np.random.default_rng(2).integers(0, 2, (16, 16)).astype(bool)
    return _grey(np.block([[tile[:, ::-1] if f else tile for f in row] for row in flip]))


def page(
    factor: int = 1, ink: tuple[int, int, int] = (0, 0, 0), paper: tuple[int, int, int] = (255,) * 3
) -> Image.Image:
    """A page of antialiased text, 512 x 640."""
    rng = np.random.default_rng(3)
    image = Image.new("RGB", (512 * factor, 640 * factor), paper)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(14 * factor)
    for row in range(32):
        line = " ".join(rng.choice(_TEXT.split(), 10))
        draw.text((24 * factor, (16 + 19 * row) * factor), line, ink, font)
    return image


def red_on_blue(factor: int = 1) -> Image.Image:
    """The page in red on blue: strong edges in chroma alone."""
    return page(factor, (255, 0, 0), (0, 0, 255))


def pixel_art(factor: int = 1) -> Image.Image:
    """Mirrored sprites of 16 x 16 pixels in five colours, four times as large, 512 x 512."""
    rng = np.random.default_rng(4)
    colours = np.array([[24, 20, 37], [255, 0, 68], [254, 174, 52], [99, 199, 77], [0, 153, 219]])
    sprites = rng.choice(5, (6, 16, 8), p=[0.5, 0.125, 0.125, 0.125, 0.125])
    sprites = np.concatenate([sprites, sprites[..., ::-1]], 2)
    wall = np.block([[sprites[k] for k in row] for row in rng.integers(0, 6, (8, 8))])
    pixels = colours[wall].repeat(4 * factor, 0).repeat(4 * factor, 1)
    return Image.fromarray(pixels.astype(np.uint8))


def checkerboard(factor: int = 1) -> Image.Image:
    """Squares of 8 x 8 pixels, 256 x 256."""
    place = np.arange(256 * factor) // (8 * factor)
    return _grey(255.0 * ((place[:, None] + place) % 2))


def icons(factor: int = 1) -> Image.Image:
    """Sixteen antialiased faces on transparent ground, 256 x 256, with alpha."""
    n = 256 * factor * SUPERSAMPLING
    image = Image.new("RGBA", (n, n), (0, 0, 0, 0))
    draw, unit = ImageDraw.Draw(image), n / 64
    for k in range(16):
        x, y = (k % 4 * 16 + 8) * unit, (k // 4 * 16 + 8) * unit
        shade = (255, 150 + 6 * k, 40, 255)
        draw.ellipse(_box(x, y, 7 * unit), shade, (120, 60, 0, 255), round(unit / 2))
        for eye in (-2.5, 2.5):
            draw.ellipse(_box(x + eye * unit, y - 2 * unit, unit), (60, 30, 0, 255))
        draw.arc(_box(x, y, 4 * unit), 20 + k, 160 - k, (60, 30, 0, 255), round(unit))
    return image.reduce(SUPERSAMPLING)


def gradient(factor: int = 1) -> Image.Image:
    """Three linear gradients, one a channel, 512 x 512."""
    place = (np.arange(512 * factor) + 0.5) / (512 * factor)
    x, y = np.meshgrid(place, place)
    return Image.fromarray((255 * np.stack([x, y, (x + y) / 2], 2)).round().astype(np.uint8))


def white(factor: int = 1) -> Image.Image:
    """One colour, 1000 x 1000."""
    return Image.new("RGB", (1000 * factor, 1000 * factor), "white")


PATTERNS = (
    Pattern("carpet", carpet, 3),
    Pattern("triangle", triangle, 4),
    Pattern("fern", fern, 4),
    Pattern("grey fern", lambda factor: fern(factor, grey=True)),
    Pattern("Koch snowflake", koch, 4),
    Pattern("dragon", dragon),
    Pattern("tree", tree),
    Pattern("Julia", julia),
    Pattern("Mandelbrot", mandelbrot),
    Pattern("terrain", terrain),
    Pattern("Truchet tiles", tiling),
    Pattern("checkerboard", checkerboard),
    Pattern("text", page),
    Pattern("red text on blue", red_on_blue),
    Pattern("pixel art", pixel_art),
    Pattern("icons with alpha", icons),
    Pattern("gradients", gradient),
    Pattern("white", white),
)


def _grey(values: npt.NDArray[np.floating[Any]]) -> Image.Image:
    return Image.fromarray(values.round().astype(np.uint8))


def _plane(n: int, extent: float) -> Points:
    """Pixel centres of a square of the complex plane, from -extent to extent."""
    place = ((np.arange(n) + 0.5) / n * 2 - 1) * extent
    return place + 1j * place[:, None]


def _escape_times(z: Points, c: Points, limit: int = 200) -> Image.Image:
    """Colours by the number of steps of z^2 + c until abs(z) > 2, black where there are none."""
    time = np.full(z.shape, limit)
    for step in range(limit):
        inside = np.abs(z) <= 2
        time[~inside & (time == limit)] = step
        z = np.where(inside, z * z + c, z)
    phase = 0.25 * np.arange(limit + 1)[:, None] + np.array([0, 2, 4])
    colours = (127.5 + 127.5 * np.cos(phase)).round().astype(np.uint8)
    colours[limit] = 0
    return Image.fromarray(colours[time])


def _drawn(size: int, factor: int, draw: Callable[[ImageDraw.ImageDraw, int], None]) -> Image.Image:
    """Black on white, drawn with supersampling."""
    n = size * factor * SUPERSAMPLING
    image = Image.new("L", (n, n), 255)
    draw(ImageDraw.Draw(image), n)
    return image.reduce(SUPERSAMPLING)


def _places(points: Points, n: int) -> list[tuple[float, float]]:
    """Complex numbers in a square of side 1 around 0 as pixels of n x n, y upwards."""
    x, y = (points.real + 0.5) * n, (0.5 - points.imag) * n
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius
