"""The analysis transform: from pixels to latents, linear with a convolutional correction.

The linear part is initialised as the projection on cosines or principal components. The correction
starts at zero and learns what a projection cannot express: how neighbouring patches overlap, and
which latents to attenuate at each quality. Its blocks follow ConvNeXt (Liu et al. 2022).

    pixels --+-- pre-filter -- 16x16 convolution -- / steps --+-------------------+--> latents
             |                                                | symlog            |
             +-- 8x8 cells -- blocks -- 2x2 convolution ------+-- blocks -- 1x1 --+
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.models.compression.decoder_model import RANGE
from neural_collage.models.compression.ladder import Ladder
from neural_collage.models.compression.prefilter import prefiltered

FINE = 8
"""Pixels a side of the cells of the correction's first stage."""
_BAND = 18
"""Rows of ranges, at most, that this stage computes at once."""


class Margins(NamedTuple):
    """How many cells, at each side of a part of an image, are there as context alone."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def times(self, factor: int) -> "Margins":
        """In smaller cells."""
        return Margins(*(side * factor for side in self))

    def at_most(self, limit: int) -> "Margins":
        """What is left of wider margins; sides without one lie at the edge of the image."""
        return Margins(*(min(side, limit) for side in self))

    def trimmed(self, features: Tensor, kept: "Margins") -> Tensor:
        """Features (b, f, h, w) with these margins, of which narrower ones are kept."""
        top, bottom, left, right = (m - k for m, k in zip(self, kept, strict=True))
        height, width = features.shape[2:]
        return features[..., top : height - bottom, left : width - right]


NO_MARGINS = Margins()


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
        self.stem = Pointwise(3 * FINE**2, fine)
        self.fine = nn.ModuleList(ConditionedBlock(fine, rungs) for _ in range(depths[0]))
        self.down = nn.Conv2d(fine, coarse, 2, 2)
        self.seen = Pointwise(n_patches, coarse)
        self.coarse = nn.ModuleList(ConditionedBlock(coarse, rungs) for _ in range(depths[1]))
        self.head = Pointwise(coarse, n_patches)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    @property
    def reach(self) -> int:
        """How many ranges away what a latent depends on may lie."""
        return len(self.coarse) + self._fine_reach

    @property
    def _fine_reach(self) -> int:
        """That of the projection, whose pre-filter reaches half a range, and of the first stage."""
        return max(-(-len(self.fine) * FINE // RANGE), 1)

    def forward(
        self,
        centred: Float[Tensor, "b 3 h w"],
        steps: Float[Tensor, "b a"],
        level: Float[Tensor, " b"],
        margins: Margins = NO_MARGINS,
    ) -> Float[Tensor, "b a rows columns"]:
        """The latents of ranges, of which there are none for those of the margins.

        centred: pixels minus 0.5, whole ranges. steps: of each latent. level: of quality. margins:
        ranges that are read as context; with `reach` of them at the sides where the image goes on,
        the latents are those of the whole image.
        """
        left = margins.at_most(len(self.coarse))  # what is still needed
        projected, features = self._in_bands(centred, steps, level, margins, left)
        start = left
        for number, block in enumerate(self.coarse, start=1):
            after = left.at_most(len(self.coarse) - number)
            features, left = block(features, level, left, after), after
        corrected: Tensor = start.trimmed(projected, NO_MARGINS) + self.head(features)
        return corrected

    def _in_bands(
        self,
        centred: Float[Tensor, "b 3 h w"],
        steps: Float[Tensor, "b a"],
        level: Float[Tensor, " b"],
        margins: Margins,
        needed: Margins,
    ) -> tuple[Float[Tensor, "b a rows columns"], Float[Tensor, "b f rows columns"]]:
        """The projection, and the features after the first stage of the correction.

        Their margins are the needed ones. Processors compute them in bands of ranges, each with
        its context, unless gradients are wanted: that takes less memory, and less time where it
        stays in the caches.
        """
        rows, skipped = centred.shape[2] // RANGE, margins.top - needed.top
        count = rows - skipped - (margins.bottom - needed.bottom)
        is_whole = torch.is_grad_enabled() or centred.device.type != "cpu"
        step = count if is_whole else -(-count // -(-count // _BAND))
        bands = []
        for first in range(skipped, skipped + count, step):
            last = min(first + step, skipped + count)
            top, bottom = max(first - self._fine_reach, 0), min(last + self._fine_reach, rows)
            part = centred[:, :, top * RANGE : bottom * RANGE]
            before = margins._replace(top=first - top, bottom=bottom - last)
            after = needed._replace(top=0, bottom=0)
            bands.append(self._band(part, steps, level, before, after))
        projected, features = (torch.cat(parts, 2) for parts in zip(*bands, strict=True))
        return projected, features

    def _band(
        self,
        centred: Float[Tensor, "b 3 h w"],
        steps: Float[Tensor, "b a"],
        level: Float[Tensor, " b"],
        margins: Margins,
        needed: Margins,
    ) -> tuple[Float[Tensor, "b a rows columns"], Float[Tensor, "b f rows columns"]]:
        with torch.autocast(centred.device.type, enabled=False):
            blocks = prefiltered(centred, RANGE) if self.lapped else centred
            blocks = margins.times(RANGE).trimmed(blocks, needed.times(RANGE))
            projected = self.linear(blocks) / steps[..., None, None]
        features = self.stem(_cells(centred, FINE))
        before, kept = margins.times(RANGE // FINE), needed.times(RANGE // FINE)
        for number, block in enumerate(self.fine, start=1):
            rest = len(self.fine) - number
            after = Margins(*(min(b, k + rest) for b, k in zip(before, kept, strict=True)))
            features, before = block(features, level, before, after), after
        features = self.down(before.trimmed(features, kept))
        return projected, features + self.seen(symlog(projected))


def _cells(image: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b f H W"]:
    """The pixels of each cell as its features: `pixel_unshuffle`, with channels last in memory."""
    height, width = image.shape[2:]
    cells = image.reshape(len(image), -1, height // size, size, width // size, size)
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3).permute(0, 3, 1, 2)


class Pointwise(nn.Conv2d):
    """A convolution of single cells."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        # On one thread torch leaves such convolutions to the library of matrix products, which is
        # half as fast on some machines. A dilation, which means nothing to single cells, makes it
        # choose as it does on several, so that the bits do not depend on their number either.
        is_optimised = features.device.type == "cpu" and torch.backends.mkldnn.is_available()
        dilation = 2 if is_optimised else 1
        return functional.conv2d(features, self.weight, self.bias, dilation=dilation)


class ConditionedBlock(nn.Module):
    """A residual ConvNeXt block, whose depthwise output is scaled and shifted by quality."""

    def __init__(self, width: int, rungs: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.rise = Pointwise(width, 2 * width)
        self.fall = Pointwise(2 * width, width)
        self.gain = Ladder(rungs, torch.ones(width))
        self.shift = Ladder(rungs, torch.zeros(width))

    def forward(
        self,
        features: Float[Tensor, "b f h w"],
        level: Float[Tensor, " b"],
        before: Margins = NO_MARGINS,
        after: Margins = NO_MARGINS,
    ) -> Float[Tensor, "b f H W"]:
        """before: margins of the features. after: what is kept of them, at most one cell less where
        the image goes on.
        """
        gain, shift = self.gain(level)[..., None, None], self.shift(level)[..., None, None]
        mixed = before.trimmed(self.spatial(features), after) * gain + shift
        hidden = functional.gelu(self.rise(mixed), approximate="tanh")
        result: Tensor = before.trimmed(features, after) + self.fall(hidden)
        return result


def symlog(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|), which bounds the influence of large latents (Hafner et al. 2023)."""
    return values.sign() * values.abs().log1p()
