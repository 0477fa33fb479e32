"""The collage autoencoder: a stack of neural collages, each of which refines the reconstruction.

Poli et al. 2022, arXiv 2204.07673, stack collage operators with residual connections and train
them to remove noise. Here no residual connection bypasses the codes: the reconstruction is the sum
of the collages, fully described by their codes, at any resolution. The grids of ranges alternate
between two positions, so that range edges of one layer lie inside the ranges of the next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.core.resample import area_resample
from neural_collage.core.scales import Region, ScaleGrid, Window, render_at_scale
from neural_collage.models.autoencoding.range_encoder import (
    DEFAULT_ENCODER,
    EncoderConfig,
    RangeEncoder,
)
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.heads import CollageCode, Heads, range_averages
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.pretrained import Pretrained


class CollageAutoencoder(Pretrained):
    """An autoencoder whose code is several collages; their sum is the reconstruction.

    The input of the first layer is the image, and its brightness is relative to the averages of
    the ranges. The input of the others is the image and the sum so far, and their initial output
    is zero. Every second grid is shifted by half a range, on an image extended to the left and
    the top.

    operator: configuration of the map of every layer. With domains and learned patches it is the
        generalised collage; `domain_sizes=()` is the bias-only one, without self-similarity.
    encoder: configuration of the encoder of every layer; weights are separate.
    layers: number of collages.
    key_width: length of the queries and keys of domain weights (see `Heads`).

    Raises ValueError for fewer than one layer, or `patches="style"`.
    """

    def __init__(
        self,
        operator: OperatorConfig,
        encoder: EncoderConfig = DEFAULT_ENCODER,
        layers: int = 3,
        key_width: int = 32,
    ) -> None:
        super().__init__(operator=operator, encoder=encoder, layers=layers, key_width=key_width)
        if layers < 1 or operator.patches == "style":
            raise ValueError(
                f"layers must be at least 1, not {layers}, and operator.patches 'learned' or "
                f"'given', not {operator.patches!r}"
            )
        self.config = operator
        self.layers = nn.ModuleList(_Layer(n, operator, encoder, key_width) for n in range(layers))

    def forward(
        self, image: Float[Tensor, "b c h w"], *, scale: float = 1, region: Region | None = None
    ) -> Float[Tensor, "b c H W"]:
        """The reconstruction, at any scale; raises as `encode` and `decode` do."""
        codes, reconstruction = self._encode(image)
        return reconstruction if (scale, region) == (1, None) else self.decode(codes, scale, region)

    def encode(self, image: Float[Tensor, "b c h w"]) -> list[CollageCode]:
        """The code of every layer; ValueError for images of another size or number of channels."""
        return self._encode(image)[0]

    def decode(
        self, codes: Sequence[CollageCode], scale: float = 1, region: Region | None = None
    ) -> Float[Tensor, "b c H W"]:
        """The sum of the collages; scale, region and errors as in `CollageOperator.forward`."""
        size = self.config.range_size

        def is_exact(scale: Fraction) -> bool:
            return (size * scale).denominator == 1 and (size // 2 * scale).denominator == 1

        def render(scale: Fraction, window: Window) -> Tensor:
            layers = zip(self._layers(), codes, strict=True)
            return torch.stack([layer.render(code, scale, window) for layer, code in layers]).sum(0)

        grid = ScaleGrid(Fraction(1, size), self.config.octave, is_exact)
        return render_at_scale(self.config.image_size, scale, region, grid, render, area_resample)

    def _layers(self) -> Iterator["_Layer"]:
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            yield layer

    def _encode(self, image: Tensor) -> tuple[list[CollageCode], Tensor]:
        expected = (self.config.channels, *self.config.image_size)
        if image.shape[1:] != expected:
            raise ValueError(
                f"images must be {expected}, not {tuple(image.shape[1:])}: cut or resize them"
            )
        inputs, total = image, torch.zeros_like(image)
        codes: list[CollageCode] = []
        for layer in self._layers():
            code = layer(inputs)
            codes.append(code)
            total = total + code.decode(layer.operator)[..., layer.shift :, layer.shift :]
            inputs = torch.cat([image, total], 1)
        return codes, total


class _Layer(nn.Module):
    """One collage, and the network that predicts it from the image and the sum so far."""

    def __init__(
        self, index: int, operator: OperatorConfig, encoder: EncoderConfig, key_width: int
    ) -> None:
        super().__init__()
        self.shift = index % 2 * (operator.range_size // 2)
        height, width = (side + self.shift for side in operator.image_size)
        shifted = replace(operator, image_size=(height, width))
        planes = operator.channels * (1 if index == 0 else 2)
        self.is_first = index == 0
        self.encoder = RangeEncoder(planes, operator.range_size, encoder)
        self.heads = Heads(encoder.width, shifted, key_width)
        self.operator = CollageOperator(shifted)

    def forward(self, inputs: Float[Tensor, "b planes h w"]) -> CollageCode:
        inputs = functional.pad(inputs, (self.shift, 0, self.shift, 0), mode="replicate")
        config = self.operator.config
        averages = range_averages(inputs[:, : config.channels], config)
        if not self.is_first:
            averages = torch.zeros_like(averages)
        code: CollageCode = self.heads(self.encoder(inputs), averages, self.operator)
        return code

    def render(self, code: CollageCode, scale: Fraction, window: Window) -> Tensor:
        """A window of the image, at a scale at which the shift is whole pixels."""
        shift = int(self.shift * scale)
        region = (window.left + shift, window.top + shift, window.width, window.height)
        return code.decode(self.operator, float(scale), region)
