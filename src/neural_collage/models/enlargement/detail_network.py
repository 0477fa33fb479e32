"""The network that predicts detail above the original size, in numpy.

It reads amplitudes of zero-average patches off a picture: for each pixel and colour three patches
of 2 x 2 parts (horizontal, vertical and diagonal differences). A few 3 x 3 convolutions with
residual connections at the resolution of the picture (Shi et al. 2016, arXiv 1609.05158), trained
by `training.tasks.detail`. Amplitudes are bounded by how much the pixels around differ: what is
flat stays flat, and detail does not grow from octave to octave.
"""

from collections.abc import Mapping
from functools import lru_cache, reduce
from importlib import resources
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_collage.core.arrays.averages import PixelArray
from neural_collage.models.arrays_file import check_finite, read_arrays
from neural_collage.runtime import in_threads

COLOURS = 3
PATCHES = np.array([[[1, -1], [1, -1]], [[1, 1], [-1, -1]], [[1, -1], [-1, 1]]], np.float32)
"""The zero-average patches of 2 x 2 parts, (3, 2, 2)."""
CENTRE = 0.5
BOUND = 0.25
"""Of the range of values in the 3 x 3 pixels around, what an amplitude may be."""
_TILE = 96  # pixels a side that are computed at once


class DetailNetwork:
    """Predicts detail; a `core.arrays.octaves.DetailTerm` once it has a level, see `at`.

    tensors: `first`, `middle.0`, `middle.1`, ..., `last`, each with `.weight` (out, in, 3, 3) and
    `.bias`; the last input channel of the first is the level.

    Raises ValueError for tensors that are missing or do not fit.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        names = ["first"]
        while f"middle.{len(names) - 1}.weight" in tensors:
            names.append(f"middle.{len(names) - 1}")
        names.append("last")
        try:
            self._layers = [
                _Layer(tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in names
            ]
        except KeyError as error:
            raise ValueError(f"missing tensors {error.args[0]}") from error
        channels = [layer.channels for layer in self._layers]
        if channels[0][1] != COLOURS + 1 or channels[-1][0] != COLOURS * len(PATCHES):
            raise ValueError(f"layers of {channels} channels do not predict detail of colours")
        if any(before[0] != after[1] for before, after in pairwise(channels)):
            raise ValueError(f"layers of {channels} channels do not follow one another")

    def at(self, level: float) -> "DetailAtLevel":
        """The network for pictures that are as good as a level: quality / 100, 1 if exact."""
        return DetailAtLevel(self, level)

    @property
    def reach(self) -> int:
        """Pixels on either side of its own that the parts of a pixel depend on."""
        return len(self._layers)

    def amplitudes(self, colours: PixelArray, level: float) -> PixelArray:
        """Amplitudes (3, 3, h, w) of the patches of each colour.

        colours: (3, h + 2 reach, w + 2 reach) in [0, 1].
        """
        height, width = colours.shape[1:]
        pixels = np.concatenate(
            [colours - np.float32(CENTRE), np.full((1, height, width), level, np.float32)]
        ).reshape(COLOURS + 1, -1)
        # rows keep their length: what convolutions leave at their ends is cut off in the end
        state = self._layers[0](pixels, width, rectified=True)
        for layer in self._layers[1:-1]:
            change = layer(state, width, rectified=True)
            change += state[:, width + 1 : width + 1 + change.shape[1]]
            state = change
        result = self._layers[-1](state, width, rectified=False)
        rows, columns = height - 2 * self.reach, width - 2 * self.reach
        result = np.pad(result, ((0, 0), (0, rows * width - result.shape[1])))
        amplitudes = result.reshape(COLOURS, len(PATCHES), rows, width)[..., :columns]
        margin = self.reach - 1
        bounds = BOUND * _contrasts(colours[:, margin:-margin, margin:-margin])[:, None]
        bounded: PixelArray = np.clip(amplitudes, -bounds, bounds)
        return bounded


def _contrasts(image: PixelArray) -> PixelArray:
    """The largest less the least of 3 x 3 values around each of (c, h, w): (c, h - 2, w - 2)."""
    high = low = image
    for axis in (1, 2):
        n = image.shape[axis] - 2
        highs, lows = ([one.take(range(k, k + n), axis) for k in range(3)] for one in (high, low))
        high, low = reduce(np.maximum, highs), reduce(np.minimum, lows)
    return high - low


class _Layer:
    """A 3 x 3 convolution of flattened images, without margins."""

    def __init__(self, weight: npt.NDArray[Any], bias: npt.NDArray[Any]) -> None:
        if weight.ndim != 4 or weight.shape[2:] != (3, 3) or bias.shape != weight.shape[:1]:
            raise ValueError(f"{weight.shape} with a bias {bias.shape} is no 3 x 3 convolution")
        self.channels = outputs, inputs = weight.shape[:2]
        # (columns, out, rows * in): a product for each column of the window
        moved = weight.astype(np.float32).transpose(3, 0, 2, 1)
        self._weights = np.ascontiguousarray(moved.reshape(3, outputs, 3 * inputs))
        self._bias = bias.astype(np.float32)[:, None]

    def __call__(self, image: PixelArray, width: int, *, rectified: bool) -> PixelArray:
        """The convolution of (in, n) pixels in rows of `width`; (out, n - 2 width - 2)."""
        count = image.shape[1] - 2 * width
        stacked = np.concatenate([image[:, row * width :][:, :count] for row in range(3)])
        result: PixelArray = self._weights[0] @ stacked[:, : count - 2]
        for column in (1, 2):
            result += self._weights[column] @ stacked[:, column : count - 2 + column]
        result += self._bias
        if rectified:
            np.maximum(result, 0, out=result)
        return result


class DetailAtLevel:
    """A `DetailTerm`: the detail of pictures of one level."""

    def __init__(self, network: DetailNetwork, level: float) -> None:
        self._network = network
        self._level = level
        self.reach = network.reach

    def details(self, image: PixelArray) -> PixelArray:
        """See `DetailTerm`; grey counts as three equal colours, alpha has no detail."""
        channels = len(image)
        height, width = (side - 2 * self.reach for side in image.shape[1:])
        detail = np.zeros((channels, height, 2, width, 2), np.float32)
        colours = image[:COLOURS] if channels >= COLOURS else image[[0, 0, 0]]
        colours = np.clip(colours, 0, 1)

        def write(corner: tuple[int, int]) -> None:
            top, left = corner
            rows, columns = min(_TILE, height - top), min(_TILE, width - left)
            margin = 2 * self.reach
            part = colours[:, top : top + rows + margin, left : left + columns + margin]
            by_colour = self._network.amplitudes(part, self._level)
            if channels < COLOURS:
                by_colour = by_colour.mean(0, keepdims=True)
            target = detail[: len(by_colour), top : top + rows, :, left : left + columns]
            np.einsum("ckhw,kyx->chywx", by_colour, PATCHES, out=target)

        in_threads(
            write,
            [(top, left) for top in range(0, height, _TILE) for left in range(0, width, _TILE)],
        )
        return detail.reshape(channels, 2 * height, 2 * width)


@lru_cache(maxsize=1)
def shipped_detail() -> DetailNetwork:
    """The network that comes with the package."""
    path = resources.files("neural_collage") / "weights" / "detail.safetensors"
    return network_of(path.read_bytes())


def network_of(data: bytes) -> DetailNetwork:
    """The network of a safetensors file; raises ValueError for damaged or other weights."""
    tensors = read_arrays(data)
    check_finite(tensors)
    return DetailNetwork(tensors)
