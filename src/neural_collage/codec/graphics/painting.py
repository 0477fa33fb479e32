"""What indices cost: the bits that their code takes."""

import numpy as np

from neural_collage.codec.graphics.index_map import Costs, WholeArray, code_index_map
from neural_collage.core.copies import BoolArray, IntArray

COLOUR_BITS = 17.0
"""What a colour costs in the palette."""
_SQUARE = 64


def index_costs(
    sources: WholeArray,
    is_coded: BoolArray,
    indices: WholeArray,
    n_symbols: int,
    square: int = _SQUARE,
) -> Costs:
    """The bits of each index, (h, w), 0 where none is coded; as `index_map.code_index_map`."""
    costs = np.zeros(is_coded.shape, np.float32)
    if n_symbols > 1:
        code_index_map(_Passing(), sources, is_coded, n_symbols, square, indices, costs)
    return costs


def painting_costs(
    sources: WholeArray, painted: BoolArray, indices: WholeArray, n_colours: int
) -> Costs:
    """The bits of each painted pixel, (h, w), with its share of the palette; 0 elsewhere.

    sources, painted, indices: as for `index_map.code_index_map`. n_colours: of the palette.
    """
    costs = index_costs(sources, painted, indices, n_colours)
    counts = np.bincount(indices[painted], minlength=n_colours)
    costs[painted] += (COLOUR_BITS / np.maximum(counts, 1)).astype(np.float32)[indices[painted]]
    return costs


class _Passing:
    """Passes bits on, as an `index_map.BitCoder`."""

    def bits(self, ones: IntArray, values: IntArray | None) -> IntArray:
        """The bits themselves."""
        assert values is not None
        return values
