from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from scipy.fft import dctn
from torch import Tensor

from neural_collage.core.blocks import cut, stitch
from neural_collage.core.lapped import LappedTexture
from neural_collage.models.compression.initial_patches import (
    centred_windows,
    cosine_blocks,
    principal_blocks,
)
from tests.pictures import photo_crop

Blocks = Callable[[Tensor, int, int, float], tuple[Tensor, Tensor]]


def blocks_of(images: Tensor, size: int) -> Tensor:
    """(n, c * size * size)."""
    return cut(images, size).transpose(1, 2).flatten(0, 1).flatten(1)


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("of", [principal_blocks, cosine_blocks])
def test_components_are_orthonormal_and_the_widest_come_first(of: Blocks, size: int) -> None:
    images = torch.stack([photo_crop(32), photo_crop(32, left=300)])
    components, spread = of(images, size, 10, 0.5)
    assert components.shape == (10, 3, size, size)
    flat = components.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(10), atol=1e-5, rtol=0)
    assert bool((spread.diff() <= 1e-6).all())
    assert float(spread[0]) > 10 * float(spread[-1])


@pytest.mark.parametrize("of", [principal_blocks, cosine_blocks])
def test_spreads_are_those_of_the_projections_about_the_centre(of: Blocks) -> None:
    images = photo_crop(40)[None]
    for centre in (0.5, 0.2):
        components, spread = of(images, 8, 12, centre)
        projected = (blocks_of(images, 8) - centre) @ components.flatten(1).T
        torch.testing.assert_close(spread, projected.square().mean(0).sqrt(), atol=1e-5, rtol=1e-3)


def test_principal_components_maximise_the_energy_of_blocks() -> None:
    images = photo_crop(48)[None]
    components, _ = principal_blocks(images, 4, 5, 0.5)
    blocks = blocks_of(images, 4) - 0.5
    kept = (blocks @ components.flatten(1).T).square().sum()
    for seed in range(5):
        random = torch.randn(48, 5, generator=torch.Generator().manual_seed(seed))
        nearby = torch.linalg.qr(components.flatten(1).T + 0.05 * random)[0]
        assert float((blocks @ nearby).square().sum()) < float(kept)


def test_blocks_of_few_kinds_have_as_many_components() -> None:
    kinds = torch.linalg.qr(torch.randn(3 * 16, 2, dtype=torch.float64))[0].T.float()
    mixed = torch.randn(40, 2) * torch.tensor([1.0, 0.2]) @ kinds
    image = stitch(mixed.unflatten(1, (3, 4, 4)).transpose(0, 1), 16, 40)
    components, spread = principal_blocks(image[None] + 0.5, 4, 4, 0.5)
    assert float(spread[1]) > 0.1
    assert float(spread[2:].max()) < 1e-3
    found = components[:2].flatten(1)
    torch.testing.assert_close(found.T @ (found @ mixed.T), mixed.T, atol=1e-4, rtol=0)


@pytest.mark.parametrize("of", [principal_blocks, cosine_blocks])
def test_there_are_no_more_than_samples(of: Blocks) -> None:
    components, spread = of(torch.rand(2, 3, 8, 8), 2, 50, 0.5)
    assert components.shape == (12, 3, 2, 2)
    assert spread.shape == (12,)


def test_cosines_are_those_of_the_discrete_cosine_transform() -> None:
    """Of luma, as others compute it; chroma has no mean."""
    components, _ = cosine_blocks(photo_crop(64)[None], 8, 192, 0.5)
    grey = components[(components - components.mean(1, keepdim=True)).abs().amax((1, 2, 3)) < 1e-6]
    assert len(grey) == 64
    for component in grey[:, 0].double() * 3**0.5:
        transformed = dctn(component.numpy(), norm="ortho")
        assert abs(transformed).max() == pytest.approx(1, abs=1e-5)
        assert abs(transformed).sum() == pytest.approx(1, abs=1e-4)


def test_cosines_are_the_same_for_all_pictures_but_for_their_order() -> None:
    one, other = (
        cosine_blocks(picture[None], 4, 48, 0.5)[0].flatten(1)
        for picture in (photo_crop(32), torch.rand(3, 32, 32))
    )
    products = (one @ other.T).abs()
    assert not torch.equal(one, other)
    torch.testing.assert_close(products.amax(1), torch.ones(48), atol=1e-5, rtol=0)
    torch.testing.assert_close(products.sum(1), torch.ones(48), atol=1e-4, rtol=0)


def test_principal_components_keep_more_energy_than_cosines() -> None:
    images = torch.stack([photo_crop(64), photo_crop(64, left=300)])
    kept = [
        float(of(images, 8, 20, 0.5)[1].square().sum()) for of in (principal_blocks, cosine_blocks)
    ]
    assert kept[1] < kept[0] < 1.1 * kept[1]


def test_patches_in_the_middle_of_windows_do_not_overlap() -> None:
    """The texture of such patches is a tiling by them."""
    blocks = torch.randn(5, 3, 4, 4)
    windows = centred_windows(blocks)
    assert windows.shape == (5, 3, 8, 8)
    assert torch.equal(windows[..., 2:-2, 2:-2], blocks)
    assert float(windows.abs().sum()) == pytest.approx(float(blocks.abs().sum()))
    coefficients = torch.randn(5, 3, 6)
    tiles = torch.einsum("an,acyx->cnyx", coefficients.flatten(1), blocks)
    texture = LappedTexture(coefficients, windows).canvas(Fraction(1))
    torch.testing.assert_close(texture, stitch(tiles, 12, 24), atol=1e-5, rtol=0)
