"""What painted pixels cost: an estimate by the statistics of the code itself."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from neural_collage.codec.graphics.index_map import code_index_map
from neural_collage.codec.graphics.mixing import ONE
from neural_collage.core.copies import BoolArray, FloatArray, IntArray

COLOUR_BITS = 17.0
"""What a colour costs in the palette."""
_SQUARE = 128


def painting_costs(
    sources: IntArray, painted: BoolArray, indices: IntArray, n_colours: int
) -> FloatArray:
    """The bits of each painted pixel, (h, w), with its share of the palette; 0 elsewhere.

    sources, painted, indices: as for `index_map.code_index_map`. n_colours: of the palette.
    """
    counter = _Counter(indices, painted, n_colours)
    code_index_map(counter, sources, painted, n_colours, _SQUARE, counter)
    return counter.costs.reshape(painted.shape).astype(np.float64)


@lru_cache(maxsize=1)
def _bits_of() -> npt.NDArray[np.float32]:
    """The cost of a bit of each probability in units of 2^-16."""
    return -np.log2(np.maximum(np.arange(ONE + 1), 0.5) / ONE).astype(np.float32)


class _Counter:
    """Takes indices in place of a file, and counts what each costs.

    Binary digits of an index are counted as the logarithm of its frequency.
    """

    def __init__(self, indices: IntArray, painted: BoolArray, n_colours: int) -> None:
        counts = np.maximum(np.bincount(indices[painted], minlength=n_colours), 1)
        bits = np.log2(max(painted.sum(), 1) / counts) + COLOUR_BITS / counts
        self._colour_bits = bits.astype(np.float32)
        self._indices = indices.ravel()
        self.costs = np.zeros(indices.size, np.float32)

    def __call__(self, positions: IntArray, candidates: IntArray, ones: IntArray) -> IntArray:
        """The indices themselves; an `index_map.Chooser`."""
        wanted = self._indices[positions]
        missing = candidates < 0
        right = candidates == wanted
        no = np.where(missing, 0, _bits_of()[ONE - ones])
        before = np.cumsum(no, 0) - no
        found = np.where(right, before + _bits_of()[ones], 0).sum(0)
        none = no.sum(0) + self._colour_bits[wanted]
        self.costs[positions] = np.where(right.any(0), found, none)
        return wanted

    def bits(self, ones: IntArray, values: IntArray | None) -> IntArray:
        """The bits themselves; an `index_map.BitCoder`."""
        assert values is not None
        return values
