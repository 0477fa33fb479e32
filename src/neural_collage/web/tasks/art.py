"""Fractalize, Stylize and Morph: pictures made of other ones, as scenes and as pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from neural_collage.art.colours import luma, resized
from neural_collage.art.fractal import Fractal
from neural_collage.art.fractalize import Tiling, fractalize
from neural_collage.art.morph import fractal_pair, morph
from neural_collage.art.stylize import Colours, Style, stylize
from neural_collage.art.zoom import View, look
from neural_collage.core.scales import output_length
from neural_collage.web.problems import StudioError
from neural_collage.web.settings import MOST_OUTPUT
from neural_collage.web.tasks.files import (
    SOURCE,
    colours_of,
    load_pixels,
    new_pixels,
    save_pixels,
    to_levels,
)
from neural_collage.web.tasks.images import png_of
from neural_collage.web.tasks.scenes import MOST_ART, described, save_scene, side_for
from neural_collage.web.tasks.worker import Context

MOST_PAINTED = 2_000_000
"""Pixels of a photo that is stylized: its patches are of a few pixels each."""
MOST_MORPHED = 500_000
"""Pixels of a picture whose code is searched for a morph."""


def make_fractal(
    context: Context,
    folder: Path,
    tiles: int,
    contrast: float,
    strength: float,
    domains: int,
    isometries: bool,
    adaptive: bool,
    colours: str,
    scale: float,
    most_side: int | None,
) -> dict[str, Any]:
    """A picture from small copies of itself; most_side: see `_reduced`."""
    most, scale = _reduced(folder, MOST_ART, scale, most_side)
    photo = colours_of(folder, most, side_for(tiles))
    if colours == "grey":
        photo = luma(photo)[None].expand(3, -1, -1).contiguous()
    scene = fractalize(
        photo,
        Tiling(tiles, domains, isometries, adaptive, contrast, strength),
        lambda done, steps: context.report(0.7 * done / steps, 1, "fitting copies"),
    )
    return _finish(context, folder, scene, scale)


def make_painting(
    context: Context,
    folder: Path,
    style: Path,
    size: int,
    strength: float,
    own: float,
    colours: Colours,
    scale: float,
    most_side: int | None,
) -> dict[str, Any]:
    """A picture from the patches of another one; most_side: see `_reduced`."""
    most, scale = _reduced(folder, MOST_PAINTED, scale, most_side)
    scene = stylize(
        colours_of(folder, most),
        colours_of(style, MOST_ART),
        Style(size, strength=strength, own=own, colours=colours),
        lambda done, steps: context.report(0.7 * done / steps, 1, "painting"),
    )
    return _finish(context, folder, scene, scale)


def _reduced(folder: Path, most: int, scale: float, most_side: int | None) -> tuple[int, float]:
    """The most pixels of a photo, and the scale of its result.

    most_side: pixels of the longer side of the result, for thumbnails; None for no such limit.
    """
    if most_side is None:
        return most, scale
    height, width = load_pixels(folder).shape[:2]
    ratio = min(1.0, most_side / max(height, width))
    return min(most, max(1, int(height * width * ratio**2))), min(scale, ratio)


def _finish(context: Context, folder: Path, scene: Fractal, scale: float) -> dict[str, Any]:
    """Keep a scene, and its picture at a scale of the original."""
    height, width = load_pixels(folder).shape[:2]
    across, down = output_length(width, scale), output_length(height, scale)
    if across * down > MOST_OUTPUT:
        raise StudioError(
            f"{across:,} x {down:,} pixels are more than {MOST_OUTPUT:,}: take a smaller scale"
        )
    save_scene(context.out, scene)
    levels = new_pixels(context.out, down, across, 3)
    rows = max(64, (1 << 20) // across)
    for top in range(0, down, rows):
        context.report(0.7 + 0.3 * top / down, 1, "drawing")
        count = min(rows, down - top)
        levels[top : top + count] = to_levels(_strip(scene, across, down, top, count))
    (context.out / SOURCE).write_bytes(png_of(levels))
    facts = {"width": across, "height": down, "alpha": False}
    return {**facts, "pyramid": described(scene)}


def _strip(scene: Fractal, across: int, down: int, top: int, count: int) -> Any:
    """Some rows of a scene as across x down pixels."""
    if across % scene.width == 0 and down == scene.height * (across // scene.width):
        return np.asarray(scene.decode(across // scene.width, (0, top, across, count)))
    # the aspect of a reduced photo is that of the original up to rounding
    extent = scene.height * count / down
    frame = View(0, min(scene.height * top / down, scene.height - extent), scene.width)
    seen = look(scene, frame, across, max(1, round(across * extent / scene.width)))
    return np.asarray(resized(seen, count, across))


def make_morph(context: Context, folder: Path, other: Path, share: float) -> dict[str, Any]:
    """A picture between two, as the fixed point of a map between theirs."""
    context.report(0, 1, "looking for copies")
    photo = colours_of(folder, MOST_MORPHED)
    collages = fractal_pair(photo, colours_of(other, MOST_MORPHED))
    context.report(0.8, 1, "mixing")
    return _picture(context, morph(*collages, share))


def _picture(context: Context, pixels: Any) -> dict[str, Any]:
    """Keep pixels (c, h, w) as the picture of a result."""
    levels = to_levels(np.asarray(torch.as_tensor(pixels)))
    save_pixels(context.out, levels)
    (context.out / SOURCE).write_bytes(png_of(levels))
    height, width, channels = levels.shape
    return {"width": width, "height": height, "alpha": channels in (2, 4)}
