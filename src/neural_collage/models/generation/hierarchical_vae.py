"""What hierarchical VAEs have in common, whatever turns their features into pictures.

Evidence lower bound of a picture x, in nats: log p(x) >= -(distortion + sum of rates), where the
rates are the divergences of posteriors from priors, layer by layer (Child 2021, arXiv 2011.10650).
With several samples there is a tighter bound (Burda et al. 2016, arXiv 1509.00519).
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neural_collage.core.scales import Region
from neural_collage.models.generation.hierarchy import BottomUp, Step, TopDown
from neural_collage.models.generation.hierarchy_config import DecoderStage, HierarchyConfig
from neural_collage.models.generation.likelihoods import LikelihoodConfig, make_likelihood
from neural_collage.models.pretrained import Pretrained

Features = tuple[Float[Tensor, "b f _ _"], ...]
"""What the top-down paths end with, in their order."""

Latents = Sequence[Float[Tensor, "b _ _ _"]]
"""Of all layers, path by path, from the top down."""


class Inference(NamedTuple):
    """Pictures as a model sees them: where its paths end, and what was drawn on the way."""

    features: Features
    steps: list[Step]

    @property
    def latents(self) -> list[Float[Tensor, "b _ _ _"]]:
        """What was drawn."""
        return [step.latents for step in self.steps]


class Bound(NamedTuple):
    """The parts of the evidence lower bound of each picture, in nats; all are 0 or more.

    distortion: what the picture costs, given the latents.
    rates: what the latents of each stage cost, in the order of `HierarchicalVae.stages`.
    """

    distortion: Float[Tensor, " b"]
    rates: Float[Tensor, "b s"]

    @property
    def total(self) -> Float[Tensor, " b"]:
        """An upper bound of -log p."""
        return self.distortion + self.rates.sum(1)


class HierarchicalVae(Pretrained):
    """Base of generative models; subclasses say how features become parameters of pixels.

    image_size: height and width of pictures.
    likelihood: of pixels. hierarchy: of latents.
    paths: the stages of each top-down path.
    settings: the other arguments of the subclass, for its config.

    Attributes:
        scalable: whether pictures exist at scales other than 1.
        picture_shape: channels, height and width.
        planes: parameters of the likelihood per pixel.
        stages: names of the stages, path by path: "7x7", or "patches.4x4" of a second path.

    Raises ValueError if the stages do not fit the picture.
    """

    scalable: ClassVar[bool]

    def __init__(
        self,
        image_size: int,
        likelihood: LikelihoodConfig,
        hierarchy: HierarchyConfig,
        paths: dict[str, Sequence[DecoderStage]],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(**settings, likelihood=likelihood, hierarchy=hierarchy)
        if problems := hierarchy.fit_problems(image_size):
            raise ValueError("; ".join(problems))
        self.planes = likelihood.planes
        self.picture_shape = (likelihood.channels, image_size, image_size)
        self.likelihood = make_likelihood(likelihood)
        self.encoder = BottomUp(likelihood.channels, hierarchy)
        self.decoder = nn.ModuleList(TopDown(hierarchy, path) for path in paths.values())
        self.stages = [
            f"{name}{stage.resolution}x{stage.resolution}"
            for name, path in paths.items()
            for stage in path
        ]
        self._stage_of_layer = [
            number
            for number, stage in enumerate(s for path in paths.values() for s in path)
            for _ in range(stage.layers)
        ]

    @abstractmethod
    def render(
        self, features: Features, scale: float = 1, region: Region | None = None
    ) -> Float[Tensor, "b p h w"]:
        """The parameters of the likelihood of each pixel, at any scale that the model has.

        scale, region: as in `CollageOperator`.

        Raises ValueError for a scale or a region that there is not.
        """

    @property
    def dimensions(self) -> int:
        """Pixels times channels."""
        return math.prod(self.picture_shape)

    @property
    def paths(self) -> list[TopDown]:
        """The top-down paths under their type."""
        return [path for path in self.decoder if isinstance(path, TopDown)]

    @property
    def decoder_parameters(self) -> int:
        """How many numbers are learned of what is needed to sample."""
        unneeded = [p for n, p in self.named_parameters() if _only_for_encoding(n)]
        return sum(p.numel() for p in self.parameters()) - sum(p.numel() for p in unneeded)

    def forward(self, picture: Float[Tensor, "b c h w"]) -> Bound:
        """The evidence lower bound of pictures in [0, 1], one sample of the latents each."""
        return self.bound(picture, self.infer(picture))

    def infer(self, picture: Float[Tensor, "b c h w"]) -> Inference:
        """Latents drawn from the posteriors of pictures.

        Raises ValueError for pictures of another size or number of channels.
        """
        if picture.shape[1:] != self.picture_shape:
            expected, given = (
                "x".join(map(str, shape)) for shape in (self.picture_shape, picture.shape[1:])
            )
            raise ValueError(f"pictures must be {expected} (channels, height, width), not {given}")
        seen = self.encoder(picture)
        return _joined([path.infer(seen) for path in self.paths])

    def bound(self, picture: Float[Tensor, "b c h w"], inference: Inference) -> Bound:
        """The parts of the bound for latents that were inferred."""
        distortion = -self.likelihood.log_prob(self.render(inference.features), picture)
        layers = [
            step.posterior.divergence(step.prior).flatten(1).sum(1)
            for step in inference.steps
            if step.posterior is not None
        ]
        return Bound(distortion, self._by_stage(layers))

    def log_weight(
        self, picture: Float[Tensor, "b c h w"], inference: Inference
    ) -> Float[Tensor, " b"]:
        """The logarithm of the weight p(x, z) / q(z | x) of inferred latents."""
        total = self.likelihood.log_prob(self.render(inference.features), picture)
        for latents, prior, posterior in inference.steps:
            if posterior is not None:
                ratio = prior.log_prob(latents) - posterior.log_prob(latents)
                total = total + ratio.flatten(1).sum(1)
        return total

    def importance_bound(
        self, picture: Float[Tensor, "b c h w"], samples: int
    ) -> Float[Tensor, " b"]:
        """An upper bound of -log p of each picture, in nats, that tightens with the samples."""
        if samples < 1:
            raise ValueError(f"samples must be at least 1, not {samples}")
        weights = [self.log_weight(picture, self.infer(picture)) for _ in range(samples)]
        return math.log(samples) - torch.stack(weights).logsumexp(0)

    def sample(
        self,
        count: int,
        temperature: float | Sequence[float] = 1.0,
        latents: Latents = (),
    ) -> Inference:
        """Latents drawn from the priors, and the features that follow: `render` shows them.

        temperature: below 1 for more typical pictures; of all stages, or of each of `stages`.
        latents: the first ones, as far as they are known: with those of `infer`, all of them or
            those of the upper stages, a reconstruction.

        Raises ValueError for temperatures that are negative or not as many as stages.
        """
        if isinstance(temperature, int | float):
            temperature = [temperature] * len(self.stages)
        each = list(temperature)
        if len(each) != len(self.stages) or not all(0 <= t < math.inf for t in each):
            raise ValueError(
                f"temperature must be 0 or more, one or {len(self.stages)} of "
                f"{', '.join(self.stages)}, not {temperature}"
            )
        ends, first = [], 0
        for path in self.paths:
            own, stages = latents[first : first + path.n_layers], len(path.each_stage)
            ends.append(path.generate(count, each[:stages], own))
            each, first = each[stages:], first + path.n_layers
        return _joined(ends)

    def reconstruct(
        self, picture: Float[Tensor, "b c h w"], scale: float = 1
    ) -> Float[Tensor, "b c h w"]:
        """Pictures as their latents say they are, at any scale that the model has."""
        return self.likelihood.mean(self.render(self.infer(picture).features, scale))

    def interpolate(
        self,
        first: Float[Tensor, "b c h w"],
        last: Float[Tensor, "b c h w"],
        count: int,
    ) -> Inference:
        """`count` steps from one picture of each pair to the other, ends included: (count b, ...).

        Means of posteriors are mixed, layer by layer.
        """
        ends = [
            [step.posterior.mean for step in self.infer(picture).steps if step.posterior]
            for picture in (first, last)
        ]
        mixed = [
            torch.cat([torch.lerp(a, b, float(t)) for t in torch.linspace(0, 1, count)])
            for a, b in zip(*ends, strict=True)
        ]
        return self.sample(count * len(first), latents=mixed)

    def _by_stage(self, layers: list[Float[Tensor, " b"]]) -> Float[Tensor, "b s"]:
        rates = layers[0].new_zeros(len(self.stages), len(layers[0]))
        index = torch.tensor(self._stage_of_layer, device=rates.device)
        return rates.index_add(0, index, torch.stack(layers)).T


def _joined(ends: list[tuple[Tensor, list[Step]]]) -> Inference:
    features, steps = zip(*ends, strict=True)
    return Inference(features, [step for several in steps for step in several])


def _only_for_encoding(name: str) -> bool:
    return name.startswith("encoder.") or ".of_posterior." in name
