"""Deep Zoom tiles are windows of the scene; tiles outside are refused."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")

import neural_collage as nc
from neural_collage.art.fractalize import Tiling, fractalize
from neural_collage.art.zoom import Scene
from neural_collage.core.blocks import pool
from neural_collage.web.tiles import OCTAVES, TILE, base_level, deepest_level, tile
from tests.pictures import photo_crop, texture


def make_scene(height: int = 300, width: int = 520) -> Scene:
    return nc.encode(texture(height, width, 3), codec="neural", graphics=False, quality=30)


def assembled(scene: Scene, level: int) -> Tensor:
    scale = 2.0 ** (level - base_level(scene))
    rows, columns = (math.ceil(side * scale / TILE) for side in (scene.height, scene.width))
    return torch.cat(
        [
            torch.cat([tile(scene, level, column, row) for column in range(columns)], 2)
            for row in range(rows)
        ],
        1,
    )


def test_the_base_level_is_the_picture() -> None:
    picture = make_scene()
    assert base_level(picture) == 10
    np.testing.assert_allclose(assembled(picture, 10), picture.decode(), atol=1e-5, rtol=0)
    assert tile(picture, 0, 0, 0).shape == (3, 1, 1)


def test_each_level_averages_down_to_the_one_below() -> None:
    picture = make_scene(256, 256)
    fine, coarse = assembled(picture, 9), assembled(picture, 8)
    assert fine.shape == (3, 512, 512)
    torch.testing.assert_close(pool(fine, 2), coarse, atol=0.05, rtol=0)


def test_tiles_exist_beyond_scale_1() -> None:
    scene = fractalize(photo_crop(64), Tiling(8))
    deepest = deepest_level(scene)
    assert deepest == 6 + OCTAVES
    last = (64 << OCTAVES) // TILE - 1
    for column, row in ((0, 0), (last, last), (last // 2, last // 3)):
        pixels = tile(scene, deepest, column, row)
        assert pixels.shape == (3, TILE, TILE)
        assert bool(pixels.isfinite().all())


@pytest.mark.parametrize(
    ("level", "column", "row"),
    [
        (-1, 0, 0),
        (10 + OCTAVES + 1, 0, 0),
        (10**9, 0, 0),
        (10, 3, 0),
        (10, 0, 2),
        (10, -1, 0),
        (10, 0, -1),
        (0, 1, 0),
        (30, 1 << 62, 0),
    ],
)
def test_tiles_outside_are_refused(level: int, column: int, row: int) -> None:
    with pytest.raises(nc.CollageError, match="does not exist: there are"):
        tile(make_scene(), level, column, row)
