from dataclasses import replace
from typing import Any

import pytest
import torch

from neural_collage.models.generation.hierarchy import BottomUp, TopDown
from neural_collage.models.generation.hierarchy_config import (
    DecoderStage,
    EncoderStage,
    HierarchyConfig,
)
from tests.models.generation.generators import HIERARCHY


def test_features_of_each_stage_have_its_resolution() -> None:
    config = HierarchyConfig()
    features = BottomUp(1, config)(torch.rand(2, 1, 28, 28))
    assert {r: f.shape for r, f in features.items()} == {r: (2, 64, r, r) for r in (14, 7, 4, 1)}


def test_untrained_priors_are_standard_normal() -> None:
    path = TopDown(HIERARCHY, HIERARCHY.top_down)
    _, steps = path.generate(2, [1.0, 1.0])
    for step in steps:
        assert torch.equal(step.prior.mean, torch.zeros_like(step.prior.mean))
        assert torch.equal(step.prior.log_scale, torch.zeros_like(step.prior.mean))
    assert [tuple(step.latents.shape) for step in steps] == [(2, 3, 1, 1)] * 2 + [(2, 2, 3, 3)]


def test_posteriors_depend_on_the_image_and_on_earlier_latents() -> None:
    encoder, path = BottomUp(1, HIERARCHY), TopDown(HIERARCHY, HIERARCHY.top_down)
    images = torch.rand(2, 1, 12, 12)
    _, steps = path.infer(encoder(images))
    first = steps[0].posterior
    assert first is not None
    assert not torch.allclose(first.mean[0], first.mean[1])
    _, again = path.infer(encoder(images))
    assert again[0].posterior is not None
    torch.testing.assert_close(again[0].posterior.mean, first.mean)
    assert not torch.allclose(again[1].posterior.mean, steps[1].posterior.mean)  # type: ignore[union-attr]


def test_mix_selects_the_stage_whose_features_are_used() -> None:
    """With mix=1, the last of three stages does not depend on the latents of the second."""
    stages = (DecoderStage(1, 1, 2, 4), DecoderStage(3, 1, 2, 4), DecoderStage(6, 1, 2, 4))
    for mix, depends in ((None, True), (3, True), (1, False)):
        path = (*stages[:2], replace(stages[2], mix=mix))
        decoder = TopDown(HIERARCHY, path)
        latents = [torch.ones(1, 2, 1, 1), torch.ones(1, 2, 3, 3), torch.ones(1, 2, 6, 6)]
        plain, _ = decoder.generate(1, [0.0] * 3, latents)
        latents[1] = -latents[1]
        changed, _ = decoder.generate(1, [0.0] * 3, latents)
        assert torch.allclose(plain, changed) != depends


def test_positions_of_a_stage_with_a_bias_map_differ_without_latents() -> None:
    config = replace(HIERARCHY, bias_resolution=3)
    decoder = TopDown(config, config.top_down)
    bias = decoder.each_stage[1].bias
    assert bias is not None
    torch.nn.init.normal_(bias)
    with torch.no_grad():
        features, _ = decoder.generate(1, [0.0, 0.0])
    assert float(features.std((2, 3)).max()) > 0.1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"bottom_up": ()}, "bottom_up must have at least one stage"),
        ({"bottom_up": (EncoderStage(3), EncoderStage(6))}, r"must decrease, not be \[3, 6\]"),
        ({"top_down": ()}, "top_down must have at least one stage"),
        ({"top_down": (DecoderStage(3), DecoderStage(1))}, r"must increase, not be \[3, 1\]"),
        ({"top_down": (DecoderStage(2),)}, "a stage of 2, but bottom_up has none"),
        ({"top_down": (DecoderStage(1, 0),)}, "layers=0.*all must be at least 1"),
        ({"top_down": (DecoderStage(1), DecoderStage(3, mix=6))}, "mixes 6 into 3"),
        ({"width": 0, "bottom_up": (EncoderStage(1, -1),)}, r"width 0.*blocks=-1.*not negative"),
    ],
)
def test_invalid_configs_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(HIERARCHY, **changes)


def test_fit_problems_names_the_expected_image_size() -> None:
    assert HIERARCHY.fit_problems(12) == []
    assert "take images of 12x12, not 28x28" in HIERARCHY.fit_problems(28)[0]
