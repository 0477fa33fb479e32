"""Operators of every kind on small images, random parameters, and a reference map in loops."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.resample import resize_patches
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.operator import CollageOperator


class Case(NamedTuple):
    """An operator, and how many links a range has (0: it is linked to all sources)."""

    config: OperatorConfig
    n_links: int = 0


def _config(**options: Any) -> OperatorConfig:
    small = {
        "image_size": (8, 8),
        "channels": 2,
        "range_size": 2,
        "domain_sizes": (4,),
        "bound": 0.6,  # few iterations
    }
    return OperatorConfig(**{**small, **options})


CASES: Mapping[str, Case] = {
    "plain": Case(_config()),
    "whole-image domain": Case(_config(domain_sizes=(8,))),
    "size that does not tile": Case(_config(image_size=(7, 5))),
    "thirds": Case(_config(image_size=(9, 9), range_size=3, domain_sizes=(9,))),
    "quadtree of domains": Case(_config(domain_sizes=(8, 4, 2))),
    "ranges as domains": Case(_config(domain_sizes=(2,))),
    "rotations": Case(_config(isometries="rotations", channels=1)),
    "all isometries": Case(_config(isometries="all", channels=1)),
    "learned patches": Case(_config(n_patches=3)),
    "turned patches": Case(_config(n_patches=2, patch_isometries="all")),
    "turned given patches": Case(
        _config(patches="given", n_patches=2, patch_isometries="rotations", patch_size=4)
    ),
    "turned style": Case(
        _config(patches="style", n_patches=2, patch_isometries="rotations", enlarge="smooth")
    ),
    "links to turned patches": Case(
        _config(n_patches=2, isometries="rotations", patch_isometries="all"), n_links=3
    ),
    "finer patches": Case(_config(n_patches=2, patch_size=4)),
    "given patches": Case(_config(patches="given", n_patches=2)),
    "style": Case(_config(patches="style", n_patches=3)),
    "patch share": Case(_config(n_patches=2, patch_share=0.3)),
    "smooth": Case(_config(domain_sizes=(4, 8), n_patches=3, enlarge="smooth")),
    "smooth constants alone": Case(_config(domain_sizes=(), n_patches=3, enlarge="smooth")),
    "patches alone": Case(_config(domain_sizes=(), n_patches=3)),
    "per channel": Case(_config(per_channel=True, n_patches=2)),
    "softmax": Case(_config(mixing="softmax", n_patches=2)),
    "free": Case(_config(mixing="free", isometries="all", channels=1)),
    "links": Case(_config(n_patches=2, isometries="rotations"), n_links=3),
    "links of one channel each": Case(_config(per_channel=True, domain_sizes=(4, 2)), n_links=2),
    "softmax over links": Case(_config(mixing="softmax", n_patches=2), n_links=2),
}


class Parameters(NamedTuple):
    """The arguments of an operator."""

    weights: Tensor
    bias: Tensor
    patches: Tensor | None
    links: Tensor | None


def random_parameters(case: Case, batch: int = 2, seed: int = 0) -> Parameters:
    """Random parameters in double precision; free weights are scaled to contract."""
    config = case.config
    generator = torch.Generator().manual_seed(seed)
    channels, ranges, sources = config.weights_shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    weights = normal(batch, channels, ranges, case.n_links or sources)
    if config.mixing == "free":
        weights = 0.6 * weights / weights.abs().sum(-1, keepdim=True)
    links = None
    if case.n_links:
        links = torch.randint(sources, (batch, ranges, case.n_links), generator=generator)
    given = config.patches == "given"
    patches = normal(batch, *config.patches_shape) if given else None
    return Parameters(weights, normal(batch, *config.bias_shape), patches, links)


def make_operator(case: Case, **choices: Any) -> CollageOperator:
    """The operator of a case, in double precision."""
    config = case.config
    style = None
    if config.patches == "style":
        style = torch.rand(config.channels, 4, 5, generator=torch.Generator().manual_seed(1))
    return CollageOperator(config, style=style, **choices).double()


def apply_operator(operator: CollageOperator, parameters: Parameters, **where: Any) -> Tensor:
    """The images of the operator."""
    weights, bias, patches, links = parameters
    images: Tensor = operator(weights, bias, patches, links=links, **where)
    return images


def looped_step(operator: CollageOperator, parameters: Parameters, z: Tensor) -> Tensor:
    """The map on a canvas at scale 1, by its definition, range by range, for one image."""
    config, size = operator.config, operator.config.range_size
    mapping = operator.mapping(*parameters)
    sources = []
    for domain in config.domain_sizes:
        for y in range(0, z.shape[1] - domain + 1, domain):
            for x in range(0, z.shape[2] - domain + 1, domain):
                block = z[:, y : y + domain, x : x + domain]
                k = domain // size
                block = block.reshape(len(z), size, k, size, k).mean((2, 4))
                sources += [isometry.apply(block, g) for g in config.isometry_codes]
    patches = parameters.patches if parameters.patches is not None else operator.patches
    if patches is not None:
        for patch in resize_patches(patches if patches.dim() == 4 else patches[0], size):
            sources += [isometry.apply(patch, g) for g in config.patch_isometry_codes]
    result = torch.empty_like(z)
    columns = z.shape[2] // size
    for r in range(config.n_ranges):
        block = mapping.bias[0, :, r, None, None].expand(-1, size, size)
        links = range(config.n_sources) if mapping.links is None else mapping.links[0, r].tolist()
        for k, source in enumerate(links):
            block = block + mapping.weights[0, :, r, k, None, None] * sources[source]
        y, x = r // columns * size, r % columns * size
        result[:, y : y + size, x : x + size] = block
    return result
