"""The neural compressor: pictures to the coefficients of learned, overlapping patches, in one pass.

The decoder is linear: a picture is its coefficients times learned patches (Yang & Mandt 2023, arXiv
2304.06244, show how far a linear decoder goes with a strong encoder and entropy model). Together
with links to domains it is the constant part of a collage, see `codec.streams.neural`. Networks are
in the encoder and in the entropy model alone.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core.lapped import synthesise
from neural_collage.models.compression.analysis_transform import RANGE, AnalysisTransform
from neural_collage.models.compression.entropy_model import EntropyModel
from neural_collage.models.compression.initial_patches import centred_windows
from neural_collage.models.compression.ladder import Ladder, level_of
from neural_collage.models.compression.prefilter import lapped_windows
from neural_collage.models.pretrained import Pretrained

CENTRE = 0.5
"""The grey level that no coefficients at all stand for."""
LOWEST, HIGHEST = 0.0005, 0.25
"""Bits per pixel that a squared error (of 8-bit levels) is worth, at qualities 1 and 100."""
_LOGISTIC = math.sqrt(3) / math.pi  # scale of a logistic distribution of unit variance


@dataclass(frozen=True)
class CompressorConfig:
    """Size of the compressor.

    Raises ValueError, naming every problem.

    Attributes:
        groups: Patches, in groups that the entropy model takes one after the other.
        widths: Features of the encoder at 8 and at 16 pixels a cell.
        depths: Blocks of the encoder there.
        state: Features of the entropy model.
        side: Numbers of the hyperprior per 2 x 2 ranges.
        rungs: Qualities at which what depends on quality is learned; between them it is
            interpolated.
        lapped: Whether the encoder projects pre-filtered pixels, see `prefilter`. Patches then
            begin overlapped.
    """

    groups: tuple[int, ...] = (8, 24, 48, 96, 144)
    widths: tuple[int, int] = (128, 256)
    depths: tuple[int, int] = (2, 4)
    state: int = 128
    side: int = 32
    rungs: int = 6
    lapped: bool = False

    def __post_init__(self) -> None:
        numbers = {
            "groups": min(self.groups, default=0),
            "widths": min(self.widths),
            "state": self.state,
            "side": self.side,
            "rungs": self.rungs - 1,
        }
        problems = [
            f"{name} must be larger: {getattr(self, name)}" for name, n in numbers.items() if n < 1
        ]
        if min(self.depths) < 0:
            problems.append(f"depths must not be negative: {self.depths}")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def n_patches(self) -> int:
        """Coefficients a range."""
        return sum(self.groups)


DEFAULT_CONFIG = CompressorConfig()


class Compressed(NamedTuple):
    """A batch of pictures, compressed and decoded.

    image: (b, 3, h, w); bits, side_bits: (b,), estimated, see `entropy_model.Rate`.
    """

    image: Float[Tensor, "b 3 h w"]
    bits: Float[Tensor, " b"]
    side_bits: Float[Tensor, " b"]


class Compressor(Pretrained):
    """Pictures to coefficients to pictures, at any quality.

        >>> model = Compressor()
        >>> image, bits, side_bits = model(torch.rand(2, 3, 64, 64), torch.tensor([0.3, 0.6]))

    Attributes:
        analysis: the encoder.
        entropy: the entropy model.
        patches: (a, 3, 32, 32), what a coefficient of 1 adds to the picture.
        step_shape: logarithms of the steps, relative to that of the quality.
    """

    def __init__(self, config: CompressorConfig = DEFAULT_CONFIG) -> None:
        super().__init__(config=config)
        self.config = config
        n = config.n_patches
        self.analysis = AnalysisTransform(
            n, config.widths, config.depths, config.rungs, lapped=config.lapped
        )
        self.entropy = EntropyModel(config.groups, config.state, config.side, config.rungs)
        self.patches = torch.nn.Parameter(torch.zeros(n, 3, 2 * RANGE, 2 * RANGE))
        self.step_shape = Ladder(config.rungs, torch.zeros(n))
        noise = torch.randn(n, 3, RANGE, RANGE, generator=torch.Generator().manual_seed(0))
        self.start_from(noise / noise.flatten(1).norm(dim=1)[:, None, None, None], torch.ones(n))

    @torch.no_grad()
    def start_from(self, components: Float[Tensor, "a 3 n n"], spread: Float[Tensor, " a"]) -> None:
        """Begin with the projection on orthonormal blocks, of which the coefficients spread so.

        Blocks of pre-filtered pixels, if the compressor is lapped.
        """
        windows = lapped_windows if self.config.lapped else centred_windows
        self.patches.copy_(windows(components))
        self.analysis.linear.weight.copy_(components)
        lengths = self.patches.flatten(1).norm(dim=1)
        self.step_shape.rungs.copy_(-lengths.clamp_min(1e-3).log().expand_as(self.step_shape.rungs))
        rungs = self.entropy.log_scale.rungs
        level = torch.linspace(0, 1, len(rungs))
        relative = (spread.clamp_min(1e-3) * _LOGISTIC) / self.steps(level)
        rungs.copy_(relative.clamp(0.05, 60).log())

    def steps(self, level: Float[Tensor, " b"]) -> Float[Tensor, "b a"]:
        """The quantiser step of each coefficient."""
        steps: Tensor = base_step(level)[:, None] * self.step_shape(level).exp()
        return steps

    def forward(
        self, images: Float[Tensor, "b 3 h w"], level: Float[Tensor, " b"], decide: bool = False
    ) -> Compressed:
        """images: in [0, 1], of whole ranges of 16 pixels. level: of quality, see `ladder`.

        decide: on symbols as an encoder would write them. Who trains begins without: symbols are
            decided by an entropy model, and zeros are cheap for one that knows nothing yet.
        """
        steps = self.steps(level)
        values = self.analysis(images - CENTRE, steps, level).float()
        worth = self._worth_of_steps(level, steps) if decide else None
        rate = self.entropy(values, level, worth)
        image = synthesise(rate.quantised * steps[..., None, None], self.patches)
        return Compressed(image.float() + CENTRE, rate.bits, rate.side_bits)

    def _worth_of_steps(
        self, level: Float[Tensor, " b"], steps: Float[Tensor, "b a"]
    ) -> Float[Tensor, "b a"]:
        """Bits that the square of a step of error in each coefficient is worth.

        As if patches were orthogonal; of their lengths it takes account.
        """
        energy = self.patches.square().sum((1, 2, 3))
        per_sample = lagrangian(level) * 255**2 / 3
        return per_sample[:, None] * steps.square() * energy


def lagrangian(level: Tensor) -> Tensor:
    """Bits per pixel that a squared error of one (8-bit level)^2 is worth at a level of quality."""
    return LOWEST * (HIGHEST / LOWEST) ** level


def worth_of_error(quality: int) -> float:
    """Bits that a squared error is worth at a quality 1..100, summed over samples in [0, 1]."""
    return float(lagrangian(torch.tensor(level_of(quality), dtype=torch.float32))) * 255**2 / 3


def base_step(level: Tensor) -> Tensor:
    """The step at which one bit buys what `lagrangian` says, for orthonormal patches.

    At high rates a bit divides the error step^2 / 12 of a coefficient by four.
    """
    worth = lagrangian(level) * RANGE**2 * 255**2 / (3 * RANGE**2)
    return (12 / (2 * math.log(2) * worth)).sqrt() * torch.ones_like(level)
