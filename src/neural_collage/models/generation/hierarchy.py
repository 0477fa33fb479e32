"""The two paths of a hierarchical VAE: bottom-up features, and latents from the top down.

VDVAE, Child 2021, arXiv 2011.10650. Each layer of the top-down path has a prior of its latents,
given those above, and a posterior that is also given the bottom-up features of the image.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.models.generation.bottleneck import Bottleneck, Residual, kernel_at
from neural_collage.models.generation.gaussian import Gaussian, gaussian_of
from neural_collage.models.generation.hierarchy_config import (
    DecoderStage,
    EncoderStage,
    HierarchyConfig,
)


class Step(NamedTuple):
    """The latents (b, z, h, w) of one layer, and their distributions.

    posterior: None if the latents were not sampled from a posterior.
    """

    latents: Float[Tensor, "b _ _ _"]
    prior: Gaussian
    posterior: Gaussian | None = None


class BottomUp(nn.Module):
    """Images (b, c, h, w) in [0, 1] to the features of each stage, keyed by resolution."""

    def __init__(self, channels: int, config: HierarchyConfig) -> None:
        super().__init__()
        depth = sum(stage.blocks for stage in config.bottom_up)
        self.stem_size = config.stem
        self.stem = nn.Conv2d(channels * config.stem**2, config.width, 3, padding=1)
        self.stages = nn.ModuleDict(
            {
                str(stage.resolution): _encoder_blocks(config.width, stage, depth)
                for stage in config.bottom_up
            }
        )

    def forward(self, image: Float[Tensor, "b c h w"]) -> dict[int, Float[Tensor, "b f _ _"]]:
        squares = functional.pixel_unshuffle(2 * image - 1, self.stem_size)
        features = self.stem(squares.contiguous(memory_format=torch.channels_last))
        encoded = {}
        for name, blocks in self.stages.items():
            resolution = int(name)
            if features.shape[-1] != resolution:
                features = functional.adaptive_avg_pool2d(features, resolution)
            encoded[resolution] = features = blocks(features)
        return encoded


class TopDown(nn.Module):
    """Latents of increasing resolution, sampled layer by layer, to features of the last stage."""

    def __init__(self, config: HierarchyConfig, path: Sequence[DecoderStage]) -> None:
        super().__init__()
        depth = sum(stage.layers for stage in path)
        self.width = config.width
        self.stages = nn.ModuleList(_Stage(config, stage, depth) for stage in path)

    @property
    def each_stage(self) -> list["_Stage"]:
        """The stages, typed."""
        return [stage for stage in self.stages if isinstance(stage, _Stage)]

    @property
    def n_layers(self) -> int:
        """Number of layers of all stages."""
        return sum(len(stage.each_layer) for stage in self.each_stage)

    def infer(
        self,
        encoded: Mapping[int, Float[Tensor, "b f _ _"]],
        classes: Int64[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b f _ _"], list[Step]]:
        """Sample latents from the posteriors, given the bottom-up features of images.

        classes: numbers of the classes of the images, where the config has classes.
        """

        def draw(layer: "_Layer", features: Tensor, prior: Gaussian) -> Step:
            posterior = layer.posterior(features, encoded[features.shape[-1]], prior)
            return Step(posterior.sample(), prior, posterior)

        return self._descend(len(next(iter(encoded.values()))), classes, draw)

    def generate(
        self,
        count: int,
        temperatures: Sequence[float],
        latents: Sequence[Float[Tensor, "b _ _ _"]] = (),
        classes: Int64[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b f _ _"], list[Step]]:
        """Sample latents from the priors; those of the first layers may be given.

        temperatures: of each stage, the factor on deviations from the mean of the prior.
        classes: as in `infer`.
        """
        of_layer = [
            temperature
            for stage, temperature in zip(self.each_stage, temperatures, strict=True)
            for _ in stage.each_layer
        ]
        index = 0

        def draw(layer: "_Layer", features: Tensor, prior: Gaussian) -> Step:
            nonlocal index
            latent = latents[index] if index < len(latents) else prior.sample(of_layer[index])
            index += 1
            return Step(latent, prior)

        return self._descend(count, classes, draw)

    def _descend(
        self,
        count: int,
        classes: Tensor | None,
        draw: Callable[["_Layer", Tensor, Gaussian], Step],
    ) -> tuple[Tensor, list[Step]]:
        steps: list[Step] = []
        by_resolution: dict[int, Tensor] = {}
        features = next(self.parameters()).new_zeros(())
        for stage in self.each_stage:
            features = stage.begin(count, by_resolution, classes)
            for layer in stage.each_layer:
                features, step = layer(features, draw)
                steps.append(step)
            by_resolution[stage.resolution] = features
        return features, steps


class _Stage(nn.Module):
    """Layers of one resolution, and their input."""

    def __init__(self, config: HierarchyConfig, stage: DecoderStage, depth: int) -> None:
        super().__init__()
        self.resolution, self.mix, self.width = stage.resolution, stage.mix, config.width
        self.bias: nn.Parameter | None = None
        if stage.resolution <= config.bias_resolution:
            maps = max(1, len(config.classes))
            self.bias = nn.Parameter(torch.zeros(maps, config.width, *(stage.resolution,) * 2))
        self.layers = nn.ModuleList(
            _Layer(config.width, stage, depth, relative=config.relative_posterior)
            for _ in range(stage.layers)
        )

    @property
    def each_layer(self) -> list["_Layer"]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, _Layer)]

    def begin(
        self, count: int, earlier: Mapping[int, Tensor], classes: Int64[Tensor, " b"] | None
    ) -> Float[Tensor, "b f _ _"]:
        """The learned map plus the enlarged features of an earlier stage; zero without either.

        earlier: the features of earlier stages, by resolution. classes: selects the map.
        """
        parts: list[Tensor] = []
        if self.bias is not None and classes is not None:
            parts.append(self.bias[classes])
        elif self.bias is not None:
            parts.append(self.bias.expand(count, -1, -1, -1))
        if earlier:
            mixed = earlier[self.mix] if self.mix is not None else list(earlier.values())[-1]
            parts.append(functional.interpolate(mixed, size=(self.resolution,) * 2))
        if not parts:
            like = next(self.parameters())
            parts.append(like.new_zeros(count, self.width, self.resolution, self.resolution))
        return sum(parts[1:], parts[0]).contiguous(memory_format=torch.channels_last)


class _Layer(nn.Module):
    """Adds the projection of sampled latents to the features, then applies a residual block."""

    def __init__(self, width: int, stage: DecoderStage, depth: int, *, relative: bool) -> None:
        super().__init__()
        kernel, inner, gain = kernel_at(stage.resolution), stage.bottleneck, depth**-0.5
        self.relative, self.latents = relative, stage.latents
        self.of_prior = Bottleneck(width, inner, 2 * stage.latents + width, kernel, gain=0)
        self.of_posterior = Bottleneck(2 * width, inner, 2 * stage.latents, kernel)
        self.merge = nn.Conv2d(stage.latents, width, 1)
        self.block = Residual(width, inner, kernel, gain)
        with torch.no_grad():
            self.merge.weight.mul_(gain)

    def forward(
        self,
        features: Float[Tensor, "b f h w"],
        draw: Callable[["_Layer", Tensor, Gaussian], Step],
    ) -> tuple[Float[Tensor, "b f h w"], Step]:
        raw, expected = self.of_prior(features).split([2 * self.latents, features.shape[1]], 1)
        step = draw(self, features, gaussian_of(raw))
        features = features + expected + self.merge(step.latents)
        return self.block(features), step

    def posterior(
        self, features: Float[Tensor, "b f h w"], encoded: Float[Tensor, "b f h w"], prior: Gaussian
    ) -> Gaussian:
        raw = self.of_posterior(torch.cat([features.to(encoded), encoded], 1))
        return gaussian_of(raw, prior if self.relative else None)


def _encoder_blocks(width: int, stage: EncoderStage, depth: int) -> nn.Sequential:
    kernel, gain = kernel_at(stage.resolution), max(depth, 1) ** -0.5
    blocks = (Residual(width, stage.bottleneck, kernel, gain) for _ in range(stage.blocks))
    return nn.Sequential(*blocks)
