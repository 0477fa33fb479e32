"""`Heads`: from the features of ranges to the parameters of a collage.

The weight of a domain is the scaled dot product of the range's query and the domain's key, as in
attention (Vaswani et al. 2017), so that the number of parameters does not grow with the number of
sources. Patches have no features; their weights are linear in the features of the range.

Sources enter without their mean: the bias is chosen so that the averages of the ranges of the
fixed point are the predicted ones. Brightness then does not depend on the weights of domains and
patches (Øien & Lepsøy 1994), and an untrained collage is the image at one value per range.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.arguments import check_whole
from neural_collage.core.blocks import pad_to_multiple, pool
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.operator.patches import cosine_patches


class CollageCode(NamedTuple):
    """The parameters of a batch of collages: the arguments of `CollageOperator`, in its order.

    weights: (b, c or 1, r, s), raw; with links (b, c or 1, r, k).
    bias: (b, c, r), in units of pixel values.
    patches: (b, a, c, p, p), or None if the operator has its own or none.
    links: (b, r, k) numbers of the sources of each range, or None for all of them.
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
        channels: int | None = None,
    ) -> Float[Tensor, "b c h w"]:
        """The images; the arguments and errors are those of `CollageOperator.forward`."""
        image: Tensor = operator(
            self.weights,
            self.bias,
            self.patches,
            links=self.links,
            scale=scale,
            region=region,
            channels=channels,
        )
        return image


class Heads(nn.Module):
    """Linear heads: features of ranges (b, f, rows, columns) to a `CollageCode`.

        features --+-- query . keys --> domain weights --+--> weights --+
                   +-- texture -------> patch weights ---+              |
                   +-- patches -------> patches (if predicted) ---------+
                   +-- brightness --+                                   v
        averages ------------------(+)--> averages of ranges ------> bias

    Zero-initialised: weights of domains and patches are 0 and averages are those given. (With
    mixing="softmax" effective weights are not 0, but averages are still those given.)

    features: f. config: of the operator that decodes the code.
    key_width: length of queries and keys, at least 1; ValueError otherwise.
    own_patches: predict the patches of `patches="given"`; if False, they are passed to `forward`.
    zero: initialise brightness and patch weights to zero. With False they depend on the features
        from the first step on: latents drawn just before the heads would otherwise have no effect
        on the image at first, and their posteriors would collapse to the priors.
    dtype: of the weights, torch's default if None.
    """

    def __init__(
        self,
        features: int,
        config: OperatorConfig,
        key_width: int = 32,
        *,
        own_patches: bool = True,
        zero: bool = True,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_whole("key_width", key_width)
        self.config = config
        maps, self.key_width = config.weights_shape[0], key_width
        self.brightness = _zero_linear(features, config.channels, dtype)
        self.query: nn.Linear | None = None
        if config.domain_sizes:
            self.query = _zero_linear(features, maps * key_width, dtype)
        self.keys = nn.ModuleList(
            nn.Linear(features, len(config.isometry_codes) * key_width, dtype=dtype)
            for _ in config.domain_sizes
        )
        self.texture: nn.Linear | None = None
        if config.n_patches:
            self.texture = _zero_linear(features, maps * config.n_patch_sources, dtype)
        if not zero:
            for head in (self.brightness, self.texture):
                if head is not None:
                    head.reset_parameters()
        self.patches: nn.Linear | None = None
        if own_patches and config.patches == "given" and config.n_patches:
            count, channels, size, _ = config.patches_shape
            self.patches = _zero_linear(features, count * channels * size**2, dtype)
            with torch.no_grad():
                self.patches.bias.copy_(cosine_patches(count, channels, size).flatten())

    def forward(
        self,
        features: Float[Tensor, "b f rows columns"],
        averages: Float[Tensor, "b c rows columns"],
        operator: CollageOperator,
        patches: Float[Tensor, "b a c p p"] | None = None,
    ) -> CollageCode:
        """The code of each item.

        averages: mean of each range, in units of pixel values, to which `brightness` is added.
        operator: of the same config; its map determines the bias.
        patches: of each item, if they are neither predicted nor the operator's.

        Raises as `CollageOperator.mapping` does.
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
        # (b, cw, r, n) of each domain size, then (b, cw, r, a)
        return torch.cat(parts, 3)

    def _domain_keys(self, features: Tensor) -> list[Tensor]:
        """Keys (b, d, n) of the domains of each size under each isometry, in the order of sources.

        The features of a domain are the average over the ranges that it covers.
        """
        keys = []
        for reduction, linear in zip(self.config.reductions, self.keys, strict=True):
            content = functional.avg_pool2d(features, reduction).flatten(2).mT  # (b, n, f)
            by_isometry = linear(content).unflatten(2, (len(self.config.isometry_codes), -1))
            keys.append(by_isometry.flatten(1, 2).mT)
        return keys


def range_averages(
    image: Float[Tensor, "b c h w"], config: OperatorConfig
) -> Float[Tensor, "b c rows columns"]:
    """The average of every range; the last row and column are replicated to whole ranges."""
    return pool(pad_to_multiple(image, config.range_size), config.range_size)


def _bias(
    operator: CollageOperator, weights: Tensor, patches: Tensor | None, target: Tensor
) -> Float[Tensor, "b c r"]:
    """The bias for which the ranges of the fixed point have the averages `target`.

    At one pixel per range the fixed point has to be `target`, so bias = target - (the map without
    bias applied to target).
    """
    averages = target.flatten(2)
    with torch.autocast(weights.device.type, enabled=False):  # as in the operator
        mapping = operator.mapping(weights, torch.zeros_like(averages), patches)
        contribution = mapping.offset(1)  # without bias; (b, c, r, 1, 1)
        if operator.config.reductions:
            contribution = contribution + mapping.linear(target.to(contribution), 1)
        return averages - contribution[..., 0, 0]


def _zero_linear(inputs: int, outputs: int, dtype: torch.dtype | None) -> nn.Linear:
    linear = nn.Linear(inputs, outputs, dtype=dtype)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
