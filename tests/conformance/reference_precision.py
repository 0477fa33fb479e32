"""The precision layer in the reference decoder: docs/format.md in whole numbers of numpy."""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.conformance.reference_entropy import Ints, SymbolDecoder
from tests.conformance.reference_weights import Weights, read_numbers
from tests.root import ROOT

PRIORS = ROOT / "src/neural_collage/codec/precision/priors.npz"
COLOURS = ((1, 1, 1), (1, 0, -1), (1, -2, 1))
SIDE, TILE = 8, 128  # of blocks in pixels, of tiles in blocks
Planes = npt.NDArray[np.floating[Any]]


def read_precision(data: bytes) -> tuple[int, int]:
    """The quality of the base and the step of samples in 2^-16; ValueError if it is damaged."""
    quality, step = (data[0], int.from_bytes(data[1:], "little")) if len(data) == 3 else (0, 0)
    if not (1 <= quality <= 100 and step):
        raise ValueError("the precision layer is damaged")
    return quality, step


def precision_layer(
    streams: Sequence[SymbolDecoder], base: Planes, step: int, channels: int, weights: Weights
) -> Planes:
    """What the layer of a picture adds to planes (3, H, W), given the stream of each tile."""
    squares = [sum(part**2 for part in colour) for colour in COLOURS]
    steps = [step] if channels == 1 else [max(isqrt(step**2 // n), 1) for n in squares]
    waves = patches()
    sums = np.zeros(base.shape, np.int64)
    left = iter(streams)
    height, width = (SIDE * TILE,) * 2
    for y in range(0, base.shape[1], height):
        for x in range(0, base.shape[2], width):
            below = base[:, y : y + height, x : x + width]
            into = sums[:, y : y + height, x : x + width]
            numbers = read_tile(next(left), magnitudes_of_base(below, steps), weights)
            for c, patch, i, j in zip(*np.nonzero(numbers), strict=True):
                block = into[:, SIDE * i : SIDE * (i + 1), SIDE * j : SIDE * (j + 1)]
                amplitude = int(numbers[c, patch, i, j]) * steps[c]
                block += np.multiply.outer(COLOURS[c], amplitude * waves[patch])
    added: Planes = (sums / (1 << 30)).astype(np.float32)
    return added


def patches() -> Ints:
    """The patches (64, 8, 8) in 2^-14."""
    k = np.arange(SIDE)
    waves = np.sqrt(np.where(k, 2, 1) / SIDE)[:, None] * np.cos(
        np.pi / SIDE * k[:, None] * (k + 0.5)
    )
    products = [np.outer(waves[u], waves[v]) for u in k for v in k]
    whole: Ints = np.rint(np.array(products) * (1 << 14)).astype(np.int64)
    return whole


def magnitudes_of_base(planes: Planes, steps: Sequence[int]) -> Ints:
    """The magnitudes (colours, 64, rows, columns) of the base of a tile in quarters of steps."""
    pixels = np.clip(np.rint(planes.astype(np.float64) * 4096), -4096, 4096).astype(np.int64)
    rows, columns = pixels.shape[1] // SIDE, pixels.shape[2] // SIDE
    found = []
    for colour, step in zip(COLOURS, steps, strict=False):
        plane = np.tensordot(colour, pixels, 1).reshape(rows, SIDE, columns, SIDE)
        sums = np.abs(np.einsum("pyx,iyjx->pij", patches(), plane))
        norm = sum(part**2 for part in colour)
        found.append(np.minimum(4 * sums // (norm * step << 10), 255))
    return np.stack(found)


def read_tile(stream: SymbolDecoder, base: Ints, weights: Weights) -> Ints:
    """The numbers (colours, 64, rows, columns) of a tile."""
    with np.load(PRIORS) as file:
        learned, thresholds = (file[name].astype(np.int64) for name in ("weights", "thresholds"))
    colours, _, rows, columns = base.shape
    numbers = np.zeros(base.shape, np.int64)
    black = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0

    def known(c: int, u: int, v: int) -> Ints:
        if u < 0 or v < 0:
            return np.zeros((rows, columns), np.int64)
        magnitudes: Ints = np.minimum(np.abs(numbers[c, SIDE * u + v]), 15)
        return magnitudes

    for diagonal in range(2 * SIDE - 1):
        places = [(u, diagonal - u) for u in range(SIDE) if 0 <= diagonal - u < SIDE]
        for c in range(colours):
            for board, sites in enumerate((black, ~black)):
                indices = []
                for u, v in places:
                    near = known(c, u - 1, v) + known(c, u, v - 1)
                    features = [
                        near,
                        known(c, u - 1, v - 1),
                        known(c, u - 2, v) + known(c, u, v - 2),
                        known(c, u - 2, v - 1) + known(c, u - 1, v - 2),
                        beside(near),
                        base[c, SIDE * u + v],
                        np.ones_like(near),
                        known(0, u, v) if c > 0 else np.zeros_like(near),
                        known(1, u, v) if c > 1 else np.zeros_like(near),
                        beside(known(c, u, v)) if board else np.zeros_like(near),
                    ]
                    expected = np.tensordot(learned[c, board, SIDE * u + v], np.stack(features), 1)
                    limited = np.minimum(expected, (1 << 17) - 1)
                    indices.append(np.searchsorted(thresholds[c], limited, "right")[sites])
                values = read_numbers(stream, np.stack(indices), weights)
                for (u, v), row in zip(places, np.clip(values, -32767, 32767), strict=True):
                    numbers[c, SIDE * u + v][sites] = row
    return numbers


def beside(values: Ints) -> Ints:
    """The sums of the four neighbours of (rows, columns), 0 outside."""
    framed = np.pad(values, 1)
    sums: Ints = framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]
    return sums
