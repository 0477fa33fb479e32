"""Chooses the numbers of a precision layer for what the base of a picture leaves."""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from torch import Tensor

from neural_collage.codec.entropy import FixedTables
from neural_collage.codec.precision.numbers import ChosenNumbers
from neural_collage.codec.precision.patches import Numbers, base_magnitudes, coefficients
from neural_collage.codec.precision.steps import BITS_PER_SQUARED_STEP
from neural_collage.codec.precision.syntax import code_numbers
from neural_collage.codec.streams.neural_streams import Written
from neural_collage.codec.streams.precise import BLOCKS, BaseTexture, no_numbers, window_of
from neural_collage.codec.streams.tiles import Grid, Tile
from neural_collage.models.compression.decoder_model import CENTRE
from neural_collage.runtime import in_threads


class Chosen(NamedTuple):
    """The numbers (colours, 64, rows, columns) of a picture, and what is written of each tile."""

    numbers: Numbers
    tiles: list[Written]


def choose_numbers(
    base: BaseTexture,
    planes_of: Callable[[Tile], Tensor],
    grid: Grid,
    step: int,
    channels: int,
    tables: FixedTables,
    keep: Callable[[ChosenNumbers], Written],
) -> Chosen:
    """The numbers of the residual of a picture, chosen by RDOQ.

    planes_of: the planes (3, h, w) of a tile. step: of samples in 2^-16. channels: that the planes
    show, 1 or 3. keep: what remains of the numbers of a tile.
    """
    numbers = no_numbers(grid, channels)

    def choose(tile: Tile) -> Written:
        below = base.window(Fraction(1), window_of(tile))
        residual = planes_of(tile).numpy() - below - np.float32(CENTRE)
        values = coefficients(residual, step, channels)
        source = ChosenNumbers(values, BITS_PER_SQUARED_STEP, tables)
        found = code_numbers(source, base_magnitudes(below, step, channels))
        numbers[(..., *tile.within(grid.whole, BLOCKS))] = found
        return keep(source)

    return Chosen(numbers, in_threads(choose, grid.tiles))
