"""Detail links: averages, outlines that stay sharp, windows, and what does not fit."""

from typing import Any

import pytest
import torch
from torch import Tensor

from neural_collage.core.blocks import pool
from neural_collage.errors import ScaleError
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.detail_links import DetailLinks, DetailLinksConfig

OPERATOR = OperatorConfig(image_size=(16, 12), channels=2, range_size=2, domain_sizes=())
SHIFTS = DetailLinksConfig().shifts


def _links(config: DetailLinksConfig = DetailLinksConfig(), features: int = 5) -> DetailLinks:  # noqa: B008
    torch.manual_seed(0)
    return DetailLinks(features, OPERATOR, config)


def _weights(links: DetailLinks, spread: float = 1.0) -> Tensor:
    with torch.no_grad():
        weights: Tensor = links(spread * torch.randn(3, 5, 8, 6))
    return weights


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_pictures_of_any_scale_average_to_those_of_scale_one(scale: int) -> None:
    links, image = _links(), torch.rand(3, 2, 16, 12)
    larger = links.continued(image, _weights(links, 50.0), scale)
    assert larger.shape == (3, 2, 16 * scale, 12 * scale)
    torch.testing.assert_close(pool(larger, scale), image, atol=1e-5, rtol=1e-5)


def test_scale_one_is_the_picture_and_smaller_ones_are_its_averages() -> None:
    links, image = _links(), torch.rand(3, 2, 16, 12)
    weights = _weights(links)
    torch.testing.assert_close(links.continued(image, weights), image)
    torch.testing.assert_close(links.continued(image, weights, 0.5), pool(image, 2))


def test_a_straight_edge_stays_as_sharp_as_it_is() -> None:
    """A range at the distance t from an edge shows its domain, shifted by t away from the edge."""
    operator = OperatorConfig(image_size=(16, 16), channels=1, range_size=2, domain_sizes=())
    config = DetailLinksConfig(reach=2)
    links, scale = DetailLinks(1, operator, config), 8
    x = torch.arange(16 * scale) / scale
    truth = (x >= 7).float().expand(1, 1, 16 * scale, -1)  # through the middle of a range
    image = pool(truth, scale)
    weights = torch.zeros(1, len(config.shifts), 8, 8)
    for column, shift in ((2, -2), (3, 0), (4, 2)):
        weights[:, config.shifts.index((0, shift)), :, column] = 1.0
    plain = links.continued(image, torch.zeros_like(weights), scale)
    sharp = links.continued(image, weights, scale)
    torch.testing.assert_close(sharp, truth, atol=1e-4, rtol=0)
    assert float((plain - truth).square().mean()) > 0.004


def test_an_edge_beside_the_middle_does_not_need_the_domain_that_is_shifted_towards_it() -> None:
    operator = OperatorConfig(image_size=(16, 16), channels=1, range_size=2, domain_sizes=())
    links = DetailLinks(1, operator, DetailLinksConfig())
    x = torch.arange(32) / 2
    truth = (x >= 7.5).float().expand(1, 1, 32, -1)  # half a pixel right of the middle
    image = pool(truth, 2)
    errors = {}
    for shift in ((0, -1), (0, 0), (0, 1)):
        weights = torch.zeros(1, len(SHIFTS), 8, 8)
        weights[:, SHIFTS.index(shift)] = 1.0
        errors[shift] = float((links.continued(image, weights, 2) - truth).square().mean())
    assert min(errors, key=lambda shift: errors[shift]) != (0, 1)


def test_the_weights_of_a_range_sum_to_the_bound_at_most() -> None:
    links = _links(DetailLinksConfig(bound=0.75))
    total = _weights(links, 100.0).abs().sum(1)
    assert float(total.max()) == pytest.approx(0.75, rel=1e-5)
    assert bool((total <= 0.75 + 1e-6).all())


def test_a_region_is_a_crop() -> None:
    links, image = _links(), torch.rand(3, 2, 16, 12)
    weights = _weights(links)
    for scale, region in ((8, (31, 50, 20, 9)), (5, (10, 11, 12, 13)), (1, (1, 2, 3, 4))):
        x, y, width, height = region
        whole = links.continued(image, weights, scale)
        part = links.continued(image, weights, scale, region)
        torch.testing.assert_close(
            part, whole[..., y : y + height, x : x + width], atol=1e-5, rtol=1e-5
        )


def test_beyond_the_largest_side_pictures_are_interpolated(monkeypatch: Any) -> None:
    from neural_collage.models.operator import detail_links

    links, image = _links(), torch.rand(3, 2, 16, 12)
    weights = _weights(links, 50.0)
    monkeypatch.setattr(detail_links, "_MAX_SIDE", 32)
    region = (100, 200, 16, 8)
    part = links.continued(image, weights, 16, region)
    whole = links.continued(image, weights, 16)
    torch.testing.assert_close(part, whole[..., 200:208, 100:116], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pool(whole, 8), links.octave(image, weights), atol=1e-5, rtol=1e-5)


def test_gradients_reach_the_features_and_the_picture() -> None:
    links = _links()
    features = torch.randn(1, 5, 8, 6, requires_grad=True)
    image = torch.rand(1, 2, 16, 12, requires_grad=True)
    links.continued(image, links(features), 4).square().sum().backward()
    for leaf in (features, image):
        assert leaf.grad is not None
        assert float(leaf.grad.abs().sum()) > 0


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"reach": -1}, "reach must be a whole number"),
        ({"bound": 0.0}, "bound must be above 0"),
        ({"bound": 1.5}, "bound must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        DetailLinksConfig(**config)


@pytest.mark.parametrize(
    ("operator", "problem"),
    [
        ({"range_size": 3, "image_size": (12, 12)}, "even size"),
        ({"range_size": 4, "image_size": (14, 12)}, "whole ranges"),
    ],
)
def test_operators_that_do_not_fit_are_refused(operator: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        DetailLinks(5, OperatorConfig(domain_sizes=(), **operator), DetailLinksConfig())


def test_scales_and_sizes_out_of_range_are_refused() -> None:
    links, image = _links(), torch.rand(1, 2, 16, 12)
    weights = torch.zeros(1, len(SHIFTS), 8, 6)
    for scale, region in ((0, None), (2, (30, 0, 10, 10)), (1e5, None)):
        with pytest.raises(ScaleError):
            links.continued(image, weights, scale, region)
