"""A finished compressor: the network, and the integer tables that files depend on."""

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int32
from torch import Tensor

from neural_collage.models.compression.analysis_transform import NO_MARGINS, Margins
from neural_collage.models.compression.compressor import (
    DEFAULT_CONFIG,
    Compressor,
    CompressorConfig,
    bits_per_squared_error,
    bits_per_squared_step,
)
from neural_collage.models.compression.decoder_model import CENTRE, STEP_BITS, DecoderModel
from neural_collage.models.compression.integer_entropy import N_SCALES, logarithm_table, scale_of
from neural_collage.models.compression.integer_layers import LEVELS
from neural_collage.models.compression.ladder import level_of
from neural_collage.models.pretrained import Pretrained
from neural_collage.runtime import cached_property

LARGEST_SYMBOL = 255
"""Larger symbols are escaped."""
TABLE_SUM = 1 << 20


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
        self.register_buffer("logarithms", torch.from_numpy(logarithm_table()).short())

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
    def decoder(self) -> DecoderModel:
        """What files of this model are decoded with. The weights must not change afterwards."""
        tensors = {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}
        return DecoderModel(tensors, self.config.groups)

    def latents(
        self, images: Float[Tensor, "b 3 h w"], quality: int, margins: Margins = NO_MARGINS
    ) -> Float[Tensor, "b a r c"]:
        """The latents of pictures of whole ranges but those of the margins, not rounded.

        margins: see `analysis_transform.AnalysisTransform`.
        """
        level = images.new_full((len(images),), level_of(quality))
        steps = self.steps[quality - 1].float().expand(len(images), -1) * 2.0**-STEP_BITS
        latents: Tensor = self.compressor.analysis(
            images - CENTRE, steps.to(images), level, margins
        )
        return latents

    def side_latents(self, latents: Float[Tensor, "b a rows columns"]) -> Float[Tensor, "b s r c"]:
        """The side information of some latents, not rounded."""
        side: Tensor = self.compressor.entropy.side_latents(latents)
        return side

    def rdoq_weights(
        self, values: Float[Tensor, "a rows columns"], quality: int
    ) -> Float[Tensor, "a #rows #columns"]:
        """`Compressor.rdoq_weights` of the latents of a picture at a quality 1..100."""
        steps = self.steps[quality - 1].float() * 2.0**-STEP_BITS
        bits = self._bits_of_qualities[quality - 1]
        level = values.new_tensor([level_of(quality)])
        return self.compressor.rdoq_weights(bits[None], values[None], steps[None], level)[0]

    def worth(
        self, values: Float[Tensor, "a rows columns"], quality: int
    ) -> Float[Tensor, "#a #rows #columns"]:
        """`Compressor.worth` of the latents of a picture at a quality 1..100."""
        steps = self.steps[quality - 1].float() * 2.0**-STEP_BITS
        level = values.new_tensor([level_of(quality)])
        return self.compressor.worth(values[None], steps[None], level)[0]

    @cached_property
    def _bits_of_qualities(self) -> Float[Tensor, "q a"]:
        """Bits that a squared error of one step is worth, of each latent at each quality.

        As for `decoder`, the weights must not change afterwards.
        """
        patches = self.compressor.patches.detach()
        bits = [bits_per_squared_error(quality) for quality in range(1, LEVELS + 2)]
        steps = self.steps.float() * 2.0**-STEP_BITS
        return bits_per_squared_step(torch.tensor(bits)[:, None].to(steps), steps, patches)


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
