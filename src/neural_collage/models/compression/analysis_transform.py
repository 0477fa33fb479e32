"""From pixels to the coefficients of overlapping patches: a linear transform and its correction.

The linear part starts as the projection on cosines or principal components. The correction is
convolutional, starts at zero, and learns what a projection cannot know: how neighbours overlap, and
which coefficients are worth their bits at the wanted quality. Blocks as in ConvNeXt (Liu et al.
2022).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.models.compression.ladder import Ladder
from neural_collage.models.compression.prefilter import prefiltered

FINE, RANGE = 8, 16
"""Pixels a side of the cells on which the correction looks at the image, and of ranges."""


class AnalysisTransform(nn.Module):
    """Images to coefficients in units of their quantiser steps.

    n_patches: coefficients a range. widths, depths: features and blocks at 8 and at 16 pixels.
    rungs: of what depends on the quality. lapped: whether pixels are pre-filtered for the
    projection, see `prefilter`.
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
        """centred: pixels about 0, whole ranges; steps: of each coefficient; level: of quality."""
        with torch.autocast(centred.device.type, enabled=False):
            blocks = prefiltered(centred, RANGE) if self.lapped else centred
            projected = self.linear(blocks) / steps[..., None, None]
        cells = functional.pixel_unshuffle(centred, FINE)
        features = self.stem(cells.contiguous(memory_format=torch.channels_last))
        for block in self.fine:
            features = block(features, level)
        features = self.down(features) + self.seen(compressed(projected))
        for block in self.coarse:
            features = block(features, level)
        corrected: Tensor = projected + self.head(features)
        return corrected


class ConditionedBlock(nn.Module):
    """Depthwise 3x3, then a hidden layer over channels, residual; shifted and scaled by quality."""

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


def compressed(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|): large coefficients shall not drown small ones."""
    return values.sign() * values.abs().log1p()
