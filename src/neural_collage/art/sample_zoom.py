"""A sample of a generative model as a scene for `art.zoom`."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.art.samples import pictures
from neural_collage.core.scales import Region
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae


@dataclass(frozen=True)
class Sample:
    """The first picture of some features as a scene.

    soft: see `samples.pictures`.
    """

    model: HierarchicalVae
    features: Features
    soft: bool = False

    @property
    def width(self) -> int:
        return int(self.model.picture_shape[2])

    @property
    def height(self) -> int:
        return int(self.model.picture_shape[1])

    def decode(self, scale: float = 1, region: Region | None = None) -> Float[Tensor, "c h w"]:
        """Pixels in [0, 1]; raises ScaleError for a scale that the model does not support."""
        first = tuple(f[:1] for f in self.features)
        return next(pictures(self.model, first, scale, region=region, soft=self.soft))


def edge(sample: Sample) -> tuple[float, float]:
    """The point of the largest gradient, near the middle: a target for a zoom.

    As fractions (x, y) of width and height. At an edge, frames keep showing structure at any scale.
    """
    grey = Sample(sample.model, sample.features, soft=True).decode().mean(0)
    height, width = grey.shape
    gradient = torch.zeros_like(grey)
    gradient[1:-1] += (grey[2:] - grey[:-2]).abs()
    gradient[:, 1:-1] += (grey[:, 2:] - grey[:, :-2]).abs()
    rows = torch.linspace(-1, 1, height, dtype=grey.dtype)[:, None]
    columns = torch.linspace(-1, 1, width, dtype=grey.dtype)
    score = gradient - 0.25 * (rows.square() + columns.square())
    row, column = divmod(int(score.argmax()), width)
    return (column + 0.5) / width, (row + 0.5) / height
