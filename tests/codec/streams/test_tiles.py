"""Tiles of a grid, and pictures larger than one of them."""

import numpy as np
import pytest
import torch
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.streams import tiles
from neural_collage.codec.streams.tiles import Tile
from tests.pictures import photo_crop, texture

RANGE = 16
GRIDS = [(1, 1), (1, 9), (4, 4), (5, 4), (9, 1), (11, 6)]


@pytest.mark.parametrize("side", [1, 3, 4, 64])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_tiles_cover_every_range_once(
    grid: tuple[int, int], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE", side)
    whole = Tile(0, 0, *grid)
    number = np.full(grid, -1)
    for index, tile in enumerate(tiles.tiles(*grid)):
        assert 1 <= tile.rows <= side
        assert 1 <= tile.columns <= side
        part = number[tile.within(whole)]
        assert part.shape == (tile.rows, tile.columns)
        assert (part == -1).all()
        part[:] = index
    assert (number >= 0).all()
    firsts = [int(np.flatnonzero(number == index)[0]) for index in range(number.max() + 1)]
    corners = [(n // grid[1], n % grid[1]) for n in firsts]
    assert corners == sorted(corners)  # raster order


@pytest.mark.parametrize("margin", [0, 1, 6, 100])
def test_a_margin_goes_as_far_as_the_grid(margin: int) -> None:
    rows, columns = 11, 30
    grid = np.arange(rows * columns).reshape(rows, columns)
    for tile in (Tile(0, 0, 4, 4), Tile(4, 8, 4, 4), Tile(8, 28, 3, 2), Tile(0, 0, rows, columns)):
        grown = tile.grown(margin, rows, columns)
        assert grown.top == max(0, tile.top - margin)
        assert grown.left == max(0, tile.left - margin)
        assert grown.top + grown.rows == min(rows, tile.top + tile.rows + margin)
        assert grown.left + grown.columns == min(columns, tile.left + tile.columns + margin)
        whole = Tile(0, 0, rows, columns)
        inside = grid[grown.within(whole)][tile.within(grown)]
        np.testing.assert_array_equal(inside, grid[tile.within(whole)])


def test_a_tile_of_ranges_is_one_of_pixels() -> None:
    image = torch.arange(6 * 8).view(6, 8)
    assert torch.equal(image[Tile(2, 1, 1, 2).within(Tile(1, 0, 2, 4), 2)], image[2:4, 2:6])


def near_edges(size: int, side: int) -> Tensor:
    """Which pixels of a square picture lie at most four pixels beside an edge between tiles."""
    pixel, edge = torch.arange(size), RANGE * side
    beside = ((pixel + 4) % edge < 8) & (pixel >= 4) & (pixel < size - 4)
    return beside[:, None] | beside


def errors(picture: Tensor, quality: int, effort: int) -> tuple[int, Tensor]:
    """Bytes, and squared errors of the pixels, which are what is refined."""
    tune = "psnr" if effort > 5 else None
    data = nc.compress(
        picture, codec="neural", graphics=False, quality=quality, effort=effort, tune=tune
    )
    return len(data), (torch.from_numpy(nc.decompress(data)) - picture).square().sum(0)


@pytest.mark.parametrize(
    ("kind", "side", "effort"),
    [("photo", 3, 5), ("photo", 5, 5), ("texture", 5, 5), ("texture", 5, 9)],
    ids=["small tiles", "photo", "one pass", "refined"],
)
def test_tiles_have_no_seams(
    kind: str, side: int, effort: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tiles meet, errors are what they are there if the picture is a single tile."""
    size = 16 * 2 * side
    picture = photo_crop(size, 20, 120) if kind == "photo" else texture(size, size, 3)
    size_of_one, one = errors(picture, 90, effort)
    monkeypatch.setattr(tiles, "TILE", side)
    size_of_many, many = errors(picture, 90, effort)
    beside = near_edges(size, side)
    assert float(many[beside].mean()) < 1.3 * float(one[beside].mean())
    assert float(many[~beside].mean()) < 1.05 * float(one[~beside].mean())
    assert size_of_many < 1.2 * size_of_one


def test_a_picture_beyond_the_last_whole_tile_has_no_seam() -> None:
    """Here the second tile has two ranges."""
    picture = texture(1030, 20, 1, seed=2)
    error = errors(picture, 80, 5)[1]
    assert float(error[1020:1028].mean()) < 1.5 * float(error[:1020].mean()) + 1e-4


def test_tiles_are_coded_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change beyond the margin of a tile leaves its middle as it is."""
    monkeypatch.setattr(tiles, "TILE", 2)
    picture = photo_crop(240)[:, :32]
    changed = picture.clone()
    changed[:, :, 160:] = 1 - changed[:, :, 160:]
    before, after = (
        nc.decompress(nc.compress(p, codec="neural", graphics=False)) for p in (picture, changed)
    )
    assert np.array_equal(before[:, :, :24], after[:, :, :24])
    assert not np.array_equal(before[:, :, 160:], after[:, :, 160:])
