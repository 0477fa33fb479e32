"""The very deep VAE (Child 2021, arXiv 2011.10650), which renders at one resolution."""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.core.scales import Region, window_of
from neural_collage.errors import ScaleError
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae
from neural_collage.models.generation.hierarchy_config import HierarchyConfig
from neural_collage.models.generation.likelihoods import LikelihoodConfig


@final
class Vdvae(HierarchicalVae):
    """A hierarchical VAE whose last features are projected to the parameters of pixels.

        >>> model = Vdvae(28)
        >>> model(torch.rand(2, 1, 28, 28).round()).total.shape
        torch.Size([2])

    image_size: height and width of images in pixels, a multiple of the last stage's resolution;
        each of its positions is decoded to a square of pixels.

    Raises ValueError if the stages do not fit the image size.
    """

    scalable = False

    def __init__(
        self,
        image_size: int,
        likelihood: LikelihoodConfig = LikelihoodConfig(),  # noqa: B008 - frozen
        hierarchy: HierarchyConfig = HierarchyConfig(),  # noqa: B008
    ) -> None:
        super().__init__(
            image_size, likelihood, hierarchy, {"": hierarchy.top_down}, {"image_size": image_size}
        )
        last = hierarchy.top_down[-1].resolution
        if image_size % last:
            raise ValueError(
                f"the last stage of {last}x{last} does not divide images of {image_size} pixels"
            )
        self.square = image_size // last
        self.pixels = nn.Conv2d(hierarchy.width, likelihood.planes * self.square**2, 1)

    def render(
        self,
        features: Features,
        scale: float = 1,
        region: Region | None = None,
        planes: int | None = None,
    ) -> Float[Tensor, "b p h w"]:
        if scale != 1:
            raise ScaleError(
                f"a VDVAE renders at scale 1 only, not {scale}: enlarge its images, or use a "
                "collage VAE"
            )
        parameters = functional.pixel_shuffle(self.pixels(features[0]), self.square).float()
        window = window_of(region, *parameters.shape[-2:])
        return parameters[
            :,
            :planes,
            window.top : window.top + window.height,
            window.left : window.left + window.width,
        ]
