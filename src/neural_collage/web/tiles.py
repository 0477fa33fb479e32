"""Deep Zoom: a scene as a pyramid of square tiles, with levels beyond scale 1."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.art.zoom import Scene
from neural_collage.core.scales import output_length
from neural_collage.errors import CollageError

TILE = 256
"""Pixels across a tile."""
OCTAVES = 24
"""Levels above scale 1, each twice as large as the one before."""


def base_level(scene: Scene) -> int:
    """The level of scale 1; at level 0 the whole scene is one pixel, as in the Deep Zoom format."""
    return math.ceil(math.log2(max(scene.width, scene.height)))


def deepest_level(scene: Scene) -> int:
    """The level with the largest scale."""
    return base_level(scene) + OCTAVES


def tile(scene: Scene, level: int, column: int, row: int) -> Float[Tensor, "c h w"]:
    """The pixels of a tile in [0, 1]; tiles at the right and bottom edges are smaller.

    Raises:
        CollageError: the level or the tile does not exist.
    """
    if not 0 <= level <= deepest_level(scene):
        raise CollageError(f"level {level} does not exist: there are 0 to {deepest_level(scene)}")
    scale = 2.0 ** (level - base_level(scene))
    width, height = (output_length(side, scale) for side in (scene.width, scene.height))
    columns, rows = (math.ceil(side * scale / TILE) for side in (scene.width, scene.height))
    if not (0 <= column < columns and 0 <= row < rows):
        raise CollageError(
            f"tile {column},{row} of level {level} does not exist: there are {columns} x {rows}"
        )
    # OpenSeadragon counts fractions of pixels: a last tile below one pixel shows the last pixel
    left, top = min(column * TILE, width - 1), min(row * TILE, height - 1)
    region = left, top, min(TILE, width - left), min(TILE, height - top)
    return torch.as_tensor(scene.decode(scale, region))
