"""Opens a picture or a view of it and saves it, all by Pillow: as a call, or as a process.

Imports Pillow alone, and the module that registers a format, as a short program of a user would.
"""

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Literal

from PIL import Image

View = Literal["whole", "window", "eighth"]
"""All of a picture, the window at its centre, or all at scale 1/8."""
TITLES: Mapping[View, str] = {
    "whole": "Decode",
    "window": "Decode a window of 512 x 512",
    "eighth": "Decode at scale 1/8",
}
WINDOW = 512
"""Largest width and height of the window."""
REDUCTION = 8
"""The picture of the third view is so many times smaller."""


def convert(
    source: str,
    target: str,
    *,
    view: View = "whole",
    plugin: str | None = None,
    threads: int = 0,
    file_format: str | None = None,
    options: Mapping[str, object] | None = None,
) -> None:
    """Open, take a view, save.

    plugin: the module that registers a format, if that is not one of Pillow's.
    threads: see `use_threads_of_pillow`; 0 for one per core. file_format, options: of `Image.save`.
    """
    if plugin is not None:
        import_module(plugin)
    if threads:
        use_threads_of_pillow(threads)
    with Image.open(source) as image:
        opened(image, view).save(target, file_format, **(options or {}))


def command(source: Path, target: Path, **arguments: object) -> list[str]:
    """The command of a process that calls `convert`; run in the root of the project."""
    text = json.dumps({"source": str(source), "target": str(target), **arguments})
    return [sys.executable, "-c", "from benchmarks.speed.conversion import main; main()", text]


def main() -> None:
    """`convert` with the arguments of the command line, as JSON."""
    convert(**json.loads(sys.argv[1]))


def opened(image: Image.Image, view: View) -> Image.Image:
    """A view of an image that is open, and not yet decoded where the format can decode less."""
    if view == "window":
        x, y, width, height = central_window(*image.size)
        return image.crop((x, y, x + width, y + height))
    if view == "eighth":
        return _eighth(image)
    return image


def central_window(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of the window at the centre of a picture."""
    sides = min(WINDOW, width), min(WINDOW, height)
    return (width - sides[0]) // 2, (height - sides[1]) // 2, *sides


def use_threads_of_pillow(count: int) -> None:
    """Give so many threads to AVIF, the one format inside Pillow that has any."""
    from PIL import AvifImagePlugin  # not imported by programs that read another format

    AvifImagePlugin.DEFAULT_MAX_THREADS = count


def _eighth(image: Image.Image) -> Image.Image:
    if image.format == "JPEG2000":
        image.reduce = REDUCTION.bit_length() - 1  # type: ignore[method-assign, assignment]
        return image  # decoded at 1/8
    width = image.width
    image.draft(None, (width // REDUCTION, image.height // REDUCTION))  # JPEG and ours
    left = max(1, REDUCTION * image.width // width)
    return image if left == 1 else image.reduce(left)
