"""The numbers of a precision layer: the order in which they are coded, and the table of each.

Numbers have the tables of the entropy model, of quantised logistic distributions. Their scale
follows from an expected magnitude, a weighted sum of the magnitudes that are known: of lower
frequencies of the block, of the blocks around, of the other colours, and of the base. This is a
linear predictor of magnitudes, as in the context models of wavelet coders (Wu 1997, "Lossless
compression of continuous-tone images via context selection, quantization, and modeling").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neural_collage.codec.precision.patches import BLOCK, LARGEST_NUMBER, PATCHES, Numbers
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.fractal.geometry import IntArray

LARGEST_KNOWN = 15
"""Of the magnitudes in contexts; larger ones count as this."""
WEIGHT_BITS, LARGEST_WEIGHT = 12, 1 << 14
FEATURES = 10
"""Known magnitudes of a number, see `known_magnitudes`; the last one is known of white blocks."""
LARGEST_EXPECTED = (1 << 17) - 1
_MISSING = PATCHES


@dataclass(frozen=True, eq=False)
class Priors:
    """What the expected magnitudes depend on, learned from photographs.

    weights: (colours, 2, 64, FEATURES) in 2^-12, of black and white blocks; not negative.
    thresholds: (colours, scales - 1) the least expected magnitude in 2^-12 of each index from 1 on.
    """

    weights: PixelArray
    thresholds: IntArray

    def indices(self, colour: int) -> npt.NDArray[np.uint8]:
        """The index of the scale of each expected magnitude up to `LARGEST_EXPECTED`."""
        return self._indices[colour]

    @cached_property
    def _indices(self) -> list[npt.NDArray[np.uint8]]:
        every = np.arange(LARGEST_EXPECTED + 1)
        return [np.searchsorted(row, every, "right").astype(np.uint8) for row in self.thresholds]


@lru_cache(maxsize=1)
def shipped_priors() -> Priors:
    """Those that come with the package."""
    path = resources.files("neural_collage.codec.precision") / "priors.npz"
    with resources.as_file(path) as file, np.load(file, allow_pickle=False) as data:
        return Priors(data["weights"].astype(np.float32), data["thresholds"].astype(np.int64))


@runtime_checkable
class Source(Protocol):
    """Where numbers come from: a stream, or a picture."""

    def numbers(
        self, colour: int, patches: IntArray, sites: IntArray, scales: IntArray
    ) -> IntArray:
        """The numbers (patches, sites), given the indices of their scales.

        sites: of blocks in raster order. Index 0 says that a number is 0.
        """


class Diagonal(NamedTuple):
    """The patches (n,) of a diagonal u + v, u rising, and those of lower frequency beside them.

    lower: six times (n,): up, left, both, two up, two left, two up and one left, one up and two
    left; `_MISSING` where there is none.
    """

    patches: IntArray
    lower: tuple[IntArray, ...]


@lru_cache(maxsize=1)
def diagonals() -> tuple[Diagonal, ...]:
    """All diagonals, in the order in which they are coded."""

    def patch(u: int, v: int) -> int:
        return BLOCK * u + v if u >= 0 and v >= 0 else _MISSING

    offsets = (1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (2, 1), (1, 2)
    found = []
    for total in range(2 * BLOCK - 1):
        places = [(u, total - u) for u in range(BLOCK) if 0 <= total - u < BLOCK]
        lower = [np.array([patch(u - a, v - b) for u, v in places]) for a, b in offsets]
        found.append(Diagonal(np.array([patch(u, v) for u, v in places]), tuple(lower)))
    return tuple(found)


def known_magnitudes(
    diagonal: Diagonal, colour: int, magnitudes: PixelArray, base: PixelArray
) -> PixelArray:
    """The features (n, FEATURES - 1, rows * columns) of the numbers of a diagonal and colour.

    magnitudes: (colours, 65, rows, columns) those that are known, the last of them 0. base: see
        `patches.base_magnitudes`.
    """
    count, sites = len(diagonal.patches), base[0, 0].size
    own = magnitudes[colour]
    up, left, both, up_2, left_2, up_left, left_up = diagonal.lower
    features = np.zeros((count, FEATURES - 1, *base.shape[2:]), np.float32)
    np.add(own[up], own[left], out=features[:, 0])
    features[:, 1] = own[both]
    np.add(own[up_2], own[left_2], out=features[:, 2])
    np.add(own[up_left], own[left_up], out=features[:, 3])
    add_neighbours(features[:, 0], features[:, 4])
    features[:, 5] = base[colour, diagonal.patches]
    features[:, 6] = 1
    for other in range(colour):
        features[:, 7 + other] = magnitudes[other, diagonal.patches]
    return features.reshape(count, FEATURES - 1, sites)


def add_neighbours(values: PixelArray, sums: PixelArray) -> None:
    """Add to each block (..., rows, columns) the values of the four blocks beside it."""
    sums[..., 1:, :] += values[..., :-1, :]
    sums[..., :-1, :] += values[..., 1:, :]
    sums[..., 1:] += values[..., :-1]
    sums[..., :-1] += values[..., 1:]


def boards(rows: int, columns: int) -> tuple[IntArray, IntArray]:
    """The black blocks of a checkerboard (row + column even), and the white ones."""
    white = np.add.outer(np.arange(rows), np.arange(columns)).ravel() % 2
    return np.flatnonzero(white == 0), np.flatnonzero(white)


def code_numbers(source: Source, base: PixelArray, priors: Priors | None = None) -> Numbers:
    """The numbers (colours, 64, rows, columns) of the blocks of a tile.

    base: (colours, 64, rows, columns) see `patches.base_magnitudes`. priors: those of the package
        by default.
    """
    colours, _, rows, columns = base.shape
    priors = shipped_priors() if priors is None else priors
    black, white = boards(rows, columns)
    numbers = np.zeros((colours, PATCHES, rows * columns), np.int16)
    magnitudes = np.zeros((colours, PATCHES + 1, rows, columns), np.float32)
    for diagonal, colour in _order(colours):
        which = diagonal.patches
        weights = priors.weights[colour][:, which].swapaxes(0, 1)  # (n, 2, features)
        known = known_magnitudes(diagonal, colour, magnitudes, base)
        expected = weights[..., :-1] @ known
        coded = np.zeros((len(which), rows * columns), np.float32)
        for board, sites in enumerate((black, white)):
            of_board = expected[:, board]
            if board:
                beside = np.zeros((len(which), rows, columns), np.float32)
                add_neighbours(coded.reshape(beside.shape), beside)
                of_board = of_board + weights[:, 1, -1:] * beside.reshape(of_board.shape)
            place = np.minimum(of_board[:, sites], LARGEST_EXPECTED).astype(np.int32)
            scales = priors.indices(colour)[place].astype(np.int64)
            symbols = source.numbers(colour, which, sites, scales)
            symbols = np.clip(symbols, -LARGEST_NUMBER, LARGEST_NUMBER)
            numbers[colour, which[:, None], sites] = symbols
            coded[:, sites] = np.minimum(np.abs(symbols), LARGEST_KNOWN)
        magnitudes[colour, which] = coded.reshape(len(which), rows, columns)
    return numbers.reshape(colours, PATCHES, rows, columns)


def _order(colours: int) -> Iterator[tuple[Diagonal, int]]:
    for diagonal in diagonals():
        for colour in range(colours):
            yield diagonal, colour
