"""`RangeEncoder`: a small ConvNeXt with one feature vector per range as output.

Blocks follow Liu et al. 2022 (arXiv 2201.03545): depthwise convolution, layer norm, and two
pointwise layers around a GELU, in a residual branch. The stem, a strided convolution, embeds small
squares of pixels; a second strided convolution merges these into the grid of ranges. The network is
convolutional, so that images may have any size.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neural_collage.core.blocks import pad_to_multiple


@dataclass(frozen=True)
class EncoderConfig:
    """Configuration of `RangeEncoder`.

    Raises ValueError, listing every problem, if a field is out of range.

    Attributes:
        width: length of the feature vectors.
        depth: residual blocks at the resolution of the stem, and again at that of the ranges.
        kernel: side of the depthwise convolutions in positions, odd.
        stem: stride and kernel size of the first layer in pixels; divides the range size.
        expansion: ratio of hidden to outer width of the pointwise layers.
    """

    width: int = 64
    depth: int = 2
    kernel: int = 5
    stem: int = 4
    expansion: int = 2

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least {least}, not {value}"
            for name, value, least in (
                ("width", self.width, 1),
                ("depth", self.depth, 0),
                ("stem", self.stem, 1),
                ("expansion", self.expansion, 1),
            )
            if value < least
        ]
        if self.kernel < 1 or self.kernel % 2 == 0:
            problems.append(f"kernel must be odd and positive, not {self.kernel}")
        if problems:
            raise ValueError("; ".join(problems))


DEFAULT_ENCODER = EncoderConfig()


class RangeEncoder(nn.Module):
    """Images (b, c, h, w) to one feature vector per range, (b, width, rows, columns).

    Images of any size are padded to whole ranges by replicating their last row and column, as the
    operator's canvas is. A projection of the average of all feature vectors is added to each:
    the weights of distant domains depend on the whole image.

    channels: c. range_size: side of the ranges in pixels. dtype: of the weights, torch's default
        if None.

    Raises ValueError if the stem does not divide the range size.
    """

    def __init__(
        self,
        channels: int,
        range_size: int,
        config: EncoderConfig = DEFAULT_ENCODER,
        *,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if range_size % config.stem:
            raise ValueError(
                f"a stem of {config.stem} pixels does not divide ranges of {range_size}: "
                "take a divisor of the range size"
            )
        width, merged = config.width, range_size // config.stem
        self.range_size = range_size
        self.stem = nn.Conv2d(channels, width, config.stem, config.stem, dtype=dtype)
        self.fine = nn.Sequential(*(_Block(config, dtype) for _ in range(config.depth)))
        self.merge = (
            nn.Conv2d(width, width, merged, merged, dtype=dtype) if merged > 1 else nn.Identity()
        )
        self.coarse = nn.Sequential(*(_Block(config, dtype) for _ in range(config.depth)))
        self.whole = nn.Linear(width, width, dtype=dtype)
        self.norm = nn.LayerNorm(width, dtype=dtype)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f rows columns"]:
        """The features of every range of images with values of about [0, 1]."""
        fine = self.fine(self.stem(pad_to_multiple(image, self.range_size) - 0.5))
        features = self.coarse(self.merge(fine)).permute(0, 2, 3, 1)
        whole = self.whole(features.mean((1, 2), keepdim=True))
        normalised: Tensor = self.norm(features + whole)
        return normalised.permute(0, 3, 1, 2)


class _Block(nn.Module):
    """A ConvNeXt block on (b, width, rows, columns)."""

    def __init__(self, config: EncoderConfig, dtype: torch.dtype | None) -> None:
        super().__init__()
        width, hidden = config.width, config.expansion * config.width
        self.spatial = nn.Conv2d(
            width, width, config.kernel, padding=config.kernel // 2, groups=width, dtype=dtype
        )
        self.norm = nn.LayerNorm(width, dtype=dtype)
        self.pointwise = nn.Sequential(
            nn.Linear(width, hidden, dtype=dtype),
            nn.GELU(),
            nn.Linear(hidden, width, dtype=dtype),
        )

    def forward(self, features: Tensor) -> Tensor:
        mixed = self.norm(self.spatial(features).permute(0, 2, 3, 1))
        change: Tensor = self.pointwise(mixed)
        return features + change.permute(0, 3, 1, 2)
