"""The image compressor of Neural Collages: tiles of 40 pixels to rounded collages, in one pass.

Poli et al. 2022, arXiv 2204.07673, compress aerial pictures tile by tile. A network that mixes
pixels and patches predicts, for the four ranges of a tile, the weights of the tile itself and of
ten patches that it learned, and a bias, each channel its own; they are rounded to two decimals.

As published: tiles of 40, ranges of 20, the one domain of 40, ten patches, 40 features (ten per
range) through four residual mixing blocks, a head as large as a range for each range, weights and
biases in tanh, two decimals. Different: the published map has a bias per source and counts them
all, of which only their sum shows, so here a range has one; it multiplies its weights by a softmax
over the ranges, which only narrows them; the weight of the domain stays below 0.9, so that the map
contracts whatever the network says; rounding takes part in training (straight-through), which was
rounded at the test only; patches are enlarged as `core.resample` does, not as squares.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.core.blocks import cut
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.pretrained import Pretrained


@dataclass(frozen=True)
class TileCompressorConfig:
    """Size of the compressor; the defaults are the paper's.

    Raises ValueError, naming every problem.

    Attributes:
        range_size: Side of the ranges in pixels; a tile has 2 x 2 of them.
        n_patches: Learned patches.
        embedding: Features per range.
        depth: Residual blocks.
        decimals: To which parameters are rounded.
        bound: What the weight of the domain may be in magnitude, below 1.
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
        """Steps per unit: a parameter is a whole number from -levels to levels, over levels."""
        return int(10**self.decimals)

    @property
    def n_parameters(self) -> int:
        """Parameters of a range and channel: the domain's weight, the patches', the bias."""
        return 1 + self.n_patches + 1

    @cached_property
    def operator(self) -> OperatorConfig:
        """The map of one tile."""
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
    """The collages of a batch of tiles, before rounding.

    weights: (b, 3, 4, 1 + patches) of the domain and of the patches.
    bias: (b, 3, 4).
    """

    weights: Float[Tensor, "b 3 4 s"]
    bias: Float[Tensor, "b 3 4"]

    def parameters(self) -> Float[Tensor, "b 3 4 p"]:
        """Weights and bias of each range side by side."""
        return torch.cat([self.weights, self.bias[..., None]], -1)


class TileCompressor(Pretrained):
    """Tiles to collages to tiles.

        >>> model = TileCompressor()
        >>> image, code = model(torch.rand(5, 3, 40, 40))
        >>> image.shape, code.parameters().shape
        (torch.Size([5, 3, 40, 40]), torch.Size([5, 3, 4, 12]))

    Attributes:
        operator: the map, with the learned patches.
        counts: (3 x parameters, 2 x levels + 1) how often each channel's parameter of a range
            takes each value: the tables of the entropy coder, a part of the weights. All ones
            until they are counted (see `training.export.poli2022_weights`).
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
        """What tiles decode to, and their collages; values of about [0, 1].

        Raises ValueError for tiles of another size.
        """
        code = self.encode(tiles)
        return self.decode(code), code

    def encode(self, tiles: Float[Tensor, "b 3 t t"]) -> TileCode:
        """The collages of tiles; raises as `forward` does."""
        if tiles.shape[2] != self.config.tile:
            raise ValueError(
                f"tiles must be {self.config.tile} pixels a side, not {tiles.shape[2]}: cut the "
                "picture with codec.poli2022_stream"
            )
        raw = torch.tanh(self.encoder(tiles))
        domain, patches, bias = raw.split([1, self.config.n_patches, 1], -1)
        return TileCode(torch.cat([self.config.bound * domain, patches], -1), bias[..., 0])

    def decode(self, code: TileCode, scale: float = 1) -> Float[Tensor, "b 3 T T"]:
        """The tiles of collages, which the operator rounds."""
        image: Tensor = self.operator(*code, scale=scale)
        return image

    def symbols(self, code: TileCode) -> Int64[Tensor, "b 3 4 p"]:
        """The rounded parameters as whole numbers from -levels to levels."""
        # divided by the step, as the operator does: times `levels` could round to another side
        return torch.round(code.parameters() / (1 / self.config.levels)).long()


def estimated_bits(symbols: Int64[Tensor, "n 3 4 p"]) -> float:
    """What the published script says that the tiles of a picture cost, by its formula.

    All weights cost as much as the largest, ceil(log2 |q|) + 2 bits, and all biases as much as the
    largest bias; positions cost log2(n) + 28 bits. (The script takes the largest of 90 tiles at a
    time, divides by the number of samples, three per pixel, and where channels have their own
    parameters divides the running total by three again after each 90 tiles.) No file is written:
    how many bits each group takes, say, would have to be stored, too.
    """
    groups = symbols[..., :-1], symbols[..., -1]
    largest = [int(group.abs().max()) for group in groups]
    each = [(peak - 1).bit_length() + 2 if peak else 0 for peak in largest]
    packed = sum(bits * group.numel() for bits, group in zip(each, groups, strict=True))
    return packed + math.log2(len(symbols)) + 28


class TileEncoder(nn.Module):
    """Tiles to the raw parameters of their ranges.

    The ranges of a tile are stacked as channels, so that blocks mix pixels of a range with their
    neighbours and with the pixels at the same place of the other ranges.
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
        with torch.no_grad():  # mid-grey at first
            self.head_bias.unflatten(1, (CHANNELS, -1))[..., -1] = 0.5493  # artanh 0.5

    def forward(self, tiles: Float[Tensor, "b 3 t t"]) -> Float[Tensor, "b 3 4 p"]:
        """The parameters before tanh."""
        stacked = cut(tiles - 0.5, self.config.range_size).transpose(1, 2).flatten(1, 2)
        features = self.blocks(self.stem(stacked.contiguous(memory_format=torch.channels_last)))
        by_range = features.unflatten(1, (RANGES, -1)).flatten(2).transpose(0, 1)
        raw = torch.baddbmm(self.head_bias[:, None], by_range, self.head)
        by_channel: Tensor = raw.transpose(0, 1).unflatten(2, (CHANNELS, -1)).transpose(1, 2)
        return by_channel


class _MixingBlock(nn.Module):
    """Mixes channels at each pixel, then pixels in each channel, both residual.

    The order of ConvMixer (Trockman & Kolter 2022, arXiv 2201.09792) the other way round, without
    its normalisation.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(width, width, 1)
        self.spatial = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.pointwise(functional.gelu(features))
        mixed: Tensor = features + self.spatial(functional.gelu(features))
        return mixed
