"""What the files of the conformance set show: a photo, drawings of few colours, and both."""

import numpy as np
from PIL import Image, ImageDraw
from skimage.data import astronaut

WORDS = "A collage is the fixed point of a contractive map of the picture to itself."


def photo(width: int, height: int, mode: str) -> Image.Image:
    """A part of a photo, reduced, with a disc of alpha where the mode has that."""
    image = Image.fromarray(astronaut()).crop((100, 0, 480, 380))
    image = image.resize((width, height), Image.Resampling.LANCZOS).convert(mode.removesuffix("A"))
    if mode.endswith("A"):
        y, x = np.mgrid[:height, :width]
        distance = np.hypot(y - height / 2, x - width / 2) / min(height, width)
        alpha = np.clip(400 * (0.45 - distance) + 128, 0, 255).astype(np.uint8)
        image.putalpha(Image.fromarray(alpha))
    return image


def text(mode: str = "RGB", width: int = 200) -> Image.Image:
    """Lines of text, twice in other colours."""
    image = Image.new("RGB", (width, 60), (250, 250, 245))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 40, width, 60), (30, 60, 120))
    for line, colour in enumerate([(0, 0, 0), (0, 0, 0), (200, 40, 30), (255, 255, 255)]):
        draw.text((5 + 3 * line, 15 * line), WORDS[line % 2 * 26 :], colour)
    return image.convert(mode)


def pattern() -> Image.Image:
    """A patch of random cells of six colours, reflected to the right and down, and repeated."""
    rng = np.random.default_rng(5)
    cells = rng.integers(0, 256, (6, 3), dtype=np.uint8)[rng.integers(0, 6, (12, 10))]
    patch = cells.repeat(2, 0).repeat(2, 1)
    patch = np.concatenate([patch, patch[:, ::-1]], 1)
    patch = np.concatenate([patch, patch[::-1]])
    return Image.fromarray(np.tile(patch, (2, 3, 1))[:85, :101])


def triangle() -> Image.Image:
    """Pascal's triangle modulo 2: three of its four quarters are the whole, reduced by 2."""
    place = np.arange(160)
    return Image.fromarray(np.where(place[:, None] & place, 230, 20).astype(np.uint8))


def carpet() -> Image.Image:
    """Sierpinski's carpet: eight of its nine parts are the whole, reduced by 3."""
    place, hole = np.arange(243), np.zeros((243, 243), bool)
    for level in range(5):
        middle = place // 3**level % 3 == 1
        hole |= middle[:, None] & middle
    return Image.fromarray(np.where(hole, 230, 20).astype(np.uint8))


def icon() -> Image.Image:
    """A ring with smooth edges of alpha around a square."""
    y, x = np.mgrid[:47, :45] - 23
    alpha = np.clip(60 * (8 - np.abs(np.hypot(y, x) - 14)), 0, 255)
    square = np.maximum(np.abs(y), np.abs(x)) < 5
    colour = np.where(square[..., None], (240, 180, 0), (20, 130, 90))
    pixels = np.dstack([colour, np.where(square, 255, alpha)])
    return Image.fromarray(pixels.astype(np.uint8), "RGBA")


def page() -> Image.Image:
    """Text above and below a photo, which is repeated in part."""
    image = Image.new("RGB", (200, 240), (255, 255, 255))
    image.paste(text(), (0, 0))
    image.paste(photo(120, 88, "RGB"), (16, 72))
    image.paste(image.crop((16, 72, 48, 136)), (152, 88))
    image.paste(text(), (0, 180))
    return image
