"""A finished compressor: the network, and the whole-number tables that files depend on.

What a decoder needs is derived from the weights by rounding alone, or lies in tables that are made
once, when the model is finished, and shipped with it. So all machines agree.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int16, Int32, Int64
from torch import Tensor

from neural_collage.core.lapped import LappedTexture
from neural_collage.models.compression.compressor import (
    CENTRE,
    DEFAULT_CONFIG,
    Compressor,
    CompressorConfig,
    worth_of_error,
)
from neural_collage.models.compression.integer_entropy import (
    N_SCALES,
    VALUE_BITS,
    IntegerEntropy,
    logarithm_table,
    scale_of,
)
from neural_collage.models.compression.ladder import LEVELS, level_of
from neural_collage.models.pretrained import Pretrained

LARGEST_SYMBOL = 255
"""Larger deviations are escaped."""
TABLE_SUM = 1 << 20
STEP_BITS, AMPLITUDE_BITS, PATCH_BITS = 16, 11, 15


class CodecModel(Pretrained):
    """What encodes and decodes neural streams; see the module.

    Attributes:
        compressor: the network.
        counts: (scales, symbols) how often each deviation occurs, from -LARGEST_SYMBOL to
            LARGEST_SYMBOL, then escapes; zero where it is to be escaped.
        steps: (100, patches) quantiser steps of each quality, in 2^-16.
        logarithms: see `integer_entropy.logarithm_table`.
    """

    counts: Tensor
    steps: Tensor
    logarithms: Tensor

    def __init__(self, config: CompressorConfig = DEFAULT_CONFIG) -> None:
        super().__init__(config=config)
        self.config = config
        self.compressor = Compressor(config)
        self.register_buffer("counts", logistic_counts())
        self.register_buffer("steps", torch.ones(LEVELS + 1, config.n_patches, dtype=torch.int32))
        self.register_buffer("logarithms", logarithm_table().short())

    @classmethod
    def finish(cls, compressor: Compressor) -> "CodecModel":
        """The model of a trained compressor, with tables made for it."""
        model = cls(compressor.config)
        model.compressor.load_state_dict(compressor.state_dict())
        level = torch.arange(LEVELS + 1) / LEVELS
        with torch.no_grad():
            steps = (compressor.steps(level) * 2**STEP_BITS).round()
        model.steps.copy_(steps.clamp(1, 2**31 - 1))
        return model.eval()

    @cached_property
    def entropy(self) -> IntegerEntropy:
        """The entropy model in whole numbers. The weights must not change any more."""
        return IntegerEntropy(self.compressor.entropy.cpu(), self.logarithms.long().cpu())

    @cached_property
    def integer_patches(self) -> Tensor:
        """The patches in 2^-15."""
        fixed = torch.round(self.compressor.patches.detach().double().cpu() * 2**PATCH_BITS)
        return fixed.clamp(-(2**15), 2**15 - 1).short()

    def values(self, images: Float[Tensor, "b 3 h w"], quality: int) -> Float[Tensor, "b a r c"]:
        """The coefficients of pictures of whole ranges, in steps, not rounded."""
        level = images.new_full((len(images),), level_of(quality))
        steps = self.steps[quality - 1].float().expand(len(images), -1) * 2.0**-STEP_BITS
        values: Tensor = self.compressor.analysis(images - CENTRE, steps.to(images), level)
        return values

    def side_values(self, values: Float[Tensor, "b a rows columns"]) -> Float[Tensor, "b s r c"]:
        """The numbers of the hyperprior for some coefficients, not rounded."""
        side: Tensor = self.compressor.entropy.side_values(values)
        return side

    def amplitudes(self, quantised: Int64[Tensor, "a r c"], quality: int) -> Int16[Tensor, "a r c"]:
        """What coefficients in 1 / UNIT steps multiply the patches with, in 2^-11."""
        shift = VALUE_BITS + STEP_BITS - AMPLITUDE_BITS
        scaled = quantised * self.steps[quality - 1].long().cpu()[:, None, None]
        rounded = torch.div(scaled + (1 << shift - 1), 1 << shift, rounding_mode="floor")
        return rounded.clamp(-(2**15), 2**15 - 1).short()

    def texture(self, amplitudes: Int16[Tensor, "a rows columns"]) -> LappedTexture:
        """What amplitudes look like, without the centre grey."""
        return LappedTexture(
            amplitudes, self.integer_patches, 2.0 ** -(AMPLITUDE_BITS + PATCH_BITS)
        )

    def worth(self, quality: int) -> Float[Tensor, " a"]:
        """Bits that the square of a step of error in a coefficient is worth.

        As if patches were orthogonal; of their lengths it takes account.
        """
        energy = self.compressor.patches.detach().square().sum((1, 2, 3))
        steps = self.steps[quality - 1] * 2.0**-STEP_BITS
        return worth_of_error(quality) * steps.square() * energy


def logistic_counts() -> Int32[Tensor, "n k"]:
    """Tables of the logistic distributions of all scales."""
    edges = np.arange(-LARGEST_SYMBOL, LARGEST_SYMBOL + 2) - 0.5
    rows = []
    for index in range(N_SCALES):
        cumulative = 1 / (1 + np.exp(-np.clip(edges / scale_of(index), -500, 500)))
        mass = np.diff(cumulative)
        mass = (mass + mass[::-1]) / 2
        rows.append(np.append(mass, max(0.0, 1 - mass.sum())))
    return torch.from_numpy(whole_counts(np.stack(rows)))


def whole_counts(mass: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Probabilities (n, k) as counts of about TABLE_SUM a row; escapes are always possible.

    Symbols too unlikely for half a count are left to escapes.
    """
    share = mass / mass.sum(1, keepdims=True)
    counts: npt.NDArray[np.int32] = np.rint(share * TABLE_SUM).astype(np.int32)
    counts[:, -1] = np.maximum(counts[:, -1], 1)
    return counts
