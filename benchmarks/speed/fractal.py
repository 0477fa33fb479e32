"""Decoding of a fractal file beside plain iteration of its map."""

from fractions import Fraction
from pathlib import Path

import torch

import neural_collage as nc
from benchmarks.speed.calls import limit_threads
from benchmarks.support.timing import Seconds, medians
from neural_collage.codec.base import Layer
from neural_collage.core.affine import ScaledMap

STEPS = 10
"""Steps of the plain iteration."""


def fixed_point_seconds(path: Path, threads: int, rounds: int) -> Seconds:
    """Median seconds from file to pixels, and of solutions of the fixed point alone.

    The latter by the exact pyramid and by plain iteration; half-size chroma is decoded at scale 2,
    so that all planes have the size of the picture.
    """
    limit_threads(threads, tensors=True)
    layers = nc.load(path).layers
    calls = {
        "file to pixels": lambda: nc.load(path).decode(),
        "pyramid only": lambda: [layer.collage.decode(layer.reduction) for layer in layers],
        f"{STEPS} full-size steps": lambda: [iterate(layer) for layer in layers],
        f"{STEPS} full-size steps, indices kept": lambda: [
            iterate_one_map(layer) for layer in layers
        ],
    }
    return medians(calls, rounds)


def iterate(layer: Layer) -> torch.Tensor:
    """Fractal decoding by plain iteration: `STEPS` steps of the map at full size."""
    z = black(layer)
    for _ in range(STEPS):
        z = layer.collage.step(z, layer.reduction)
    return z


def iterate_one_map(layer: Layer) -> torch.Tensor:
    """`iterate` with the gather indices computed once instead of in each step."""
    z, full_size = black(layer), ScaledMap.of(layer.collage, Fraction(layer.reduction))
    for _ in range(STEPS):
        z = full_size.step(z)
    return z


def black(layer: Layer) -> torch.Tensor:
    """A black image of the size of the picture's canvas, (c, height, width)."""
    canvas, scale = layer.collage.partition, layer.reduction
    sides = (canvas.canvas_height * scale, canvas.canvas_width * scale)
    return torch.zeros(layer.collage.channels, *sides)
