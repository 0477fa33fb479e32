"""Codes of equal ranges against brute force, their fixed points, and their iteration."""

from itertools import pairwise
from itertools import product as combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import cut, pool
from neural_collage.core.collage import Collage
from neural_collage.errors import NotContractiveError
from neural_collage.fractal import pifs as pifs_module
from neural_collage.fractal.geometry import PlaneGeometry
from neural_collage.fractal.matching import match
from neural_collage.fractal.pifs import iterate, pifs
from tests.pictures import texture


def picture(height: int = 32, width: int = 40, channels: int = 1) -> Tensor:
    return texture(height, width, channels, seed=4).double()


def errors(collage: Collage, image: Tensor, size: int) -> Tensor:
    """Squared errors of the ranges after one step from the image."""
    return cut(iterate(collage, 1, image)[1] - image, size).square().sum((0, 2, 3))


def least_errors(
    image: Tensor, size: int, reduction: int, step: int, codes: Any, bound: float
) -> Tensor:
    """The least squared errors of the ranges, by trying every domain and isometry."""
    ranges = cut(image, size)
    best = torch.full((ranges.shape[1],), torch.inf, dtype=image.dtype)
    extent = size * reduction
    rows, columns = (range(0, side - extent + 1, step) for side in image.shape[1:])
    for y, x, g in combinations(rows, columns, codes):
        domain = pool(image[:, y : y + extent, x : x + extent], reduction)
        domain = isometry.apply(domain, g)
        total = torch.zeros_like(best)
        for blocks, plane in zip(ranges, domain, strict=True):
            d = plane - plane.mean()
            r = blocks - blocks.mean((1, 2), keepdim=True)
            contrast = ((r * d).sum((1, 2)) / d.square().sum()).clamp(-bound, bound)
            total += (r - contrast[:, None, None] * d).square().sum((1, 2))
        best = torch.minimum(best, total)
    return best


SETTINGS = [
    {"range_size": 8, "domain_size": 16},
    {"range_size": 4, "domain_size": 16, "step": 4, "isometries": (0, 5, 3, 6)},
    {"range_size": 4, "domain_size": 12, "step": 3, "isometries": (0,)},
    {"range_size": 8, "domain_size": 16, "step": 5, "bound": 0.4},
    {"range_size": 8, "domain_size": 32, "step": 1, "isometries": (2, 7), "bound": 3.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_no_other_domain_would_leave_a_smaller_error(
    settings: dict[str, Any], channels: int
) -> None:
    image = picture(channels=channels)
    size = settings["range_size"]
    collage = pifs(image, **settings)
    expected = least_errors(
        image,
        size,
        settings["domain_size"] // size,
        settings.get("step", settings["domain_size"]),
        settings.get("isometries", range(8)),
        settings.get("bound", 0.9),
    )
    torch.testing.assert_close(errors(collage, image, size), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("settings", SETTINGS[:4], ids=str)
def test_the_decode_is_the_limit_of_the_iteration_from_any_start(settings: dict[str, Any]) -> None:
    image = picture(37, 45, 2)  # of ranges that reach beyond the picture
    collage = pifs(image, **settings)
    decoded = collage.decode()
    starts = [None, image, torch.rand(image.shape, generator=torch.Generator().manual_seed(1))]
    for start in starts:
        limit = iterate(collage, 300, start)[-1]
        torch.testing.assert_close(limit, decoded, atol=1e-9, rtol=0)
    forgotten = iterate(collage, 300, image, noise={0: 1.0, 20: image, 30: 5.0})
    torch.testing.assert_close(forgotten[-1], decoded, atol=1e-9, rtol=0)


@pytest.mark.parametrize("settings", SETTINGS[:4], ids=str)
def test_steps_contract_and_the_collage_theorem_holds(settings: dict[str, Any]) -> None:
    image, bound = picture(), settings.get("bound", 0.9)
    collage = pifs(image, **settings)
    assert collage.contraction() <= bound
    decoded = collage.decode()
    distances = [float((z - decoded).abs().max()) for z in iterate(collage, 8, image)]
    for before, after in pairwise(distances):
        assert after <= bound * before + 1e-9
    step = float((iterate(collage, 1, image)[1] - image).abs().max())
    assert distances[0] <= step / (1 - bound) + 1e-9


@pytest.mark.parametrize(("size", "lattice"), [(16, 16), (8, 8), (4, 4), (8, 4)])
def test_the_search_of_the_encoder_finds_the_same_domains(size: int, lattice: int) -> None:
    image = picture(64, 96)
    geometry = PlaneGeometry(64, 96, lattice)
    y, x = np.indices(geometry.grid(size)).reshape(2, -1) * size
    found = match(pool(image * 255, 2)[0], cut(image[0] * 255, size), y, x, geometry, size)
    corners = geometry.domain_corners(size, y, x, found.address.numpy())
    collage = pifs(image, size, 2 * size, step=lattice, bound=100)
    assert np.array_equal(collage.domains[:, 0].numpy(), np.stack(corners, 1))
    assert torch.equal(collage.isometries[:, 0], found.isometry)


def test_a_picture_that_is_a_fixed_point_is_found_exactly() -> None:
    collage = pifs(picture(), 8, 16, step=4)
    attractor = collage.decode()
    again = pifs(attractor, 8, 16, step=4)
    torch.testing.assert_close(again.decode(), attractor, atol=1e-9, rtol=0)


def test_several_sources_average_their_fits() -> None:
    image = picture()
    single, several = (pifs(image, 8, 16, step=4, sources=k) for k in (1, 3))
    assert torch.equal(several.domains[:, :1], single.domains)
    assert torch.equal(several.isometries[:, :1], single.isometries)
    assert several.domains_per_range == 3
    assert several.contraction() <= 0.9
    averages = cut(iterate(several, 1, image)[1], 8).mean((2, 3))
    torch.testing.assert_close(averages, cut(image, 8).mean((2, 3)))


def test_the_result_does_not_depend_on_how_much_is_searched_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = pifs(picture(), 8, 16, step=4, sources=2)
    monkeypatch.setattr(pifs_module, "PRODUCTS", 1)
    parts = pifs(picture(), 8, 16, step=4, sources=2)
    assert torch.equal(parts.domains, whole.domains)
    assert torch.equal(parts.isometries, whole.isometries)


def test_smaller_steps_and_more_isometries_never_lose() -> None:
    image = picture()
    found = [
        errors(pifs(image, 4, 8, step=step, isometries=codes), image, 4)
        for step, codes in ((8, (0,)), (4, (0,)), (4, (0, 5, 3, 6)), (4, range(8)), (1, range(8)))
    ]
    for coarse, fine in pairwise(found):
        assert (fine <= coarse + 1e-12).all()
        assert fine.sum() < coarse.sum()


def test_flat_pictures_have_no_contrast() -> None:
    image = torch.full((2, 16, 16), 0.25)
    collage = pifs(image, 4, 8)
    assert collage.contraction() == 0
    torch.testing.assert_close(collage.decode(), image)


def test_a_start_is_shown_and_noise_is_added_before_its_step() -> None:
    image = picture()
    collage = pifs(image, 8, 16)
    first, second = iterate(collage, 1, image, noise={0: image})
    assert torch.equal(first, image)
    assert torch.equal(second, iterate(collage, 1, 2 * image)[1])
    drawn = [iterate(collage, 1, noise={0: 1.0}, seed=seed)[1] for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("step", [2, 3])
def test_iterates_at_a_scale_average_to_those_of_the_picture(step: int) -> None:
    image = picture()
    collage = pifs(image, 4, 8, step=step)
    large = iterate(collage, 4, scale=2)
    for z, expected in zip(large, iterate(collage, 4), strict=True):
        torch.testing.assert_close(pool(z, 2), expected, atol=1e-12, rtol=0)
    assert large[0].shape == (1, 64, 80)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"range_size": 0, "domain_size": 8}, "range_size must be a whole number of at least 1"),
        ({"range_size": 8, "domain_size": 12}, "multiple of at least 2 of range_size 8, not 12"),
        ({"range_size": 8, "domain_size": 8}, "multiple of at least 2"),
        ({"range_size": 8, "domain_size": 64}, "a domain of 64 does not fit in 40x32"),
        ({"range_size": 8, "domain_size": 16, "isometries": (0, 0)}, "different codes of 0..7"),
        ({"range_size": 8, "domain_size": 16, "isometries": ()}, "different codes of 0..7"),
        ({"range_size": 8, "domain_size": 16, "isometries": (8,)}, "different codes of 0..7"),
        ({"range_size": 8, "domain_size": 16, "bound": 0}, "bound must be a number above 0"),
        ({"range_size": 8, "domain_size": 16, "step": 0}, "step must be a whole number"),
        ({"range_size": 8, "domain_size": 16, "sources": 99}, "only 32 domains of 16 pixels"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        pifs(picture(), **settings)


def test_a_map_that_may_not_contract_is_not_decoded_unasked() -> None:
    collage = pifs(picture(), 4, 8, step=1, bound=3.0)
    assert collage.contraction() > 1
    with pytest.raises(NotContractiveError):
        collage.decode()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1"),
        ({"steps": 2, "noise": {2: 1.0}}, "there is no step 2 of 2"),
        ({"steps": 2, "noise": {1: torch.zeros(1, 3, 3)}}, "the noise of step 1 must have"),
        ({"steps": 2, "start": torch.zeros(1, 3, 3)}, "start must have the shape"),
        ({"steps": 2, "scale": 0}, "scale must be a whole number"),
    ],
)
def test_iterations_that_cannot_be_are_refused(options: dict[str, Any], problem: str) -> None:
    collage = pifs(picture(), 8, 16)
    with pytest.raises(ValueError, match=problem):
        iterate(collage, **options)
