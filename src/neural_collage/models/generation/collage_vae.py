"""The collage VAE: a hierarchical VAE whose images are collages, at any resolution.

VDC-VAE of Poli et al. 2022, arXiv 2204.07673: the top-down path ends at one position per range, and
predicts the weights and biases of a collage instead of pixels. The fixed point of that collage is
the image of likelihood parameters, at any scale. With latent auxiliary patches (LatAux) a second
top-down path generates the patches of each image.
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
from neural_collage.models.operator.detail_links import DetailLinks, DetailLinksConfig
from neural_collage.models.operator.heads import CollageCode, Heads
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.operator.patches import cosine_patches


@final
class CollageVae(HierarchicalVae):
    """A hierarchical VAE whose last features predict the parameters of collages.

        image ---> encoder --> features of each resolution
                                    |  posteriors (inference only)
                                    v
        priors --> decoder[0] --> features of ranges ---> heads ----> weights, bias --+
        priors --> decoder[1] --> features of patches --> patches --> patches --------+
                   (only with latent_patches)                                         v
        distribution of pixels <-- likelihood <-- parameters at any scale <-- operator

        >>> operator = OperatorConfig(image_size=(28, 28), channels=1, range_size=4,
        ...     domain_sizes=(28,), n_patches=8)
        >>> model = CollageVae(operator)
        >>> drawn = model.sample(2)
        >>> model.render(drawn.features, scale=10).shape
        torch.Size([2, 1, 280, 280])

    operator: for square images, with one channel for each parameter of the likelihood, and one
        range for each position of the last stage. `patches="given"` with latent patches.
    likelihood: distribution of pixels. hierarchy: bottom-up and first top-down path.
    latent_patches: stages of the second top-down path, which generates the patches; the resolution
        of the last one is the operator's patch size. () has no such path.
    key_width: length of the queries and keys of domain weights (see `Heads`).
    detail: links of the ranges above scale 1, with weights from the same features (see
        `DetailLinks`); None continues by the operator alone.

    Likelihood parameters at scale s, averaged over s x s pixels, are those at scale 1.

    Raises ValueError, listing every problem, if these do not fit each other.
    """

    scalable = True

    def __init__(
        self,
        operator: OperatorConfig,
        likelihood: LikelihoodConfig = LikelihoodConfig(),  # noqa: B008 - frozen
        hierarchy: HierarchyConfig = HierarchyConfig(),  # noqa: B008
        latent_patches: tuple[DecoderStage, ...] = (),
        key_width: int = 16,
        detail: DetailLinksConfig | None = None,
    ) -> None:
        problems = _problems(operator, likelihood, hierarchy, latent_patches)
        if problems := problems + (detail.problems_with(operator) if detail else []):
            raise ValueError("; ".join(problems))
        paths: dict[str, Sequence[DecoderStage]] = {"": hierarchy.top_down}
        if latent_patches:
            paths["patches."] = latent_patches
        super().__init__(
            operator.image_size[0],
            likelihood,
            hierarchy,
            paths,
            {
                "operator": operator,
                "latent_patches": latent_patches,
                "key_width": key_width,
                "detail": detail,
            },
        )
        self.operator = CollageOperator(operator, validate=False)
        self.heads = Heads(hierarchy.width, operator, key_width, own_patches=False, zero=False)
        self.patches: nn.Module | None = None
        if latent_patches:
            self.patches = _Patches(hierarchy.width, operator)
        self.links: DetailLinks | None = None
        if detail:
            self.links = DetailLinks(hierarchy.width, operator, detail)

    def code(self, features: Features) -> CollageCode:
        """The parameters of the collages that features encode."""
        of_ranges, *of_patches = features
        patches = self.patches(*of_patches) if self.patches is not None else None
        shape = (len(of_ranges), self.operator.config.channels, *self.operator.config.grid)
        averages = of_ranges.new_zeros(shape)
        code: CollageCode = self.heads(of_ranges, averages, self.operator, patches)
        return code

    def render(
        self,
        features: Features,
        scale: float = 1,
        region: Region | None = None,
        planes: int | None = None,
    ) -> Float[Tensor, "b p h w"]:
        code = self.code(features)
        if self.links is None:
            return code.decode(self.operator, scale, region, planes)
        weights, image = self.links(features[0]), code.decode(self.operator, channels=planes)
        return self.links.continued(image, weights, scale, region)


class _Patches(nn.Module):
    """Features (b, f, p, p) to patches (b, a, c, p, p): learned ones plus a linear projection."""

    def __init__(self, width: int, config: OperatorConfig) -> None:
        super().__init__()
        count, channels, size, _ = self.shape = config.patches_shape
        self.usual = nn.Parameter(cosine_patches(count, channels, size))
        self.change = nn.Conv2d(width, count * channels, 1)
        with torch.no_grad():
            self.change.weight.mul_(0.1)

    def forward(self, features: Float[Tensor, "b f p p"]) -> Float[Tensor, "b a c p p"]:
        patches: Tensor = self.usual + self.change(features).float().unflatten(1, self.shape[:2])
        return patches


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
            f"operator.channels must be {likelihood.planes}, the number of likelihood parameters "
            f"per pixel, not {operator.channels}"
        )
    last = hierarchy.top_down[-1].resolution
    if operator.grid != (last, last):
        rows, columns = operator.grid
        problems.append(
            f"the last stage of {last}x{last} must have one position for each of the "
            f"{rows}x{columns} ranges"
        )
    if operator.patches == "style":
        problems.append('operator.patches must be "learned" or "given", not "style"')
    if (operator.patches == "given" and operator.n_patches > 0) != bool(latent_patches):
        problems.append('operator.patches must be "given" with latent_patches, and only with them')
    if latent_patches:
        encoded = [stage.resolution for stage in hierarchy.bottom_up]
        problems += path_problems(latent_patches, "latent_patches", encoded)
        size = operator.patches_shape[-1]
        if latent_patches[-1].resolution != size:
            problems.append(
                f"the last stage of latent_patches must be {size}x{size}, the size of a patch"
            )
    return problems
