"""COIN: the weights of a small network that is fitted to one picture are its file.

Dupont et al. 2021, arXiv 2103.03123, as published with github.com/EmilienDupont/coin: a perceptron
of several layers with sines (SIREN, Sitzmann et al. 2020, arXiv 2006.09661) maps the position of a
pixel to its colour. Its weights are fitted by 50,000 steps of Adam, each on all pixels, and stored
as float16; nothing is entropy coded, and the sizes of picture and network are not counted.

Deviations: (1) A step takes every `stride`-th row and column, in turn for all offsets; with stride
1 it takes all pixels. (2) The last weights are stored, not the best of the second half of the
steps. (3) Weights are those of the file, float16, but the sums of the decoder are float32.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.evaluation.metrics import Rgb, psnr

STEPS, LEARNING_RATE, FREQUENCY = 50_000, 2e-4, 30.0
"""As published; `FREQUENCY` is the factor w0 before every sine."""
_PIXELS_AT_ONCE = 8192  # so that activations stay in the cache; does not change the sums
_COLOURS = 3

Layer = tuple[Float[Tensor, "o i"], Float[Tensor, "o 1"]]
"""Weight and bias."""


@dataclass(frozen=True)
class Network:
    """The sizes of a network. layers: with sines; a linear one follows. width: of each of them."""

    layers: int
    width: int

    @property
    def name(self) -> str:
        """For tables."""
        return f"COIN {self.layers} x {self.width}"

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Outputs and inputs of each layer."""
        widths = [2, *([self.width] * self.layers), _COLOURS]
        return list(zip(widths[1:], widths[:-1], strict=True))

    @property
    def file_bytes(self) -> int:
        """Two for each weight and bias."""
        return 2 * sum(outputs * (inputs + 1) for outputs, inputs in self.shapes)


PUBLISHED = (Network(5, 20), Network(5, 30), Network(10, 28), Network(10, 40), Network(13, 49))
"""Those of the paper for Kodak, 0.07 to 1.2 bits per pixel of 768 x 512."""


@dataclass(frozen=True)
class Fit:
    """A network fitted to a picture.

    data: its file. curve: steps, and the PSNR of the file after them, in dB.
    seconds: CPU time of the steps.
    """

    data: bytes
    curve: Sequence[tuple[int, float]]
    seconds: float


def initial(network: Network, seed: int = 0) -> list[Layer]:
    """Weights before the first step, as SIREN draws them."""
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for number, (outputs, inputs) in enumerate(network.shapes):
        bound = 1 / inputs if number == 0 else math.sqrt(6 / inputs) / FREQUENCY
        drawn = torch.rand(outputs, inputs + 1, generator=generator, dtype=torch.float32)
        values = bound * (2 * drawn - 1)
        layers.append((values[:, :inputs].clone(), values[:, inputs:].clone()))
    return layers


def colours(layers: Sequence[Layer], positions: Float[Tensor, "2 n"]) -> Float[Tensor, "3 n"]:
    """The colours, of about [0, 1], at positions (y, x) in [-1, 1]."""
    features = positions
    for weight, bias in layers[:-1]:
        features = torch.sin(torch.addmm(FREQUENCY * bias, FREQUENCY * weight, features))
    weight, bias = layers[-1]
    return torch.addmm(bias, weight, features)


def positions(height: int, width: int) -> Float[Tensor, "2 h w"]:
    """(y, x) of every pixel; y from -1 to 1, and x in the same unit."""
    rows, columns = (torch.arange(n, dtype=torch.float32) for n in (height, width))
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    return grid * (2 / max(1, height - 1)) - 1


def fit(
    picture: Rgb, network: Network, steps: int, stride: int = 1, marks: Sequence[int] = ()
) -> Fit:
    """Fit a network to a picture.

    stride: of the rows and columns that a step takes. marks: steps of the curve; the last step is
    one of them in any case.
    """
    colour = torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255
    position = positions(*colour.shape[1:])
    layers = [(w.requires_grad_(), b.requires_grad_()) for w, b in initial(network)]
    optimiser = torch.optim.Adam(
        [each for layer in layers for each in layer], LEARNING_RATE, foreach=True
    )
    lattices = lattice_offsets(stride)
    curve, seconds = [], 0.0
    for step in range(1, steps + 1):
        start = time.process_time()
        y, x = next(lattices)
        at = (slice(None), slice(y, None, stride), slice(x, None, stride))
        optimiser.zero_grad()
        _accumulate(layers, position[at].flatten(1), colour[at].flatten(1))
        optimiser.step()
        seconds += time.process_time() - start
        if step in marks or step == steps:
            decoded = decode(to_bytes(layers), network, *picture.shape[:2])
            curve.append((step, psnr(picture, decoded)))
    return Fit(to_bytes(layers), curve, seconds)


def lattice_offsets(stride: int) -> Iterator[tuple[int, int]]:
    """Offsets of lattices without end: each once, in random order, again and again."""
    generator = torch.Generator().manual_seed(0)
    while True:
        for number in torch.randperm(stride**2, generator=generator).tolist():
            yield divmod(number, stride)


def _accumulate(
    layers: Sequence[Layer], position: Float[Tensor, "2 n"], colour: Float[Tensor, "3 n"]
) -> None:
    """Add the gradient of the mean squared error to those of the layers."""
    parts = (each.split(_PIXELS_AT_ONCE, 1) for each in (position, colour))
    for where, wanted in zip(*parts, strict=True):
        error = (colours(layers, where) - wanted).square().sum() / colour.numel()
        error.backward()


def to_bytes(layers: Sequence[Layer]) -> bytes:
    """The file: all weights and biases as float16."""
    return b"".join(
        each.detach().half().numpy().astype("<f2").tobytes() for layer in layers for each in layer
    )


@torch.no_grad()
def decode(data: bytes, network: Network, height: int, width: int) -> Rgb:
    """The picture of a file.

    Raises ValueError if the file is not one of that network.
    """
    if len(data) != network.file_bytes:
        raise ValueError(f"{network.name} has files of {network.file_bytes} bytes, not {len(data)}")
    values = torch.from_numpy(np.frombuffer(data, "<f2").astype(np.float32))
    sizes = [size for o, i in network.shapes for size in (o * i, o)]
    parts = iter(values.split(sizes))
    layers = [(next(parts).view(o, i), next(parts).view(o, 1)) for o, i in network.shapes]
    at = positions(height, width).flatten(1).split(_PIXELS_AT_ONCE, 1)
    shown = torch.cat([colours(layers, part) for part in at], 1).view(_COLOURS, height, width)
    rounded: Rgb = shown.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    return rounded


def seconds_per_step(picture: Rgb, network: Network, steps: int = 3) -> float:
    """CPU seconds of a step on all pixels."""
    return fit(picture, network, steps).seconds / steps
