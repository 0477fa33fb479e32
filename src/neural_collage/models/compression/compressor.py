"""The neural compressor: pictures to the coefficients of learned, overlapping patches, in one pass.

The synthesis transform is linear: a picture is the sum of learned patches times coefficients. Yang
& Mandt 2023 (arXiv 2304.06244) show how far a linear decoder goes with a strong encoder and entropy
model. Together with links to domains it is the constant part of a collage, see
`codec.streams.neural`. Networks are in the analysis transform and the entropy model alone.

    picture -- analysis -- latents -- quantise -- x steps -- sum of overlapping patches -- picture
                              |
                              +-- entropy model --> bits
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.arguments import (
    check,
    flag_problems,
    share_problems,
    whole_problems,
    wholes_problems,
)
from neural_collage.core.lapped import synthesise
from neural_collage.models.compression.analysis_transform import AnalysisTransform
from neural_collage.models.compression.decoder_model import CENTRE, RANGE
from neural_collage.models.compression.distortion.mixture import SQUARED, Shares
from neural_collage.models.compression.distortion.visibility import MASKING, SEEN, masking
from neural_collage.models.compression.entropy_model import EntropyModel
from neural_collage.models.compression.initial_patches import centred_windows
from neural_collage.models.compression.ladder import Ladder, level_of
from neural_collage.models.compression.prefilter import lapped_windows
from neural_collage.models.compression.quantisers import (
    Quantisation,
    distortion_multipliers,
    make_quantiser,
)
from neural_collage.models.pretrained import Pretrained

LOWEST_LAMBDA, HIGHEST_LAMBDA = 0.0005, 0.25
"""Lambda at qualities 1 and 100, see `lambda_at`."""
L = TypeVar("L", float, Tensor)
_UNIT_LOGISTIC = math.sqrt(3) / math.pi  # scale of a logistic distribution of unit variance


@dataclass(frozen=True)
class CompressorConfig:
    """Size of the compressor.

    Raises ValueError, naming every problem.

    Attributes:
        groups: Patches in each channel group of the entropy model, in coding order.
        widths: Features of the analysis transform at 8 and at 16 pixels a cell.
        depths: Blocks of the analysis transform there.
        state: Features of the entropy model.
        side: Channels of the side information, one vector per 2 x 2 ranges.
        rungs: Qualities at which quality-dependent parameters are learned; they are interpolated
            in between, see `ladder`.
        lapped: Whether the analysis transform projects pre-filtered pixels, see `prefilter`.
            Patches are then initialised overlapped.
        visual: Share of the visual error in the distortion, see `distortion.mixture`.
        structural: Share of the structural error. Where either is above 0, RDOQ weighs errors by
            what is seen of them, see `distortion.visibility`.
        adaptive: Whether quantiser steps differ from range to range, see `entropy_model.StepGain`.
    """

    groups: tuple[int, ...] = (8, 24, 48, 96, 144)
    widths: tuple[int, int] = (128, 256)
    depths: tuple[int, int] = (2, 4)
    state: int = 128
    side: int = 32
    rungs: int = 6
    lapped: bool = False
    visual: float = 0.0
    structural: float = 0.0
    adaptive: bool = False

    def __post_init__(self) -> None:
        groups = wholes_problems("groups", self.groups)
        shares = share_problems("visual", self.visual)
        shares += share_problems("structural", self.structural)
        total = 0 if shares else self.visual + self.structural
        problems = [
            *(groups or ([] if self.groups else ["groups must not be empty"])),
            *wholes_problems("widths", self.widths, length=2),
            *wholes_problems("depths", self.depths, minimum=0, length=2),
            *whole_problems("state", self.state),
            *whole_problems("side", self.side),
            *whole_problems("rungs", self.rungs, minimum=2),
            *flag_problems("lapped", self.lapped),
            *(shares or ([] if total <= 1 else [f"visual and structural add up to {total:g} > 1"])),
            *flag_problems("adaptive", self.adaptive),
        ]
        check(problems)

    @property
    def n_patches(self) -> int:
        """Latents per range."""
        return sum(self.groups)

    @property
    def shares(self) -> Shares:
        """What the distortion is a mixture of."""
        return Shares(self.visual, self.structural)


DEFAULT_CONFIG = CompressorConfig()


class Compressed(NamedTuple):
    """A batch of decoded pictures and their estimated rates.

    image: (b, 3, h, w). bits, side_bits: (b,), see `entropy_model.Rate`.
    """

    image: Float[Tensor, "b 3 h w"]
    bits: Float[Tensor, " b"]
    side_bits: Float[Tensor, " b"]


class Compressor(Pretrained):
    """Pictures to latents to pictures, at any quality.

        >>> model = Compressor()
        >>> image, bits, side_bits = model(torch.rand(2, 3, 64, 64), torch.tensor([0.3, 0.6]))

    Attributes:
        analysis: the analysis transform.
        entropy: the entropy model.
        patches: (a, 3, 32, 32), the synthesis transform: what a coefficient of 1 adds.
        step_shape: logarithms of quantiser step / `base_step` of each latent, at each rung.
        visibility: where the distortion is more than squared errors, logarithms of what errors
            are worth in each latent, relative to their squares, at each rung; not trained.
    """

    def __init__(self, config: CompressorConfig = DEFAULT_CONFIG) -> None:
        super().__init__(config=config)
        self.config = config
        n = config.n_patches
        self.analysis = AnalysisTransform(
            n, config.widths, config.depths, config.rungs, lapped=config.lapped
        )
        self.entropy = EntropyModel(
            config.groups, config.state, config.side, config.rungs, adaptive=config.adaptive
        )
        self.patches = torch.nn.Parameter(torch.zeros(n, 3, 2 * RANGE, 2 * RANGE))
        self.step_shape = Ladder(config.rungs, torch.zeros(n))
        self.visibility = None
        if config.shares != SQUARED:
            self.visibility = Ladder(config.rungs, torch.zeros(n)).requires_grad_(False)
        noise = torch.randn(n, 3, RANGE, RANGE, generator=torch.Generator().manual_seed(0))
        self.initialise(noise / noise.flatten(1).norm(dim=1)[:, None, None, None], torch.ones(n))

    @torch.no_grad()
    def initialise(self, components: Float[Tensor, "a 3 n n"], spread: Float[Tensor, " a"]) -> None:
        """Initialise with the projection on orthonormal blocks.

        components: blocks, of pre-filtered pixels if the compressor is lapped. spread: root mean
            squares of the coefficients, which initialise the scales of the entropy model.
        """
        windows = lapped_windows if self.config.lapped else centred_windows
        self.patches.copy_(windows(components))
        self.analysis.linear.weight.copy_(components)
        lengths = self.patches.flatten(1).norm(dim=1)
        self.step_shape.rungs.copy_(-lengths.clamp_min(1e-3).log().expand_as(self.step_shape.rungs))
        rungs = self.entropy.log_scale.rungs
        level = torch.linspace(0, 1, len(rungs))
        relative = (spread.clamp_min(1e-3) * _UNIT_LOGISTIC) / self.steps(level)
        rungs.copy_(relative.clamp(0.05, 60).log())

    def steps(self, level: Float[Tensor, " b"]) -> Float[Tensor, "b a"]:
        """The quantiser step of each latent, in units of coefficients."""
        steps: Tensor = base_step(level)[:, None] * self.step_shape(level).exp()
        return steps

    def forward(
        self,
        images: Float[Tensor, "b 3 h w"],
        level: Float[Tensor, " b"],
        quantisation: Quantisation = "round",
    ) -> Compressed:
        """Compress and decode pictures, with estimated rates.

        images: in [0, 1], of whole ranges of 16 pixels. level: of quality, see `ladder`.
        quantisation: see `quantisers`. Training starts with "noise": RDOQ under an untrained
            entropy model sets everything to zero.
        """
        steps = self.steps(level)
        values = self.analysis(images - CENTRE, steps, level).float()
        weights = bits_per_squared_step(lambda_per_sample(level)[:, None], steps, self.patches)
        weights = self.rdoq_weights(weights, values.detach(), steps, level)
        rate = self.entropy(values, level, make_quantiser(quantisation, weights))
        image = synthesise(rate.quantised * steps[..., None, None], self.patches)
        return Compressed(image.float() + CENTRE, rate.bits, rate.side_bits)

    def rdoq_weights(
        self,
        bits: Float[Tensor, "b a"],
        values: Float[Tensor, "b a rows columns"],
        steps: Float[Tensor, "b a"],
        level: Float[Tensor, " b"],
    ) -> Float[Tensor, "b a #rows #columns"]:
        """What RDOQ weighs the squared error of each latent with, in steps.

        bits: `bits_per_squared_step` for a distortion of squared errors. values: latents.
        """
        weights = (bits * distortion_multipliers(self.config.groups).to(bits))[..., None, None]
        return weights * self.worth(values, steps, level)

    def worth(
        self,
        values: Float[Tensor, "b a rows columns"],
        steps: Float[Tensor, "b a"],
        level: Float[Tensor, " b"],
    ) -> Float[Tensor, "b #a #rows #columns"]:
        """What errors are worth in each latent, relative to their squares."""
        if self.visibility is None:
            return values.new_ones(len(values), 1, 1, 1)
        seen: Tensor = (SEEN * self.visibility(level)).exp()[..., None, None]
        return seen * masking(values, steps, self.patches.detach(), MASKING)


def lambda_at(level: Tensor) -> Tensor:
    """Lambda of the loss bpp + lambda * MSE, with the MSE in squared 8-bit levels.

    level: of quality, 0..1. The convention of CompressAI, whose lmbda this is.
    """
    return LOWEST_LAMBDA * (HIGHEST_LAMBDA / LOWEST_LAMBDA) ** level


def lambda_of_quality(quality: float) -> float:
    """`lambda_at` at a quality 1..100."""
    return float(lambda_at(torch.tensor(level_of(quality), dtype=torch.float32)))


def lambda_per_sample(level: Tensor) -> Tensor:
    """Bits per squared error, the errors of all samples in [0, 1] of a picture summed."""
    return _per_sample(lambda_at(level))


def bits_per_squared_error(quality: float) -> float:
    """`lambda_per_sample` at a quality 1..100."""
    return _per_sample(lambda_of_quality(quality))


def _per_sample(lmbda: L) -> L:
    return lmbda * 255**2 / 3  # in this order: files depend on the rounding


def bits_per_squared_step(
    bits_per_error: Tensor | float,
    steps: Float[Tensor, "*b a"],
    patches: Float[Tensor, "a 3 m m"],
) -> Float[Tensor, "*b a"]:
    """Bits that a squared error of one quantiser step is worth, for each latent.

    Assumes orthogonal patches; uses their actual norms.
    """
    return bits_per_error * steps.square() * patches.square().sum((1, 2, 3))


def base_step(level: Tensor) -> Tensor:
    """The step whose slope -dD/dR is 1 / lambda at high rates, for orthonormal patches.

    There D = step^2 / 12 per coefficient, and one bit more divides it by four.
    """
    bits_per_error = lambda_per_sample(level)
    return (12 / (2 * math.log(2) * bits_per_error)).sqrt() * torch.ones_like(level)
