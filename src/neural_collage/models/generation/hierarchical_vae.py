"""`HierarchicalVae`: base of hierarchical VAEs, for any mapping of features to pixels.

Evidence lower bound of an image x, in nats: log p(x) >= -(distortion + sum of rates), where the
rates are the divergences of posteriors from priors, layer by layer (Child 2021, arXiv 2011.10650).
Several samples give a tighter bound (Burda et al. 2016, arXiv 1509.00519).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from neural_collage.core.scales import Region
from neural_collage.models.generation.hierarchy import BottomUp, Step, TopDown
from neural_collage.models.generation.hierarchy_config import DecoderStage, HierarchyConfig
from neural_collage.models.generation.likelihoods import LikelihoodConfig, make_likelihood
from neural_collage.models.pretrained import Pretrained

Features = tuple[Float[Tensor, "b f _ _"], ...]
"""The final features of each top-down path."""

Latents = Sequence[Float[Tensor, "b _ _ _"]]
"""Latents of all layers, path by path, from the top down."""


Classes = Int64[Tensor, " _"] | None
"""Numbers of classes, or None for a model without."""


class Inference(NamedTuple):
    """Result of a pass down all paths: their final features, and the step of each layer."""

    features: Features
    steps: list[Step]

    @property
    def latents(self) -> list[Float[Tensor, "b _ _ _"]]:
        """The sampled latents of each layer."""
        return [step.latents for step in self.steps]


class Bound(NamedTuple):
    """The terms of the evidence lower bound of each image, in nats; all are 0 or more.

    distortion: -log p(x | z), of the image given the latents.
    rates: KL(posterior || prior) of the latents, summed over each of `HierarchicalVae.stages`.
    """

    distortion: Float[Tensor, " b"]
    rates: Float[Tensor, "b s"]

    @property
    def total(self) -> Float[Tensor, " b"]:
        """An upper bound of -log p(x)."""
        return self.distortion + self.rates.sum(1)


class HierarchicalVae(Pretrained, ABC):
    """Abstract base of hierarchical VAEs; subclasses implement `render`.

    image_size: height and width of images in pixels.
    likelihood: distribution of pixels. hierarchy: width and bottom-up stages.
    paths: the stages of each top-down path, by the prefix of their names.
    settings: the other arguments of the subclass, for its config.

    Attributes:
        scalable: whether images can be rendered at scales other than 1.
        picture_shape: channels, height and width.
        planes: parameters of the likelihood per pixel.
        stages: names of the stages, path by path: "7x7", or "patches.4x4" of a second path.

    Raises ValueError if the stages do not fit the image size.
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
        self._classes = hierarchy.classes
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
        self,
        features: Features,
        scale: float = 1,
        region: Region | None = None,
        planes: int | None = None,
    ) -> Float[Tensor, "b p h w"]:
        """The parameters of the likelihood of each pixel, at any scale that the model supports.

        scale, region: as in `CollageOperator`.
        planes: how many parameters of a pixel, the first ones; None for all. Expected images need
            as many as they have channels (see `Likelihood`).

        Raises ScaleError for an unsupported scale or a region that does not lie inside.
        """

    @property
    def dimensions(self) -> int:
        """Pixels times channels."""
        return math.prod(self.picture_shape)

    @property
    def paths(self) -> list[TopDown]:
        """The top-down paths, typed."""
        return [path for path in self.decoder if isinstance(path, TopDown)]

    @property
    def decoder_parameters(self) -> int:
        """Number of learned parameters that sampling needs."""
        unneeded = [p for n, p in self.named_parameters() if _only_for_encoding(n)]
        return sum(p.numel() for p in self.parameters()) - sum(p.numel() for p in unneeded)

    @property
    def classes(self) -> str:
        """The names of the classes, a character each; "" for a model without classes."""
        return self._classes

    def forward(self, image: Float[Tensor, "b c h w"], classes: Classes = None) -> Bound:
        """The evidence lower bound of images in [0, 1], by one sample of the latents each."""
        return self.bound(image, self.infer(image, classes))

    def infer(self, image: Float[Tensor, "b c h w"], classes: Classes = None) -> Inference:
        """Latents sampled from the posteriors of images in [0, 1], and the resulting features.

        classes: numbers of the classes of the images; only of a model that has `classes`.

        Raises ValueError for images of another size or number of channels, and classes that are
        missing, unknown, or given to a model without.
        """
        if image.shape[1:] != self.picture_shape:
            expected, given = (
                "x".join(map(str, shape)) for shape in (self.picture_shape, image.shape[1:])
            )
            raise ValueError(f"images must be {expected} (channels, height, width), not {given}")
        self._check_classes(classes, len(image))
        encoded = self.encoder(image)
        return _joined([path.infer(encoded, classes) for path in self.paths])

    def posterior_means(
        self, image: Float[Tensor, "b c h w"], classes: Classes = None
    ) -> list[Float[Tensor, "b _ _ _"]]:
        """The means of the posteriors of each layer, for `sample(latents=...)`.

        Those of lower layers are given samples of the layers above. Raises as `infer` does.
        """
        steps = self.infer(image, classes).steps
        return [step.posterior.mean for step in steps if step.posterior is not None]

    def bound(self, image: Float[Tensor, "b c h w"], inference: Inference) -> Bound:
        """The terms of the bound for latents from `infer`."""
        distortion = -self.likelihood.log_prob(self.render(inference.features), image)
        layers = [
            step.posterior.divergence(step.prior).flatten(1).sum(1)
            for step in inference.steps
            if step.posterior is not None
        ]
        return Bound(distortion, self._by_stage(layers))

    def log_weight(
        self, image: Float[Tensor, "b c h w"], inference: Inference
    ) -> Float[Tensor, " b"]:
        """The logarithm of the importance weight p(x, z) / q(z | x) of latents from `infer`."""
        total = self.likelihood.log_prob(self.render(inference.features), image)
        for latents, prior, posterior in inference.steps:
            if posterior is not None:
                ratio = prior.log_prob(latents) - posterior.log_prob(latents)
                total = total + ratio.flatten(1).sum(1)
        return total

    def importance_bound(
        self, image: Float[Tensor, "b c h w"], samples: int, classes: Classes = None
    ) -> Float[Tensor, " b"]:
        """An upper bound of -log p(x) in nats, tighter with more samples (Burda et al. 2016).

        Raises ValueError if samples is less than 1.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1, not {samples}")
        weights = [self.log_weight(image, self.infer(image, classes)) for _ in range(samples)]
        return math.log(samples) - torch.stack(weights).logsumexp(0)

    def temperatures(self, temperature: float | Sequence[float]) -> list[float]:
        """The temperature of each of `stages`.

        Raises ValueError for a negative or infinite temperature, or a wrong number of them.
        """
        if isinstance(temperature, int | float):
            temperature = [temperature] * len(self.stages)
        if len(temperature) != len(self.stages) or not all(0 <= t < math.inf for t in temperature):
            raise ValueError(
                f"temperature must be 0 or more, one number or {len(self.stages)}, one for each "
                f"of the stages {', '.join(self.stages)}, not {temperature}"
            )
        return list(temperature)

    def sample(
        self,
        count: int,
        temperature: float | Sequence[float] = 1.0,
        latents: Latents = (),
        classes: Classes = None,
    ) -> Inference:
        """Latents sampled from the priors, and the resulting features, for `render`.

        temperature: factor on deviations from the means of the priors, for all stages or one for
            each of `stages`; below 1 for more typical images.
        latents: those of the first layers, which are not sampled. All of those of `infer` give a
            reconstruction, those of the upper stages variations of the image.
        classes: number of the class of each image; None draws classes at random, if there are any.

        Raises ValueError as `temperatures` does, and for classes as `infer` does.
        """
        if classes is None and self.classes:
            classes = torch.randint(len(self.classes), (count,), device=self._device)
        self._check_classes(classes, count)
        per_stage = self.temperatures(temperature)
        results, first = [], 0
        for path in self.paths:
            given, stages = latents[first : first + path.n_layers], len(path.each_stage)
            results.append(path.generate(count, per_stage[:stages], given, classes))
            per_stage, first = per_stage[stages:], first + path.n_layers
        return _joined(results)

    def reconstruct(
        self, image: Float[Tensor, "b c h w"], scale: float = 1, classes: Classes = None
    ) -> Float[Tensor, "b c h w"]:
        """Expected images given latents sampled from the posteriors, at any supported scale."""
        features = self.infer(image, classes).features
        return self.likelihood.mean(self.render(features, scale, planes=len(image[0])))

    def interpolate(
        self,
        first: Float[Tensor, "b c h w"],
        last: Float[Tensor, "b c h w"],
        count: int,
        classes: Classes = None,
    ) -> Inference:
        """`count` steps from one image of each pair to the other, ends included: (count b, ...).

        The means of the posteriors are interpolated linearly, layer by layer. classes: of the first
        images, and of all between.
        """
        ends = [self.posterior_means(image, classes) for image in (first, last)]
        mixed = [
            torch.cat([torch.lerp(a, b, float(t)) for t in torch.linspace(0, 1, count)])
            for a, b in zip(*ends, strict=True)
        ]
        every = None if classes is None else classes.repeat(count)
        return self.sample(count * len(first), latents=mixed, classes=every)

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    def _check_classes(self, classes: Classes, count: int) -> None:
        if classes is None and not self.classes:
            return
        if classes is None or not self.classes:
            needed = f"classes of {self.classes!r}" if self.classes else "no classes"
            raise ValueError(f"this model takes {needed}")
        if classes.shape != (count,) or not bool(
            ((classes >= 0) & (classes < len(self.classes))).all()
        ):
            raise ValueError(f"classes must be {count} numbers below {len(self.classes)}")

    def _by_stage(self, layers: list[Float[Tensor, " b"]]) -> Float[Tensor, "b s"]:
        """The sum of the rates of the layers of each stage."""
        rates = layers[0].new_zeros(len(self.stages), len(layers[0]))
        index = torch.tensor(self._stage_of_layer, device=rates.device)
        return rates.index_add(0, index, torch.stack(layers)).T


def _joined(results: list[tuple[Tensor, list[Step]]]) -> Inference:
    features, steps = zip(*results, strict=True)
    return Inference(features, [step for of_path in steps for step in of_path])


def _only_for_encoding(name: str) -> bool:
    return name.startswith("encoder.") or ".of_posterior." in name
