"""Small hierarchical VAEs of both kinds, with noise added to all parameters."""

from dataclasses import replace

import torch
from torch import nn

from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.models.generation.hierarchy_config import (
    DecoderStage,
    EncoderStage,
    HierarchyConfig,
)
from neural_collage.models.generation.likelihoods import LikelihoodConfig
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.detail_links import DetailLinksConfig

SIZE = 12
HIERARCHY = HierarchyConfig(
    width=8,
    stem=2,
    bottom_up=(EncoderStage(6, 1, 4), EncoderStage(3, 1, 4), EncoderStage(1, 1, 4)),
    top_down=(DecoderStage(1, 2, 3, 4), DecoderStage(3, 1, 2, 4)),
    bias_resolution=1,
)
OPERATOR = OperatorConfig(
    image_size=(SIZE, SIZE),
    channels=1,
    range_size=4,
    domain_sizes=(8,),
    isometries="rotations",
    n_patches=4,
    enlarge="smooth",
)
MIXTURE = LikelihoodConfig("logistic_mixture", channels=3, mixtures=2, bits=3)


def trained(model: HierarchicalVae) -> HierarchicalVae:
    """Add noise to all parameters: the output of an untrained model ignores its latents."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def collage_vae(hierarchy: HierarchyConfig = HIERARCHY) -> CollageVae:
    model = trained(CollageVae(OPERATOR, hierarchy=hierarchy))
    assert isinstance(model, CollageVae)
    return model


def letters_vae() -> CollageVae:
    """Of the classes A, B and C, with detail links and the likelihood of coverage."""
    operator = OperatorConfig(
        image_size=(SIZE, SIZE), channels=1, range_size=2, domain_sizes=(), n_patches=3
    )
    top_down = (DecoderStage(1, 2, 3, 4), DecoderStage(3, 1, 2, 4), DecoderStage(6, 1, 1, 4))
    hierarchy = replace(HIERARCHY, classes="ABC", top_down=top_down)
    likelihood = LikelihoodConfig("coverage")
    model = trained(CollageVae(operator, likelihood, hierarchy, detail=DetailLinksConfig()))
    assert isinstance(model, CollageVae)
    return model


def with_latent_patches() -> HierarchicalVae:
    operator = replace(OPERATOR, patches="given", n_patches=3, patch_size=3)
    path = (DecoderStage(1, 1, 2, 4), DecoderStage(3, 1, 1, 4))
    return trained(CollageVae(operator, hierarchy=HIERARCHY, latent_patches=path))


def every_kind() -> dict[str, HierarchicalVae]:
    relative = replace(HIERARCHY, relative_posterior=True)
    colour = replace(OPERATOR, channels=MIXTURE.planes)
    return {
        "vdvae": trained(Vdvae(SIZE, hierarchy=HIERARCHY)),
        "relative posteriors": trained(Vdvae(SIZE, MIXTURE, relative)),
        "collage": collage_vae(),
        "collage of a mixture": trained(CollageVae(colour, MIXTURE, HIERARCHY)),
        "latent patches": with_latent_patches(),
    }


def zeroed(module: nn.Module) -> None:
    """Set all parameters to zero."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
