"""A finished compressor: the network, and the integer tables that files depend on.

What decoding needs is derived from the weights by rounding alone, or read from tables that are
computed once, when the model is finished, and stored with it: so all machines agree.
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
    bits_per_squared_error,
    bits_per_squared_step,
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
"""Larger symbols are escaped."""
TABLE_SUM = 1 << 20
STEP_BITS, AMPLITUDE_BITS, PATCH_BITS = 16, 11, 15


class CodecModel(Pretrained):
    """The model behind neural streams; see the module.

    Attributes:
        compressor: the network.
        counts: (scales, symbols) counts of the symbols -LARGEST_SYMBOL to LARGEST_SYMBOL, then of
            escapes; symbols with a count of zero are escaped.
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
        """The model of a trained compressor, with its tables of steps."""
        model = cls(compressor.config)
        model.compressor.load_state_dict(compressor.state_dict())
        level = torch.arange(LEVELS + 1) / LEVELS
        with torch.no_grad():
            steps = (compressor.steps(level) * 2**STEP_BITS).round()
        model.steps.copy_(steps.clamp(1, 2**31 - 1))
        return model.eval()

    @cached_property
    def entropy(self) -> IntegerEntropy:
        """The entropy model in integers, on the CPU. The weights must not change afterwards."""
        return IntegerEntropy(self.compressor.entropy, self.logarithms.long().cpu())

    @cached_property
    def integer_patches(self) -> Tensor:
        """The patches in 2^-15."""
        fixed = torch.round(self.compressor.patches.detach().double().cpu() * 2**PATCH_BITS)
        return fixed.clamp(-(2**15), 2**15 - 1).short()

    def latents(self, images: Float[Tensor, "b 3 h w"], quality: int) -> Float[Tensor, "b a r c"]:
        """The latents of pictures of whole ranges, not rounded."""
        level = images.new_full((len(images),), level_of(quality))
        steps = self.steps[quality - 1].float().expand(len(images), -1) * 2.0**-STEP_BITS
        latents: Tensor = self.compressor.analysis(images - CENTRE, steps.to(images), level)
        return latents

    def side_latents(self, latents: Float[Tensor, "b a rows columns"]) -> Float[Tensor, "b s r c"]:
        """The side information of some latents, not rounded."""
        side: Tensor = self.compressor.entropy.side_latents(latents)
        return side

    def amplitudes(self, quantised: Int64[Tensor, "a r c"], quality: int) -> Int16[Tensor, "a r c"]:
        """Coefficients of the patches in 2^-11, from latents in 1 / UNIT steps."""
        shift = VALUE_BITS + STEP_BITS - AMPLITUDE_BITS
        scaled = quantised * self.steps[quality - 1].long().cpu()[:, None, None]
        rounded = torch.div(scaled + (1 << shift - 1), 1 << shift, rounding_mode="floor")
        return rounded.clamp(-(2**15), 2**15 - 1).short()

    def texture(self, amplitudes: Int16[Tensor, "a rows columns"]) -> LappedTexture:
        """The picture of some amplitudes, minus the grey level `CENTRE`."""
        return LappedTexture(
            amplitudes, self.integer_patches, 2.0 ** -(AMPLITUDE_BITS + PATCH_BITS)
        )

    def bits_per_squared_step(self, quality: int) -> Float[Tensor, " a"]:
        """`compressor.bits_per_squared_step` of each latent at a quality 1..100."""
        steps = self.steps[quality - 1] * 2.0**-STEP_BITS
        patches = self.compressor.patches.detach()
        return bits_per_squared_step(bits_per_squared_error(quality), steps, patches)


def logistic_counts() -> Int32[Tensor, "n k"]:
    """Probability tables of the logistic distributions of all scales."""
    edges = np.arange(-LARGEST_SYMBOL, LARGEST_SYMBOL + 2) - 0.5
    rows = []
    for index in range(N_SCALES):
        cumulative = 1 / (1 + np.exp(-np.clip(edges / scale_of(index), -500, 500)))
        mass = np.diff(cumulative)
        mass = (mass + mass[::-1]) / 2
        rows.append(np.append(mass, max(0.0, 1 - mass.sum())))
    return torch.from_numpy(whole_counts(np.stack(rows)))


def whole_counts(mass: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Probabilities (n, k) as integer counts of about TABLE_SUM per row, escapes at least 1.

    Symbols of less than half a count are escaped.
    """
    share = mass / mass.sum(1, keepdims=True)
    counts: npt.NDArray[np.int32] = np.rint(share * TABLE_SUM).astype(np.int32)
    counts[:, -1] = np.maximum(counts[:, -1], 1)
    return counts
