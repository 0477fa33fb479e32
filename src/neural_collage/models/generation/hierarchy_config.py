"""The shape of a hierarchical VAE: which resolutions it has, and what happens at each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class EncoderStage:
    """Residual blocks of the bottom-up path at one resolution.

    Between stages features are averaged over cells, as large as it takes to get to the next one.

    Attributes:
        resolution: rows and columns of the features.
        blocks: how many residual blocks.
        bottleneck: width inside of them.
    """

    resolution: int
    blocks: int = 1
    bottleneck: int = 32


@dataclass(frozen=True)
class DecoderStage:
    """Layers of a top-down path at one resolution.

    Attributes:
        resolution: rows and columns of the features.
        layers: how many layers with latents, each with a residual block after it.
        latents: channels of the latents of each layer.
        bottleneck: width inside of blocks.
        mix: the resolution of the earlier stage of this path whose features are enlarged and added
            when this one begins; None: the one before, if any.
    """

    resolution: int
    layers: int = 1
    latents: int = 16
    bottleneck: int = 32
    mix: int | None = None


@dataclass(frozen=True)
class HierarchyConfig:
    """A bottom-up and a top-down path; the defaults are small, for pictures of 28 x 28.

    Raises ValueError, naming every problem.

    Attributes:
        width: channels of all features.
        stem: side in pixels of the squares that are one position of the first stage.
        bottom_up: stages of the encoder, each smaller than the one before.
        top_down: stages of the decoder, each larger than the one before; their resolutions are
            among those of `bottom_up`, whose features they see there.
        bias_resolution: stages of at most this resolution begin with a learned map.
        relative_posterior: posteriors are said relative to priors (Vahdat & Kautz 2020).
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
            problems.append(f"resolutions of bottom_up must fall, not be {rising[::-1]}")
        problems += path_problems(self.top_down, "top_down", rising)
        if problems:
            raise ValueError("; ".join(problems))

    def fit_problems(self, image_size: int) -> list[str]:
        """Why pictures of this height and width do not fit, if they do not."""
        first = self.bottom_up[0].resolution
        if self.stem * first == image_size:
            return []
        return [
            f"a stem of {self.stem} pixels and a first stage of {first}x{first} make pictures of "
            f"{self.stem * first}x{self.stem * first}, not {image_size}x{image_size}"
        ]


def path_problems(path: Sequence[DecoderStage], name: str, encoded: Sequence[int]) -> list[str]:
    """What is wrong with a top-down path beside an encoder with stages of these resolutions."""
    problems = [] if path else [f"{name} must have at least one stage"]
    rising = [stage.resolution for stage in path]
    if any(a >= b for a, b in pairwise(rising)):
        problems.append(f"resolutions of {name} must rise, not be {rising}")
    for number, stage in enumerate(path):
        if min(stage.resolution, stage.layers, stage.latents, stage.bottleneck) < 1:
            problems.append(f"{stage}: all must be at least 1")
        if stage.resolution not in encoded:
            problems.append(f"{name} has a stage of {stage.resolution}, which bottom_up has not")
        if stage.mix is not None and stage.mix not in rising[:number]:
            problems.append(
                f"{name} mixes {stage.mix} into {stage.resolution}, which is not before"
            )
    return problems
