"""The analysis transform: from pixels to latents, linear with a convolutional correction.

The linear part is initialised as the projection on cosines or principal components. The correction
starts at zero and learns what a projection cannot express: how neighbouring patches overlap, and
which latents to attenuate at each quality. Its blocks follow ConvNeXt (Liu et al. 2022).

    pixels --+-- pre-filter -- 16x16 convolution -- / steps --+-------------------+--> latents
             |                                                | symlog            |
             +-- 8x8 cells -- blocks -- 2x2 convolution ------+-- blocks -- 1x1 --+
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.models.compression.decoder_model import RANGE
from neural_collage.models.compression.ladder import Ladder
from neural_collage.models.compression.prefilter import prefiltered

FINE = 8
"""Pixels a side of the cells of the correction's first stage."""


class AnalysisTransform(nn.Module):
    """Images to latents, the coefficients of patches in units of their quantiser steps.

    n_patches: latents per range. widths, depths: features and blocks at 8 and at 16 pixels.
    rungs: of what depends on the quality, see `ladder`. lapped: whether the projection reads
    pre-filtered pixels, see `prefilter`.
    """

    def __init__(
        self,
        n_patches: int,
        widths: tuple[int, int],
        depths: tuple[int, int],
        rungs: int,
        *,
        lapped: bool = False,
    ) -> None:
        super().__init__()
        fine, coarse = widths
        self.lapped = lapped
        self.linear = nn.Conv2d(3, n_patches, RANGE, RANGE, bias=False)
        self.stem = nn.Conv2d(3 * FINE**2, fine, 1)
        self.fine = nn.ModuleList(ConditionedBlock(fine, rungs) for _ in range(depths[0]))
        self.down = nn.Conv2d(fine, coarse, 2, 2)
        self.seen = nn.Conv2d(n_patches, coarse, 1)
        self.coarse = nn.ModuleList(ConditionedBlock(coarse, rungs) for _ in range(depths[1]))
        self.head = nn.Conv2d(coarse, n_patches, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(
        self,
        centred: Float[Tensor, "b 3 h w"],
        steps: Float[Tensor, "b a"],
        level: Float[Tensor, " b"],
    ) -> Float[Tensor, "b a rows columns"]:
        """centred: pixels minus 0.5, whole ranges. steps: of each latent. level: of quality."""
        with torch.autocast(centred.device.type, enabled=False):
            blocks = prefiltered(centred, RANGE) if self.lapped else centred
            projected = self.linear(blocks) / steps[..., None, None]
        cells = functional.pixel_unshuffle(centred, FINE)
        features = self.stem(cells.contiguous(memory_format=torch.channels_last))
        for block in self.fine:
            features = block(features, level)
        features = self.down(features) + self.seen(symlog(projected))
        for block in self.coarse:
            features = block(features, level)
        corrected: Tensor = projected + self.head(features)
        return corrected


class ConditionedBlock(nn.Module):
    """A residual ConvNeXt block, whose depthwise output is scaled and shifted by quality."""

    def __init__(self, width: int, rungs: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.rise = nn.Conv2d(width, 2 * width, 1)
        self.fall = nn.Conv2d(2 * width, width, 1)
        self.gain = Ladder(rungs, torch.ones(width))
        self.shift = Ladder(rungs, torch.zeros(width))

    def forward(self, features: Tensor, level: Float[Tensor, " b"]) -> Tensor:
        gain, shift = self.gain(level)[..., None, None], self.shift(level)[..., None, None]
        mixed = self.spatial(features) * gain + shift
        hidden = functional.gelu(self.rise(mixed), approximate="tanh")
        result: Tensor = features + self.fall(hidden)
        return result


def symlog(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|), which bounds the influence of large latents (Hafner et al. 2023)."""
    return values.sign() * values.abs().log1p()
