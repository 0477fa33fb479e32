"""A baseline for collage autoencoders: a multilayer perceptron on all pixels."""

from collections.abc import Sequence
from itertools import pairwise
from math import isqrt, prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neural_collage.models.pretrained import Pretrained


class MlpAutoencoder(Pretrained):
    """An autoencoder of images of one size: linear layers with GELUs in between.

    image_size: height and width in pixels. channels: channels of the image.
    hidden: widths of the hidden layers; the narrowest one is the bottleneck.

    Initialised to a grey output. Raises ValueError without a hidden layer, or for a size below 1.
    """

    def __init__(
        self, image_size: tuple[int, int], channels: int = 3, hidden: Sequence[int] = (128,)
    ) -> None:
        super().__init__(image_size=image_size, channels=channels, hidden=tuple(hidden))
        if not hidden or min(*hidden, *image_size, channels) < 1:
            raise ValueError(
                f"image_size {image_size}, channels {channels} and hidden {tuple(hidden)} must be "
                "at least 1, with one hidden layer or more"
            )
        self.image_shape = (channels, *image_size)
        *inner, last = (
            nn.Linear(inputs, outputs)
            for inputs, outputs in pairwise(
                (prod(self.image_shape), *hidden, prod(self.image_shape))
            )
        )
        with torch.no_grad():  # mid-grey output: closer to images than black
            last.weight.zero_()
            last.bias.fill_(0.5)
        activated = [module for linear in inner for module in (linear, nn.GELU())]
        self.layers = nn.Sequential(*activated, last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The reconstruction; raises ValueError for images of another size."""
        if image.shape[1:] != self.image_shape:
            raise ValueError(f"images must be {self.image_shape}, not {tuple(image.shape[1:])}")
        flat: Tensor = self.layers(image.flatten(1) - 0.5)
        return flat.reshape(image.shape)


def equal_width(
    parameters: int, image_size: tuple[int, int], channels: int = 3, hidden_layers: int = 1
) -> int:
    """The greatest width of equal hidden layers with at most a given number of parameters.

    An `MlpAutoencoder` with d inputs and a + 1 hidden layers of width w has
    a w^2 + (2 d + a + 1) w + d parameters. At least 1.
    """
    pixels = prod(image_size) * channels
    a, b = hidden_layers - 1, 2 * pixels + hidden_layers
    budget = max(0, parameters - pixels)
    width = (isqrt(b * b + 4 * a * budget) - b) // (2 * a) if a else budget // b
    return max(1, width)
