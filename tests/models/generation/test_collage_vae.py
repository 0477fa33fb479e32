from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from neural_collage.core.blocks import pool
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchy_config import DecoderStage
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.detail_links import DetailLinksConfig
from tests.models.generation.generators import (
    HIERARCHY,
    MIXTURE,
    OPERATOR,
    SIZE,
    collage_vae,
    letters_vae,
    trained,
    with_latent_patches,
)


@pytest.mark.parametrize("scale", [2, 3, 10])
@pytest.mark.parametrize("enlarge", ["smooth", "cosine"])
def test_a_sample_averages_down_to_the_sample_at_scale_one(scale: int, enlarge: Any) -> None:
    model = trained(CollageVae(replace(OPERATOR, enlarge=enlarge), hierarchy=HIERARCHY))
    with torch.no_grad():
        features = model.sample(2).features
        plain, enlarged = model.render(features), model.render(features, scale)
    assert enlarged.shape == (2, 1, scale * SIZE, scale * SIZE)
    assert float(plain.std()) > 0.1
    torch.testing.assert_close(pool(enlarged, scale), plain, atol=1e-5, rtol=1e-4)


def test_a_region_is_a_crop_of_the_sample() -> None:
    model = collage_vae()
    with torch.no_grad():
        features = model.sample(1).features
        whole = model.render(features, 16)
        part = model.render(features, 16, (30, 50, 20, 10))
    torch.testing.assert_close(part, whole[..., 50:60, 30:50])


def test_latent_patches_differ_between_samples() -> None:
    model = with_latent_patches()
    assert isinstance(model, CollageVae)
    assert model.stages == ["1x1", "3x3", "patches.1x1", "patches.3x3"]
    with torch.no_grad():
        inference = model.sample(2)
        patches = model.code(inference.features).patches
        same = model.sample(2, latents=inference.latents[:3])
    assert patches is not None
    assert patches.shape == (2, 3, 1, 3, 3)
    assert not torch.allclose(patches[0], patches[1])
    torch.testing.assert_close(same.features[0], inference.features[0])  # patches alone differ
    assert model.operator.patches is None


def test_domain_weights_change_the_sample() -> None:
    """The sample is a fixed point with self-similarity, not a sum of patches."""
    model = collage_vae()
    with torch.no_grad():
        features = model.sample(1).features
        code = model.code(features)
        own = model.operator.config.n_own
        without = torch.cat(
            [torch.zeros_like(code.weights[..., :own]), code.weights[..., own:]], -1
        )
        alone = code._replace(weights=without).decode(model.operator)
        assert not torch.allclose(alone, model.render(features), atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"operator": replace(OPERATOR, channels=3)}, "operator.channels must be 1"),
        ({"operator": replace(OPERATOR, image_size=(12, 8))}, "must be square, not 12x8"),
        ({"operator": replace(OPERATOR, image_size=(16, 16))}, "12x12, not 16x16"),
        (
            {"operator": OperatorConfig((SIZE, SIZE), 1, range_size=2, domain_sizes=(4,))},
            "one position for each of the 6x6",
        ),
        ({"likelihood": MIXTURE}, "operator.channels must be 23"),
        ({"operator": replace(OPERATOR, patches="given")}, 'must be "given" with latent_patches'),
        ({"latent_patches": (DecoderStage(3),)}, "and only with them"),
        ({"operator": replace(OPERATOR, patches="style")}, 'not "style"'),
        (
            {
                "operator": replace(OPERATOR, patches="given"),
                "latent_patches": (DecoderStage(1), DecoderStage(2)),
            },
            "latent_patches has a stage of 2.*must be 4x4",
        ),
    ],
)
def test_incompatible_configs_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        CollageVae(**{"operator": OPERATOR, "hierarchy": HIERARCHY, **changes})


def test_detail_links_change_only_what_is_above_scale_one(tmp_path: Path) -> None:
    model = letters_vae()
    with torch.no_grad():
        features = model.sample(2, classes=torch.tensor([0, 2])).features
        plain, enlarged = model.render(features), model.render(features, 8)
        torch.testing.assert_close(pool(enlarged, 8), plain, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(plain, model.code(features).decode(model.operator))
        part = model.render(features, 8, (7, 9, 20, 30))
        torch.testing.assert_close(part, enlarged[..., 9:39, 7:27], atol=1e-5, rtol=1e-4)
        smooth = model.code(features).decode(model.operator, 8)
        assert not torch.allclose(enlarged, smooth, atol=1e-3)
        model.save_pretrained(tmp_path)
        again = CollageVae.from_pretrained(tmp_path)
        assert again.classes == "ABC"
        torch.testing.assert_close(again.render(features, 8), enlarged)


def test_detail_links_need_an_operator_that_fits() -> None:
    with pytest.raises(ValueError, match="ranges of an even size, not 3"):
        CollageVae(
            OperatorConfig((12, 12), 1, 3, ()), hierarchy=HIERARCHY, detail=DetailLinksConfig()
        )
