import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.fractal.geometry import (
    DIAGONAL,
    POOLING,
    SIZES,
    TILE,
    PlaneGeometry,
    last_diagonal,
    quantiser_step,
)
from neural_collage.fractal.patches import cosine_transform, patch_amplitudes, patch_bank

sides = st.one_of(st.integers(1, 40), st.integers(1, 1200), st.sampled_from([3, 255, 256, 5000]))
geometries = st.builds(PlaneGeometry, sides, sides, st.sampled_from([4, 8, 16]))


def test_the_canvas_is_the_image_rounded_up_to_whole_roots() -> None:
    geometry = PlaneGeometry(33, 5000, 4)
    assert (geometry.canvas_height, geometry.canvas_width) == (64, 5024)
    assert geometry.grid(4) == (16, 1256)


@pytest.mark.parametrize("size", SIZES)
@given(geometry=geometries)
def test_every_domain_lies_on_the_lattice_inside_the_canvas(
    size: int, geometry: PlaneGeometry
) -> None:
    rows, columns = geometry.grid(size)
    y = np.unique(np.linspace(0, rows - 1, 9, dtype=int)) * size
    for column in (0, columns // 2, columns - 1):
        x = np.full_like(y, column * size)
        _, _, pool_rows, pool_columns = geometry.pools(size, y, x)
        positions = pool_rows * pool_columns
        room = POOLING * size <= min(geometry.canvas_height, geometry.canvas_width)
        assert ((positions > 0) == room).all()
        if not room:
            continue
        for address in (np.zeros_like(y), positions // 2, positions - 1):
            corner_y, corner_x = geometry.domain_corners(size, y, x, address)
            for corner, extent in (
                (corner_y, geometry.canvas_height),
                (corner_x, geometry.canvas_width),
            ):
                assert (corner >= 0).all()
                assert (corner % geometry.lattice == 0).all()
                assert (corner + POOLING * size <= extent).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(32, 64), (300, 40), (512, 700), (90, 259)])
def test_a_pool_has_distinct_domains_and_is_shared_by_its_tile(
    size: int, shape: tuple[int, int]
) -> None:
    geometry = PlaneGeometry(*shape, 8)
    for tile_y, tile_x in geometry.tiles():
        y, x = np.array([tile_y]), np.array([tile_x])
        _, _, rows, columns = geometry.pools(size, y, x)
        count = int(rows[0] * columns[0])
        assert count <= (TILE // 8) ** 2
        address = np.arange(count)
        corners = geometry.domain_corners(size, y.repeat(count), x.repeat(count), address)
        assert len(set(zip(*(c.tolist() for c in corners), strict=True))) == count
        last_y, last_x = y + min(TILE, geometry.canvas_height - tile_y) - size, x
        assert geometry.pools(size, last_y, last_x) == geometry.pools(size, y, x)


def test_the_tiles_cover_the_canvas_once() -> None:
    geometry = PlaneGeometry(TILE + 1, 2 * TILE + 1, 4)
    assert geometry.tiles() == [(y, x) for y in (0, TILE) for x in (0, TILE, 2 * TILE)]


@pytest.mark.parametrize("size", SIZES)
def test_the_cosine_transform_is_orthonormal(size: int) -> None:
    transform = cosine_transform(size)
    assert transform.shape == (min(8, size), size)
    torch.testing.assert_close(transform @ transform.T, torch.eye(len(transform)))
    assert last_diagonal(size) == 2 * len(transform) - 2


@pytest.mark.parametrize("size", SIZES)
def test_patches_weighted_by_amplitudes_invert_the_transform(size: int) -> None:
    q = min(8, size)
    coefficients = torch.randn(q, q)
    t = cosine_transform(size)
    weights = torch.zeros(8, 8)
    weights[:q, :q] = coefficients * patch_amplitudes(size)
    # The patches of the bank, as cell averages of its cosines at this size.
    time = (torch.arange(64 * size) + 0.5) / (64 * size)
    waves = torch.cos(math.pi * torch.arange(8)[:, None] * time) * math.sqrt(2)
    waves[0] = 1
    cells = waves.view(8, size, 64).mean(2)
    torch.testing.assert_close(
        torch.einsum("uv,ui,vj->ij", weights, cells, cells),
        t.T @ coefficients @ t,
        atol=1e-3,
        rtol=0,
    )


def test_the_first_patch_is_constant_and_all_others_have_zero_mean() -> None:
    bank = patch_bank()
    assert bank.shape == (64, 1, 8, 8)
    torch.testing.assert_close(bank[0], torch.ones(1, 8, 8))
    assert float(bank[1:].mean((1, 2, 3)).abs().max()) < 1e-6
    assert DIAGONAL.ravel()[[0, 1, 8, 63]].tolist() == [0, 1, 1, 14]


def test_the_quantiser_step_falls_geometrically_from_160_to_8() -> None:
    steps = [quantiser_step(quality) for quality in range(1, 101)]
    assert steps[0] == 160
    assert steps[-1] == pytest.approx(8)
    ratios = np.divide(steps[1:], steps[:-1])
    assert ratios == pytest.approx(ratios[0])
    assert ratios[0] < 1
