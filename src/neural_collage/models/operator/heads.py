"""From the features of ranges to the parameters of a collage.

A range is linked to a domain by how well its query fits the domain's key, as in attention
(Vaswani et al. 2017), so that the number of parameters does not grow with the number of sources.
Patches have no features; each has a linear weight instead.

What a range receives from its sources enters without its average: the bias is whatever makes the
averages of the ranges those that the heads ask for. Brightness, contrast and texture then do not
disturb each other (Øien & Lepsøy 1994), and an untrained collage is the image at one value per
range.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.core.blocks import pad_to_multiple, pool
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.operator.patches import cosine_patches


class CollageCode(NamedTuple):
    """The parameters of a batch of collages: what `CollageOperator` takes, in its order.

    weights: (b, c or 1, r, s), raw; with links (b, c or 1, r, k).
    bias: (b, c, r), in units of pixel values.
    patches: (b, a, c, p, p), or None if the operator has its own or none.
    links: (b, r, k) the numbers of the sources of each range, or None for all of them.
    """

    weights: Float[Tensor, "b cw r k"]
    bias: Float[Tensor, "b c r"]
    patches: Float[Tensor, "b a c p p"] | None = None
    links: Int64[Tensor, "b r k"] | None = None

    def decode(
        self,
        operator: CollageOperator,
        scale: float = 1,
        region: tuple[int, int, int, int] | None = None,
    ) -> Float[Tensor, "b c h w"]:
        """The images; scale and region as in `CollageOperator`."""
        image: Tensor = operator(
            self.weights, self.bias, self.patches, links=self.links, scale=scale, region=region
        )
        return image


class Heads(nn.Module):
    """Features of ranges (b, f, rows, columns) to a `CollageCode`.

    Zero-initialised: at first no range has a contrast or a texture and its average is as given.
    (With softmax mixing weights cannot be zero; averages are as given all the same.)

    features: f. config: of the operator that the code is for.
    key_width: length of queries and keys.
    own_patches: predict the patches of `patches="given"`; else they come with every call.
    zero: False for averages and textures that depend on the features from the first step on: what
        is drawn in the last layers before the heads is otherwise noise to them, and stays unused.
    """

    def __init__(
        self,
        features: int,
        config: OperatorConfig,
        key_width: int = 32,
        *,
        own_patches: bool = True,
        zero: bool = True,
    ) -> None:
        super().__init__()
        self.config = config
        maps, self.key_width = config.weights_shape[0], key_width
        self.brightness = _zero_linear(features, config.channels)
        self.query = _zero_linear(features, maps * key_width) if config.domain_sizes else None
        self.keys = nn.ModuleList(
            nn.Linear(features, len(config.isometry_codes) * key_width) for _ in config.domain_sizes
        )
        self.texture = _zero_linear(features, maps * config.n_patches) if config.n_patches else None
        if not zero:
            for head in (self.brightness, self.texture):
                if head is not None:
                    head.reset_parameters()
        self.patches: nn.Linear | None = None
        if own_patches and config.patches == "given" and config.n_patches:
            count, channels, size, _ = config.patches_shape
            self.patches = _zero_linear(features, count * channels * size**2)
            with torch.no_grad():
                self.patches.bias.copy_(cosine_patches(count, channels, size).flatten())

    def forward(
        self,
        features: Float[Tensor, "b f rows columns"],
        averages: Float[Tensor, "b c rows columns"],
        operator: CollageOperator,
        patches: Float[Tensor, "b a c p p"] | None = None,
    ) -> CollageCode:
        """The code; averages: of the ranges, which `brightness` corrects.

        operator: of the same config, to know what its patches and weights amount to.
        patches: of each image, if they are not predicted here.
        """
        flat = features.flatten(2).mT  # (b, r, f)
        weights = self._weights(features, flat)
        if self.patches is not None:
            patches = self.patches(flat.mean(1)).unflatten(1, self.config.patches_shape)
        target = averages + self.brightness(flat).mT.unflatten(2, self.config.grid)
        return CollageCode(weights, _bias(operator, weights, patches, target), patches)

    def _weights(self, features: Tensor, flat: Tensor) -> Float[Tensor, "b cw r s"]:
        maps = self.config.weights_shape[0]
        parts = [flat.new_zeros(len(flat), maps, flat.shape[1], 0)]
        if self.query is not None:
            query = self.query(flat).unflatten(2, (maps, -1)).transpose(1, 2)  # (b, cw, r, d)
            query = query * self.key_width**-0.5
            parts += [query @ key[:, None] for key in self._domain_keys(features)]
        if self.texture is not None:
            parts.append(self.texture(flat).unflatten(2, (maps, -1)).transpose(1, 2))
        return torch.cat(parts, 3)

    def _domain_keys(self, features: Tensor) -> list[Tensor]:
        """Keys (b, d, n) of the domains of each size under each isometry, in the order of sources.

        A domain covers whole ranges, whose features it averages.
        """
        keys = []
        for reduction, linear in zip(self.config.reductions, self.keys, strict=True):
            content = functional.avg_pool2d(features, reduction).flatten(2).mT  # (b, n, f)
            copies = linear(content).unflatten(2, (len(self.config.isometry_codes), -1))
            keys.append(copies.flatten(1, 2).mT)
        return keys


def range_averages(
    image: Float[Tensor, "b c h w"], config: OperatorConfig
) -> Float[Tensor, "b c rows columns"]:
    """The average of every range of an image padded by its last row and column."""
    return pool(pad_to_multiple(image, config.range_size), config.range_size)


def _bias(
    operator: CollageOperator, weights: Tensor, patches: Tensor | None, target: Tensor
) -> Float[Tensor, "b c r"]:
    """The bias for which the ranges of the fixed point have the averages `target`.

    At one pixel per range the fixed point is `target`; so one application of the map to it, less
    the bias, tells what the bias must be.
    """
    averages = target.flatten(2)
    with torch.autocast(weights.device.type, enabled=False):  # as in the operator
        mapping = operator.mapping(weights, torch.zeros_like(averages), patches)
        received = mapping.offset(1)
        if operator.config.reductions:
            received = received + mapping.linear(target.to(received), 1)
        return averages - received[..., 0, 0]


def _zero_linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
