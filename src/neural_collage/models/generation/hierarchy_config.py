"""Configuration of a hierarchical VAE: the stages of its two paths, one for each resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class EncoderStage:
    """Residual blocks of the bottom-up path at one resolution.

    Between stages, features are average-pooled to the resolution of the next one.

    Attributes:
        resolution: rows and columns of the features.
        blocks: number of residual blocks.
        bottleneck: channels inside of a block.
    """

    resolution: int
    blocks: int = 1
    bottleneck: int = 32


@dataclass(frozen=True)
class DecoderStage:
    """Layers of a top-down path at one resolution.

    Attributes:
        resolution: rows and columns of the features.
        layers: number of layers, each with latents and a residual block.
        latents: channels of the latents of each layer.
        bottleneck: channels inside of a block.
        mix: resolution of the earlier stage of this path whose enlarged features are the input of
            this one; None takes the preceding stage, if any.
    """

    resolution: int
    layers: int = 1
    latents: int = 16
    bottleneck: int = 32
    mix: int | None = None


@dataclass(frozen=True)
class HierarchyConfig:
    """A bottom-up and a top-down path; the defaults are a small model of 28 x 28 images.

    Raises ValueError, listing every problem, if a field is out of range or stages do not match.

    Attributes:
        width: channels of all features.
        stem: side in pixels of the square of each position of the first stage.
        bottom_up: stages of the encoder, of decreasing resolution.
        top_down: stages of the decoder, of increasing resolution, each one a resolution of
            `bottom_up`, whose features its posteriors are conditioned on.
        bias_resolution: stages up to this resolution have a learned map of biases as input.
        relative_posterior: predict posteriors relative to priors (Vahdat & Kautz 2020).
        classes: characters, each the name of a class of images that the top-down path is
            conditioned on: the learned maps of biases depend on it. "" has no classes.
    """

    width: int = 64
    stem: int = 2
    bottom_up: tuple[EncoderStage, ...] = (
        EncoderStage(14, 1),
        EncoderStage(7, 2),
        EncoderStage(4, 2),
        EncoderStage(1, 1),
    )
    top_down: tuple[DecoderStage, ...] = (DecoderStage(1), DecoderStage(4, 2), DecoderStage(7, 2))
    bias_resolution: int = 4
    relative_posterior: bool = False
    classes: str = ""

    def __post_init__(self) -> None:
        problems = []
        if self.width < 1 or self.stem < 1:
            problems.append(f"width {self.width} and stem {self.stem} must be at least 1")
        if not self.bottom_up:
            problems.append("bottom_up must have at least one stage")
        problems += [
            f"{stage}: sizes must be at least 1, blocks not negative"
            for stage in self.bottom_up
            if min(stage.resolution, stage.bottleneck) < 1 or stage.blocks < 0
        ]
        rising = [stage.resolution for stage in reversed(self.bottom_up)]
        if any(a >= b for a, b in pairwise(rising)):
            problems.append(f"resolutions of bottom_up must decrease, not be {rising[::-1]}")
        problems += path_problems(self.top_down, "top_down", rising)
        if len(set(self.classes)) < len(self.classes):
            problems.append(f"classes must differ from each other, not be {self.classes!r}")
        if problems:
            raise ValueError("; ".join(problems))

    def fit_problems(self, image_size: int) -> list[str]:
        """Problems with images of this height and width; empty if they fit."""
        first = self.bottom_up[0].resolution
        if self.stem * first == image_size:
            return []
        return [
            f"a stem of {self.stem} pixels and a first stage of {first}x{first} take images of "
            f"{self.stem * first}x{self.stem * first}, not {image_size}x{image_size}"
        ]


def path_problems(path: Sequence[DecoderStage], name: str, encoded: Sequence[int]) -> list[str]:
    """Problems with a top-down path, given the resolutions of the encoder; empty if it fits."""
    problems = [] if path else [f"{name} must have at least one stage"]
    rising = [stage.resolution for stage in path]
    if any(a >= b for a, b in pairwise(rising)):
        problems.append(f"resolutions of {name} must increase, not be {rising}")
    for number, stage in enumerate(path):
        if min(stage.resolution, stage.layers, stage.latents, stage.bottleneck) < 1:
            problems.append(f"{stage}: all must be at least 1")
        if stage.resolution not in encoded:
            problems.append(f"{name} has a stage of {stage.resolution}, but bottom_up has none")
        if stage.mix is not None and stage.mix not in rising[:number]:
            problems.append(
                f"{name} mixes {stage.mix} into {stage.resolution}, which is no earlier stage"
            )
    return problems
