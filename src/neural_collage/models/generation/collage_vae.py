"""The collage VAE: a hierarchical VAE whose pictures are collages, at any resolution.

VDC-VAE of Poli et al. 2022, arXiv 2204.07673: the top-down path ends at one position per range,
and emits the weights and biases of a collage instead of pixels. The fixed point of that collage are
the parameters of the likelihood, at any scale. With latent auxiliary patches (LatAux) a second
top-down path draws the patches of each picture.
"""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neural_collage.core.scales import Region
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae
from neural_collage.models.generation.hierarchy_config import (
    DecoderStage,
    HierarchyConfig,
    path_problems,
)
from neural_collage.models.generation.likelihoods import LikelihoodConfig
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.heads import CollageCode, Heads
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.operator.patches import cosine_patches


@final
class CollageVae(HierarchicalVae):
    """A hierarchical VAE whose last features are the parameters of collages.

        >>> operator = OperatorConfig(image_size=(28, 28), channels=1, range_size=4,
        ...     domain_sizes=(28,), n_patches=8)
        >>> model = CollageVae(operator)
        >>> drawn = model.sample(2)
        >>> model.render(drawn.features, scale=10).shape
        torch.Size([2, 1, 280, 280])

    operator: of square images, with a channel for each parameter of the likelihood, and the last
        stage's resolution of ranges. `patches="given"` for latent patches.
    latent_patches: stages of the path that draws patches; the last one's resolution is the
        operator's patch size.
    key_width: length of the queries and keys that link ranges to domains.

    Parameters at scale s average down to those at scale 1.

    Raises ValueError, naming every problem, if these do not fit each other.
    """

    scalable = True

    def __init__(
        self,
        operator: OperatorConfig,
        likelihood: LikelihoodConfig = LikelihoodConfig(),  # noqa: B008 - frozen
        hierarchy: HierarchyConfig = HierarchyConfig(),  # noqa: B008
        latent_patches: tuple[DecoderStage, ...] = (),
        key_width: int = 16,
    ) -> None:
        if problems := _problems(operator, likelihood, hierarchy, latent_patches):
            raise ValueError("; ".join(problems))
        paths: dict[str, Sequence[DecoderStage]] = {"": hierarchy.top_down}
        if latent_patches:
            paths["patches."] = latent_patches
        super().__init__(
            operator.image_size[0],
            likelihood,
            hierarchy,
            paths,
            {"operator": operator, "latent_patches": latent_patches, "key_width": key_width},
        )
        self.operator = CollageOperator(operator, validate=False)
        self.heads = Heads(hierarchy.width, operator, key_width, own_patches=False, zero=False)
        self.patches: nn.Module | None = None
        if latent_patches:
            self.patches = _Patches(hierarchy.width, operator)

    def code(self, features: Features) -> CollageCode:
        """The collages that features describe."""
        wanted, *of_patches = features
        patches = self.patches(*of_patches) if self.patches is not None else None
        shape = (len(wanted), self.operator.config.channels, *self.operator.config.grid)
        code: CollageCode = self.heads(wanted, wanted.new_zeros(shape), self.operator, patches)
        return code

    def render(
        self, features: Features, scale: float = 1, region: Region | None = None
    ) -> Float[Tensor, "b p h w"]:
        return self.code(features).decode(self.operator, scale, region)


class _Patches(nn.Module):
    """Features (b, f, p, p) to patches (b, a, c, p, p): cosines, and what latents make of them."""

    def __init__(self, width: int, config: OperatorConfig) -> None:
        super().__init__()
        count, channels, size, _ = self.shape = config.patches_shape
        self.usual = nn.Parameter(cosine_patches(count, channels, size))
        self.change = nn.Conv2d(width, count * channels, 1)
        with torch.no_grad():
            self.change.weight.mul_(0.1)

    def forward(self, features: Float[Tensor, "b f p p"]) -> Float[Tensor, "b a c p p"]:
        changed: Tensor = self.usual + self.change(features).float().unflatten(1, self.shape[:2])
        return changed


def _problems(
    operator: OperatorConfig,
    likelihood: LikelihoodConfig,
    hierarchy: HierarchyConfig,
    latent_patches: tuple[DecoderStage, ...],
) -> list[str]:
    problems = []
    height, width = operator.image_size
    if height != width:
        problems.append(f"operator.image_size must be square, not {height}x{width}")
    problems += hierarchy.fit_problems(height)
    if operator.channels != likelihood.planes:
        problems.append(
            f"operator.channels must be {likelihood.planes}, what the likelihood has per pixel, "
            f"not {operator.channels}"
        )
    last = hierarchy.top_down[-1].resolution
    if operator.grid != (last, last):
        rows, columns = operator.grid
        problems.append(
            f"the last stage of {last}x{last} must have a position for each of {rows}x{columns} "
            "ranges"
        )
    if operator.patches == "style":
        problems.append('operator.patches must be "learned" or "given", not "style"')
    if (operator.patches == "given" and operator.n_patches > 0) != bool(latent_patches):
        problems.append('operator.patches="given" needs latent_patches, and nothing else has them')
    if latent_patches:
        encoded = [stage.resolution for stage in hierarchy.bottom_up]
        problems += path_problems(latent_patches, "latent_patches", encoded)
        size = operator.patches_shape[-1]
        if latent_patches[-1].resolution != size:
            problems.append(f"the last stage of latent_patches must be {size}x{size}, as a patch")
    return problems
