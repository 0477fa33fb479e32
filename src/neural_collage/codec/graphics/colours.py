"""The colours of a picture as numbers, and which ranges have few enough to be painted."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_collage.codec.graphics.painting import COLOUR_BITS
from neural_collage.codec.graphics.syntax import palette_order
from neural_collage.core.copies import BoolArray, IntArray

ColourArray = npt.NDArray[np.uint32]
_MOST_COLOURS = 0.5
"""Of the pixels of a range, above which it is not considered to be painted."""
_ROWS_AT_ONCE = 64
_MOST_KEPT = 1024
"""Colours that others are compared with."""
_EAGERNESS = 2.0
"""How much more a colour less saves than its own bits: what surrounds it is predicted better."""


def numbered(pixels: npt.NDArray[np.uint8]) -> ColourArray:
    """Pixels (c, h, w) as numbers (h, w), equal if their colours are."""
    numbers = np.empty(pixels.shape[1:], np.uint32)
    for top in range(0, len(numbers), _ROWS_AT_ONCE):
        strip = numbers[top : top + _ROWS_AT_ONCE]
        strip[:] = pixels[0, top : top + _ROWS_AT_ONCE]
        for plane in pixels[1:, top : top + _ROWS_AT_ONCE]:
            strip <<= np.uint32(8)
            strip |= plane
    return numbers


def is_one_colour(pixels: npt.NDArray[np.uint8]) -> bool:
    """Whether all pixels (c, h, w) are equal."""
    first = pixels[:, :1, :1]
    strips = range(0, pixels.shape[1], _ROWS_AT_ONCE)
    return all((pixels[:, top : top + _ROWS_AT_ONCE] == first).all() for top in strips)


def has_few_colours(numbers: ColourArray, most: int) -> bool:
    """Whether there are at most so many."""
    known = numbers[:0, 0]
    for top in range(0, len(numbers), _ROWS_AT_ONCE):
        known = np.union1d(known, numbers[top : top + _ROWS_AT_ONCE])
        if len(known) > most:
            return False
    return True


def squared_differences(
    numbers: ColourArray, pixels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int32]:
    """Of the colours with these numbers and pixels (c, h, w), summed over channels; (h, w)."""
    errors = np.zeros(numbers.shape, np.int32)
    for place, plane in enumerate(pixels[::-1]):
        levels = (numbers >> np.uint32(8 * place)).astype(np.uint8)
        errors += (levels.astype(np.int16) - plane).astype(np.int32) ** 2
    return errors


def distinct(numbers: ColourArray, block: int) -> IntArray:
    """The number of colours in each range, (rows, columns)."""
    height, width = numbers.shape
    padded = np.pad(numbers, ((0, -height % block), (0, -width % block)), mode="edge")
    rows, columns = padded.shape[0] // block, padded.shape[1] // block
    blocks = padded.reshape(rows, block, columns, block).swapaxes(1, 2)
    ordered = np.sort(blocks.reshape(rows, columns, -1), axis=-1)
    changes: IntArray = (ordered[..., 1:] != ordered[..., :-1]).sum(-1)
    return changes + 1


def is_simple(counts: IntArray, block: int) -> BoolArray:
    """Which ranges of so many colours may be painted."""
    return counts <= max(_MOST_COLOURS * block * block, 4)


@dataclass(frozen=True, eq=False)
class Indexed:
    """Some pixels of a picture as indices of a palette.

    palette: (p, channels) colours in `syntax.palette_order`. indices: (h, w), -1 elsewhere.
    """

    palette: npt.NDArray[np.uint8]
    indices: npt.NDArray[np.int32]

    @classmethod
    def of(cls, numbers: ColourArray, where: BoolArray, channels: int) -> "Indexed":
        """Those of a picture of colours as numbers."""
        known, inverse = np.unique(numbers[where], return_inverse=True)
        palette = (known[:, None] >> 8 * np.arange(channels)[::-1] & 255).astype(np.uint8)
        order = palette_order(palette)
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        indices = np.full(numbers.shape, -1, np.int32)
        indices[where] = places[inverse.ravel()]
        return cls(palette[order], indices)


def merged(
    numbers: ColourArray, where: BoolArray, channels: int, bits_per_error: float
) -> ColourArray:
    """The numbers with rare colours replaced by near ones, where that lowers the cost.

    where: (h, w) pixels to change, with their colours.
    """
    indexed = Indexed.of(numbers, where, channels)
    counts = np.bincount(indexed.indices[where], minlength=len(indexed.palette))
    colours = indexed.palette.astype(np.float32)
    kept = np.empty_like(colours)
    target = np.arange(len(colours))
    names: list[int] = []
    for colour in np.argsort(-counts, kind="stable"):
        if names:  # the nearest of the most frequent ones
            errors = ((kept[: len(names)] - colours[colour]) ** 2).sum(1)
            near = names[nearest := int(errors.argmin())]
            saved = COLOUR_BITS + min(counts[colour], 4) * np.log2(counts[near] / counts[colour])
            if errors[nearest] * counts[colour] * bits_per_error < _EAGERNESS * saved:
                target[colour] = near
                continue
        if len(names) < _MOST_KEPT:
            kept[len(names)] = colours[colour]
            names.append(int(colour))
    packed = numbered(indexed.palette.T[:, None])[0]
    result = numbers.copy()
    result[where] = packed[target][indexed.indices[where]]
    return result
