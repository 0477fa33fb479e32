import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import cut, pad_to_multiple, pool
from neural_collage.fractal import matching
from neural_collage.fractal.geometry import IntArray, PlaneGeometry
from neural_collage.fractal.matching import Matches, centred_domains, match
from tests.pictures import texture


def positions(geometry: PlaneGeometry, size: int) -> tuple[IntArray, IntArray]:
    """Corners (y, x) of all ranges of a size."""
    y, x = np.indices(geometry.grid(size)).reshape(2, -1) * size
    return y, x


def search(canvas: Tensor, geometry: PlaneGeometry, size: int) -> Matches:
    y, x = positions(geometry, size)
    return match(pool(canvas, 2)[0], cut(canvas[0], size), y, x, geometry, size)


def product(range_: Tensor, domain: Tensor) -> float:
    """|<range, domain>| / ||domain||, both without their means."""
    range_, domain = range_ - range_.mean(), domain - domain.mean()
    return float((range_ * domain).sum().abs() / domain.norm())


@pytest.mark.parametrize(
    ("height", "width", "size", "lattice"), [(64, 40, 16, 16), (32, 64, 8, 8), (40, 32, 4, 4)]
)
def test_the_match_agrees_with_an_exhaustive_search(
    height: int, width: int, size: int, lattice: int
) -> None:
    geometry = PlaneGeometry(height, width, lattice)
    canvas = pad_to_multiple(texture(height, width) * 255, 32).double()
    half, blocks = pool(canvas, 2)[0], cut(canvas[0], size)
    found = search(canvas, geometry, size)
    y, x = positions(geometry, size)
    _, _, rows, columns = geometry.pools(size, y, x)
    for r in range(0, len(blocks), max(1, len(blocks) // 7)):
        best = 0.0
        for address in range(int(rows[r] * columns[r])):
            (v,), (u,) = geometry.domain_corners(
                size, y[r : r + 1], x[r : r + 1], np.array([address])
            )
            domain = half[v // 2 : v // 2 + size, u // 2 : u // 2 + size]
            for g in range(8):
                value = product(blocks[r], isometry.apply(domain, g))
                best = max(best, value)
                if (address, g) == (int(found.address[r]), int(found.isometry[r])):
                    assert value == pytest.approx(float(found.product[r]))
        assert float(found.product[r]) == pytest.approx(best)


@pytest.mark.parametrize("code", range(8))
def test_a_copied_domain_is_found_with_its_isometry(code: int) -> None:
    geometry = PlaneGeometry(96, 288, 8)
    canvas = torch.rand(1, 96, 288) * 255
    half = pool(canvas, 2)[0]
    blocks = cut(canvas[0], 8).clone()
    y, x = positions(geometry, 8)
    copy = len(blocks) - 40 + code  # in the second tile
    address = 123 + 7 * code
    corner_y, corner_x = geometry.domain_corners(8, y[[copy]], x[[copy]], np.array([address]))
    corner = torch.tensor([[corner_y[0], corner_x[0]]]) // 2
    domain = centred_domains(half, corner, torch.tensor([code]), 8)[0]
    window = half[corner_y[0] // 2 :, corner_x[0] // 2 :][:8, :8]
    torch.testing.assert_close(
        domain, isometry.apply(window - window.mean(), code), atol=1e-3, rtol=0
    )
    blocks[copy] = 90 - 0.5 * domain
    found = match(half, blocks, y, x, geometry, 8)
    assert int(found.address[copy]) == address
    assert int(found.isometry[copy]) == code
    assert float(found.product[copy]) == pytest.approx(float(0.5 * domain.norm()), rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 200.0])
def test_a_flat_image_has_no_matches(value: float) -> None:
    geometry = PlaneGeometry(64, 64, 8)
    noise = torch.rand(1, 64, 64)  # below the minimum deviation
    assert not search(torch.full((1, 64, 64), value) + noise, geometry, 8).product.any()


def test_a_canvas_smaller_than_a_domain_has_no_matches() -> None:
    geometry = PlaneGeometry(32, 500, 4)
    canvas = pad_to_multiple(texture(32, 500) * 255, 32)
    found = search(canvas, geometry, 32)
    assert not found.product.any()
    assert not found.address.any()


def test_matches_are_independent_of_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = PlaneGeometry(64, 320, 8)
    canvas = (pad_to_multiple(texture(64, 320), 32) * 255).double()
    whole = search(canvas, geometry, 8)
    monkeypatch.setattr(matching, "PRODUCTS", 1)
    parts = search(canvas, geometry, 8)
    torch.testing.assert_close(whole.product, parts.product)
    assert (whole.address == parts.address).float().mean() > 0.99  # but for near ties
