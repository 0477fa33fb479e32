"""The image compressor of Neural Collages: tiles of 40 x 40 pixels to quantised collages.

Poli et al. 2022, arXiv 2204.07673, compress aerial images tile by tile. For each of the four ranges
of a tile and each channel, a network predicts the weight of the one domain (the whole tile), the
weights of ten learned patches, and a bias, which are rounded to two decimals.

As published: tiles of 40, ranges of 20, ten patches, 40 features (ten per range), four residual
mixing blocks, a separate linear head for each range, tanh of weights and biases, two decimals.

Deviations: (1) one bias per range; the published map has one per source and encodes them all,
although only their sum has an effect. (2) No softmax over the ranges as a factor of the weights,
which only limits their magnitude. (3) The weight of the domain is below 0.9, so that every map
contracts. (4) Training includes rounding (straight-through); the original rounds in testing only.
(5) Patches are enlarged as in `core.resample`, not by replicating pixels.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.core.blocks import cut
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.pretrained import Pretrained
from neural_collage.runtime import cached_property


@dataclass(frozen=True)
class TileCompressorConfig:
    """Configuration of `TileCompressor`; the defaults are the paper's.

    Raises ValueError, listing every problem, if a field is out of range.

    Attributes:
        range_size: side of the ranges in pixels; a tile has 2 x 2 of them.
        n_patches: number of learned patches.
        embedding: features per range and pixel.
        depth: number of residual blocks.
        decimals: decimals to which parameters are rounded; the quantiser step is 10^-decimals.
        bound: greatest magnitude of the weight of the domain, in (0, 1).
    """

    range_size: int = 20
    n_patches: int = 10
    embedding: int = 10
    depth: int = 4
    decimals: int = 2
    bound: float = 0.9

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least {least}, not {value}"
            for name, value, least in (
                ("range_size", self.range_size, 1),
                ("n_patches", self.n_patches, 0),
                ("embedding", self.embedding, 1),
                ("depth", self.depth, 0),
                ("decimals", self.decimals, 1),
            )
            if value < least
        ]
        if not 0 < self.bound < 1:
            problems.append(f"bound must lie between 0 and 1, not {self.bound}")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def tile(self) -> int:
        """Side of a tile in pixels."""
        return 2 * self.range_size

    @property
    def levels(self) -> int:
        """Quantiser steps per unit: parameters are n / levels for integers |n| <= levels."""
        return int(10**self.decimals)

    @property
    def n_parameters(self) -> int:
        """Parameters of a range and channel: weight of the domain, weights of the patches, bias."""
        return 1 + self.n_patches + 1

    @cached_property
    def operator(self) -> OperatorConfig:
        """The configuration of the map of one tile."""
        return OperatorConfig(
            image_size=(self.tile, self.tile),
            channels=CHANNELS,
            range_size=self.range_size,
            domain_sizes=(self.tile,),
            n_patches=self.n_patches,
            per_channel=True,
            bound=self.bound,
            step=1 / self.levels,
        )


CHANNELS, RANGES = 3, 4
DEFAULT_CONFIG = TileCompressorConfig()


class TileCode(NamedTuple):
    """The parameters of the collages of a batch of tiles, before rounding, in [-1, 1].

    weights: (b, 3, 4, 1 + patches) of the domain and of the patches, by channel and range.
    bias: (b, 3, 4), in units of pixel values.
    """

    weights: Float[Tensor, "b 3 4 s"]
    bias: Float[Tensor, "b 3 4"]

    def parameters(self) -> Float[Tensor, "b 3 4 p"]:
        """Weights and bias of each channel and range, concatenated."""
        return torch.cat([self.weights, self.bias[..., None]], -1)


class TileCompressor(Pretrained):
    """An autoencoder of tiles whose code is a quantised collage.

        tiles --> 4 ranges as channels --> stem --> mixing blocks --> a head per range
                                                                            |
                                                        tanh, domain weight * bound
                                                                            v
        symbols <----- round(code / step) <------ code: weights and bias of each range
           |
           +--> entropy coder, initialised with counts --> file
           v
        symbols * step --> operator --> tiles at any scale

        >>> model = TileCompressor()
        >>> image, code = model(torch.rand(5, 3, 40, 40))
        >>> image.shape, code.parameters().shape
        (torch.Size([5, 3, 40, 40]), torch.Size([5, 3, 4, 12]))

    Attributes:
        operator: the map, with the learned patches.
        counts: (3 n_parameters, 2 levels + 1) initial symbol counts of each channel and parameter
            for the adaptive probability tables of the entropy coder; stored with the weights. All
            ones until `training.export.poli2022_weights` sets them.
    """

    counts: Tensor

    def __init__(self, config: TileCompressorConfig = DEFAULT_CONFIG) -> None:
        super().__init__(config=config)
        self.config = config
        self.encoder = TileEncoder(config)
        self.operator = CollageOperator(config.operator)
        alphabet = (CHANNELS * config.n_parameters, 2 * config.levels + 1)
        self.register_buffer("counts", torch.ones(alphabet, dtype=torch.int32))

    def forward(self, tiles: Float[Tensor, "b 3 t t"]) -> tuple[Float[Tensor, "b 3 t t"], TileCode]:
        """The reconstruction of tiles with values of about [0, 1], and their code.

        Raises ValueError for tiles of another size.
        """
        code = self.encode(tiles)
        return self.decode(code), code

    def encode(self, tiles: Float[Tensor, "b 3 t t"]) -> TileCode:
        """The code of tiles; raises as `forward` does."""
        if tiles.shape[2] != self.config.tile:
            raise ValueError(
                f"tiles must be {self.config.tile} pixels a side, not {tiles.shape[2]}: cut the "
                "image into tiles first"
            )
        raw = torch.tanh(self.encoder(tiles))
        domain, patches, bias = raw.split([1, self.config.n_patches, 1], -1)
        return TileCode(torch.cat([self.config.bound * domain, patches], -1), bias[..., 0])

    def decode(self, code: TileCode, scale: float = 1) -> Float[Tensor, "b 3 T T"]:
        """The tiles of a code, which the operator rounds; scale as in `CollageOperator`."""
        image: Tensor = self.operator(*code, scale=scale)
        return image

    def symbols(self, code: TileCode) -> Int64[Tensor, "b 3 4 p"]:
        """The quantised parameters, integers from -levels to levels."""
        # divided by the step, as in the operator: multiplied by `levels` may round differently
        return torch.round(code.parameters() / (1 / self.config.levels)).long()


def estimated_bits(symbols: Int64[Tensor, "n 3 4 p"]) -> float:
    """The rate of the n tiles of an image in bits, as estimated by the published script.

    All weights are assigned the bits of the largest, ceil(log2 |q|) + 2, and all biases those of
    the largest bias; positions take log2(n) + 28 bits. (The script applies this to 90 tiles at a
    time, divides by the number of samples, three per pixel, and for separate channels divides the
    running total by three again after every 90 tiles.) This is not the size of a file, which would
    also have to store, for example, the number of bits of each group.
    """
    groups = symbols[..., :-1], symbols[..., -1]
    largest = [int(group.abs().max()) for group in groups]
    widths = [(peak - 1).bit_length() + 2 if peak else 0 for peak in largest]
    total = sum(bits * group.numel() for bits, group in zip(widths, groups, strict=True))
    return total + math.log2(len(symbols)) + 28


class TileEncoder(nn.Module):
    """Tiles to the raw parameters of their ranges.

    The four ranges of a tile are stacked as channels, so that convolutions mix neighbouring pixels
    of a range and pixels at the same position of all ranges.
    """

    def __init__(self, config: TileCompressorConfig) -> None:
        super().__init__()
        self.config = config
        width = RANGES * config.embedding
        self.stem = nn.Conv2d(RANGES * CHANNELS, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_MixingBlock(width) for _ in range(config.depth)))
        inputs = config.embedding * config.range_size**2
        outputs = CHANNELS * config.n_parameters
        self.head = nn.Parameter(torch.randn(RANGES, inputs, outputs) * 0.1 / inputs**0.5)
        self.head_bias = nn.Parameter(torch.zeros(RANGES, outputs))
        with torch.no_grad():  # initial output is mid-grey
            self.head_bias.unflatten(1, (CHANNELS, -1))[..., -1] = 0.5493  # artanh 0.5

    def forward(self, tiles: Float[Tensor, "b 3 t t"]) -> Float[Tensor, "b 3 4 p"]:
        """The parameters before tanh."""
        ranges = cut(tiles - 0.5, self.config.range_size)  # (b, 3, 4, s, s)
        stacked = ranges.transpose(1, 2).flatten(1, 2)  # (b, 4 * 3, s, s)
        features = self.blocks(self.stem(stacked.contiguous(memory_format=torch.channels_last)))
        by_range = features.unflatten(1, (RANGES, -1)).flatten(2).transpose(0, 1)  # (4, b, f s s)
        raw = torch.baddbmm(self.head_bias[:, None], by_range, self.head)  # (4, b, 3 p)
        by_channel: Tensor = raw.transpose(0, 1).unflatten(2, (CHANNELS, -1)).transpose(1, 2)
        return by_channel


class _MixingBlock(nn.Module):
    """A pointwise, then a depthwise convolution, both residual.

    ConvMixer (Trockman & Kolter 2022, arXiv 2201.09792) in reverse order, without normalisation.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(width, width, 1)
        self.spatial = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.pointwise(functional.gelu(features))
        output: Tensor = features + self.spatial(functional.gelu(features))
        return output
