"""Scenes: pictures that can be looked at to any depth, their tiles, views and movies."""

import pickle
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from neural_collage.art.fractal import Fractal
from neural_collage.art.fractalize import Tiling, fractalize
from neural_collage.art.movie import movie as movie_file
from neural_collage.art.zoom import Scene, View, look, path
from neural_collage.codec import api
from neural_collage.codec.image import CollageImage
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.web.problems import StudioError
from neural_collage.web.tasks.files import (
    PIXELS,
    SOURCE,
    collage_of,
    colours_of,
    decode_strips,
    picture_of,
    save_pixels,
    to_levels,
)
from neural_collage.web.tasks.images import png_of
from neural_collage.web.tasks.worker import Context
from neural_collage.web.tiles import TILE, base_level, deepest_level, tile

MOST_ART = 4_000_000
"""Pixels of a photo that art is made of; larger ones are reduced."""
LARGEST_CANVAS = 2048
"""Pixels a side of the canvas that copies are fitted on."""
MOST_SEARCHED = 1_000_000
"""Pixels of a picture that the search of the fractal codec looks through for Zoom."""
_KEPT = 4
_SHARP = 64.0  # the scale beyond which edges are all that is left of a drawing
_kept: OrderedDict[tuple[str, int, int], Scene] = OrderedDict()


def make(context: Context, folder: Path, of: str) -> dict[str, Any]:
    """A scene of the picture of an item, as `of` says."""
    if of == "copies":
        context.report(0, 1, "fitting copies")
        scene: Scene = fractalize(
            colours_of(folder, MOST_ART, side_for(Tiling().tiles)),
            Tiling(),
            lambda done, steps: context.report(done, steps, "fitting copies"),
        )
        save_scene(context.out, scene)
        return _facts(scene)
    if of == "clg":
        collage = collage_of(folder)
        if collage is None:
            raise StudioError("this picture is no .clg file: compress it first")
        for name in (SOURCE, PIXELS):
            (context.out / name).hardlink_to(folder / name)
    else:
        picture = picture_of(folder)
        pixels = picture.width * picture.height
        seconds = min(pixels, MOST_SEARCHED) * 6e-6 if of == "fractal" else pixels * 0.5e-6
        context.expect(seconds, 0, 0.7, "compressing")
        if of == "fractal" and pixels > MOST_SEARCHED:
            levels = to_levels(np.asarray(colours_of(folder, MOST_SEARCHED)))
            collage = api.encode(levels, codec="fractal", quality=75, graphics=False)
        else:
            collage = api.encode(picture, codec=of, quality=75, graphics=False)
        (context.out / SOURCE).write_bytes(collage.to_bytes())
        context.report(0.7, 1, "decoding")
        size = collage.height, collage.width, collage.channels
        decode_strips(lambda region: collage.decode(1, region), context.out, size)
    return _facts(collage)


def _facts(scene: Scene) -> dict[str, Any]:
    return {"width": scene.width, "height": scene.height, "pyramid": described(scene)}


def side_for(tiles: int) -> int:
    """The longest side of a photo whose canvas of so many tiles takes little memory and time."""
    sizes = [size * tiles for size in (4, 8, 16, 32, 64) if size * tiles <= LARGEST_CANVAS]
    return sizes[-1] if sizes and sizes[-1] < 64 * tiles else LARGEST_CANVAS


def described(scene: Scene) -> dict[str, Any]:
    """What the viewer needs to know of a scene.

    deepest: the scale beyond which there is nothing new, None if there always is.
    """
    return {
        "width": scene.width,
        "height": scene.height,
        "tile": TILE,
        "base_level": base_level(scene),
        "deepest_level": deepest_level(scene),
        "deepest": _depth(scene),
    }


def _depth(scene: Scene) -> float | None:
    """None for what goes on at any scale: copies of itself, and pictures with a domain pool."""
    if isinstance(scene, Fractal):
        return None
    if isinstance(scene, CollageImage) and (scene.graphics is None or not _is_drawn(scene)):
        return None
    return _SHARP


def _is_drawn(collage: CollageImage) -> bool:
    """Whether flat colours and edges are most of a picture; such ones have no domain pool."""
    return collage.graphics is not None and collage.graphics.owned_share() >= 0.5


def save_scene(folder: Path, scene: Scene, number: int | None = None) -> None:
    """Keep a scene that is not a .clg file; without what it has cached."""
    clean = replace(scene) if isinstance(scene, Fractal) else scene
    _scene_path(folder, number).write_bytes(pickle.dumps(clean))


def _scene_path(folder: Path, number: int | None) -> Path:
    return folder / ("scene.pickle" if number is None else f"scene-{number}.pickle")


def load_scene(folder: Path, number: int | None = None) -> Scene:
    """The scene of an item; some are kept for the next tile."""
    pickled = _scene_path(folder, number)
    if number is not None and not pickled.exists():
        raise StudioError("there is no such scene", 404)
    source = pickled if pickled.exists() else folder / SOURCE
    try:
        stat = source.stat()
    except FileNotFoundError as error:
        raise StudioError("this picture is no longer kept: make it again", 410) from error
    key = str(source), stat.st_mtime_ns, stat.st_size
    if key in _kept:
        _kept.move_to_end(key)
        return _kept[key]
    if source is pickled:
        scene: Scene = pickle.loads(source.read_bytes())
    else:
        collage = collage_of(folder)
        if collage is None:
            raise StudioError("this picture cannot be zoomed into: make a scene of it first")
        scene = collage
    _kept[key] = scene
    while len(_kept) > _KEPT:
        _kept.popitem(last=False)
    return scene


def forget(context: Context) -> None:
    """Give back the memory of the scenes that are kept."""
    del context
    _kept.clear()


def tile_file(
    context: Context, folder: Path, number: int | None, level: int, column: int, row: int
) -> bytes:
    """A tile as a JPEG file; transparent parts are white."""
    del context
    pixels = tile(load_scene(folder, number), level, column, row)
    return image_bytes(to_pil(_opaque(pixels)), ".jpg", 90)


def view(
    context: Context,
    folder: Path,
    number: int | None,
    scale: float,
    width: int | None,
    height: int | None,
    centre: tuple[float, float] | None,
) -> dict[str, Any]:
    """A view of a scene as a PNG file: `width` x `height` pixels at a scale about a centre."""
    context.report(0, 1, "drawing the view")
    scene = load_scene(folder, number)
    width = width or max(16, round(scene.width * scale))
    height = height or max(16, round(scene.height * scale))
    if width * height > 40_000_000:
        raise StudioError("a view has at most 40 million pixels: take a smaller size or scale")
    frame = _framed(scene, scale, width, height, centre or (0.5, 0.5))
    levels = to_levels(np.asarray(look(scene, frame, width, height)))
    save_pixels(context.out, levels)
    data = png_of(levels)
    (context.out / SOURCE).write_bytes(data)
    return {"width": width, "height": height, "alpha": levels.shape[2] in (2, 4)}


def _framed(
    scene: Scene, scale: float, width: int, height: int, centre: tuple[float, float]
) -> View:
    """The view about a centre, moved inside; refused if it is larger than the scene."""
    across, down = width / scale, height / scale
    if across > scene.width * (1 + 1e-6) + 1 or down > scene.height * (1 + 1e-6) + 1:
        share = max(across / scene.width, down / scene.height)
        across, down = across / share, down / share
    left = min(max(centre[0] * scene.width - across / 2, 0), scene.width - across)
    top = min(max(centre[1] * scene.height - down / 2, 0), scene.height - down)
    return View(max(left, 0), max(top, 0), across)


def movie(
    context: Context,
    folder: Path,
    number: int | None,
    factor: float,
    seconds: float,
    fps: float,
    width: int,
    height: int,
    centre: tuple[float, float] | None,
) -> dict[str, Any]:
    """A zoom as an MP4 file; its first frame is the picture of the result."""
    scene = load_scene(folder, number)
    views = path(scene, centre, factor, max(2, round(seconds * fps)), (width, height))
    first = look(scene, views[0], width, height)
    save_pixels(context.out, to_levels(np.asarray(_opaque(first))))

    def frames() -> Any:
        for done, each in enumerate(views):
            context.report(done, len(views), "drawing frames")
            yield _opaque(look(scene, each, width, height))

    (context.out / SOURCE).write_bytes(movie_file(frames(), ".mp4", fps))
    return {"width": width, "height": height, "frames": len(views), "alpha": False}


def _opaque(pixels: Any) -> Any:
    """Colours over white, (1 or 3, h, w)."""
    if len(pixels) in (2, 4):
        return pixels[:-1] * pixels[-1:] + (1 - pixels[-1:])
    return pixels


def thumbnail(context: Context, folder: Path, side: int) -> bytes:
    """A small JPEG of the picture of an item."""
    del context
    from neural_collage.web.tasks.files import image_of, load_pixels, rgb

    image = image_of(rgb(load_pixels(folder)))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image_bytes(image, ".jpg", 85)
