"""Deep zoom: a scene as a pyramid of square tiles, going on where the pixels of the photo end."""

import math

from jaxtyping import Float
from torch import Tensor

from neural_collage.art.zoom import Scene
from neural_collage.core.scales import output_length
from neural_collage.errors import CollageError

TILE = 256
"""Pixels of a side of a tile."""
OCTAVES = 24
"""How many times a scene is enlarged by two at most."""


def base_level(scene: Scene) -> int:
    """The level of scale 1; at level 0 the whole scene is one pixel, as in Deep Zoom files."""
    return math.ceil(math.log2(max(scene.width, scene.height)))


def deepest_level(scene: Scene) -> int:
    """The last level that there is."""
    return base_level(scene) + OCTAVES


def tile(scene: Scene, level: int, column: int, row: int) -> Float[Tensor, "c h w"]:
    """The pixels of a tile; at the right and bottom edges there are fewer.

    Raises:
        CollageError: no such tile.
    """
    if not 0 <= level <= deepest_level(scene):
        raise CollageError(f"level {level}: there are 0 to {deepest_level(scene)}")
    scale = 2.0 ** (level - base_level(scene))
    width, height = (output_length(side, scale) for side in (scene.width, scene.height))
    columns, rows = (math.ceil(side * scale / TILE) for side in (scene.width, scene.height))
    if not (0 <= column < columns and 0 <= row < rows):
        raise CollageError(
            f"tile {column},{row} of level {level}: there are {columns} x {rows}, from 0,0"
        )
    # a viewer counts parts of pixels, too: its last tile may be less than one, and shows the last
    left, top = min(column * TILE, width - 1), min(row * TILE, height - 1)
    return scene.decode(scale, (left, top, min(TILE, width - left), min(TILE, height - top)))
