"""The two paths of a hierarchical VAE: bottom-up features, and latents from the top down.

VDVAE, Child 2021, arXiv 2011.10650. Each layer of the top-down path has a prior of its latents,
given those above, and while a picture is encoded also a posterior, given the picture, too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
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
    """What one layer drew: latents (b, z, h, w), and from which distribution.

    posterior: None where no picture was seen.
    """

    latents: Float[Tensor, "b _ _ _"]
    prior: Gaussian
    posterior: Gaussian | None = None


class BottomUp(nn.Module):
    """Pictures (b, c, h, w) in [0, 1] to features of each stage, by resolution."""

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

    def forward(self, picture: Float[Tensor, "b c h w"]) -> dict[int, Float[Tensor, "b f _ _"]]:
        squares = functional.pixel_unshuffle(2 * picture - 1, self.stem_size)
        features = self.stem(squares.contiguous(memory_format=torch.channels_last))
        seen = {}
        for name, blocks in self.stages.items():
            resolution = int(name)
            if features.shape[-1] != resolution:
                features = functional.adaptive_avg_pool2d(features, resolution)
            seen[resolution] = features = blocks(features)
        return seen


class TopDown(nn.Module):
    """Latents of several resolutions, drawn one after another, to features of the last stage."""

    def __init__(self, config: HierarchyConfig, path: Sequence[DecoderStage]) -> None:
        super().__init__()
        depth = sum(stage.layers for stage in path)
        self.width = config.width
        self.stages = nn.ModuleList(_Stage(config, stage, depth) for stage in path)

    @property
    def each_stage(self) -> list["_Stage"]:
        """The stages under their type."""
        return [stage for stage in self.stages if isinstance(stage, _Stage)]

    @property
    def n_layers(self) -> int:
        """Layers of all stages."""
        return sum(len(stage.each_layer) for stage in self.each_stage)

    def infer(
        self, seen: Mapping[int, Float[Tensor, "b f _ _"]]
    ) -> tuple[Float[Tensor, "b f _ _"], list[Step]]:
        """Draw latents of posteriors, given the bottom-up features of pictures."""

        def draw(layer: "_Layer", features: Tensor, prior: Gaussian) -> Step:
            posterior = layer.posterior(features, seen[features.shape[-1]], prior)
            return Step(posterior.sample(), prior, posterior)

        return self._descend(len(next(iter(seen.values()))), draw)

    def generate(
        self,
        count: int,
        temperatures: Sequence[float],
        latents: Sequence[Float[Tensor, "b _ _ _"]] = (),
    ) -> tuple[Float[Tensor, "b f _ _"], list[Step]]:
        """Draw latents of priors; the first ones may be given.

        temperatures: of each stage, what deviations from the prior's mean are multiplied by.
        """
        of_layer = [
            temperature
            for stage, temperature in zip(self.each_stage, temperatures, strict=True)
            for _ in stage.each_layer
        ]
        done = 0

        def draw(layer: "_Layer", features: Tensor, prior: Gaussian) -> Step:
            nonlocal done
            known = latents[done] if done < len(latents) else prior.sample(of_layer[done])
            done += 1
            return Step(known, prior)

        return self._descend(count, draw)

    def _descend(
        self, count: int, draw: Callable[["_Layer", Tensor, Gaussian], Step]
    ) -> tuple[Tensor, list[Step]]:
        steps: list[Step] = []
        ends: dict[int, Tensor] = {}
        features = next(self.parameters()).new_zeros(())
        for stage in self.each_stage:
            features = stage.begin(count, ends)
            for layer in stage.each_layer:
                features, step = layer(features, draw)
                steps.append(step)
            ends[stage.resolution] = features
        return features, steps


class _Stage(nn.Module):
    """Layers of one resolution, and what they begin with."""

    def __init__(self, config: HierarchyConfig, stage: DecoderStage, depth: int) -> None:
        super().__init__()
        self.resolution, self.mix, self.width = stage.resolution, stage.mix, config.width
        self.bias: nn.Parameter | None = None
        if stage.resolution <= config.bias_resolution:
            self.bias = nn.Parameter(torch.zeros(1, config.width, *(stage.resolution,) * 2))
        self.layers = nn.ModuleList(
            _Layer(config.width, stage, depth, relative=config.relative_posterior)
            for _ in range(stage.layers)
        )

    @property
    def each_layer(self) -> list["_Layer"]:
        """The layers under their type."""
        return [layer for layer in self.layers if isinstance(layer, _Layer)]

    def begin(self, count: int, ends: Mapping[int, Tensor]) -> Float[Tensor, "b f _ _"]:
        """The learned map, if any, and the enlarged features of an earlier stage, if any."""
        parts: list[Tensor] = []
        if self.bias is not None:
            parts.append(self.bias.expand(count, -1, -1, -1))
        if ends:
            earlier = ends[self.mix] if self.mix is not None else list(ends.values())[-1]
            parts.append(functional.interpolate(earlier, size=(self.resolution,) * 2))
        if not parts:
            like = next(self.parameters())
            parts.append(like.new_zeros(count, self.width, self.resolution, self.resolution))
        return sum(parts[1:], parts[0]).contiguous(memory_format=torch.channels_last)


class _Layer(nn.Module):
    """Latents with a prior and a posterior, added to the features, and a residual block."""

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
        self, features: Float[Tensor, "b f h w"], seen: Float[Tensor, "b f h w"], prior: Gaussian
    ) -> Gaussian:
        raw = self.of_posterior(torch.cat([features.to(seen), seen], 1))
        return gaussian_of(raw, prior if self.relative else None)


def _encoder_blocks(width: int, stage: EncoderStage, depth: int) -> nn.Sequential:
    kernel, gain = kernel_at(stage.resolution), max(depth, 1) ** -0.5
    blocks = (Residual(width, stage.bottleneck, kernel, gain) for _ in range(stage.blocks))
    return nn.Sequential(*blocks)
