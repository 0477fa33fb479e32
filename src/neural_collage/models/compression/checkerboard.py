"""The two colours of a checkerboard of ranges, coded one after the other (He et al. 2021).

Of the 3 x 3 ranges around a range, the middle and the corners have its own colour, the four direct
neighbours the other one.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

BLACK, WHITE = 0, 1
SAME_COLOUR, OTHER_COLOUR = (0, 2, 4, 6, 8), (1, 3, 5, 7)
"""Positions in a 3 x 3 window, in raster order: of its middle's colour, and of the other."""


def checkerboard(rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """True on the black ranges (rows, columns), which are coded first: row + column is even."""
    black: npt.NDArray[np.bool_] = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0
    return black


class Board:
    """A grid of rows x columns ranges by colour: which ranges, and the values of neighbours.

    Attributes:
        masks: (rows, columns) of each colour.
        sites: of each colour, the indices of its ranges in raster order.
    """

    def __init__(self, rows: int, columns: int) -> None:
        black = checkerboard(rows, columns)
        self.masks = (black, ~black)
        self.sites = tuple(np.flatnonzero(mask) for mask in self.masks)
        # the number of each range among those of its colour; one beyond them outside the grid
        outside = tuple(len(sites) for sites in self.sites)
        self._neighbours = {}
        for source in (BLACK, WHITE):
            number = np.full((rows + 2, columns + 2), outside[source], np.int64)
            number[1:-1, 1:-1][self.masks[source]] = np.arange(outside[source])
            windows = np.lib.stride_tricks.sliding_window_view(number, (3, 3))
            windows = windows.reshape(rows * columns, 9)
            for target in (BLACK, WHITE):
                taps = list(SAME_COLOUR if source == target else OTHER_COLOUR)
                self._neighbours[source, target] = windows[self.sites[target]][:, taps]

    def split(self, values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Values (w, n) of all ranges, split into those of the black and of the white ones."""
        return [values[:, sites] for sites in self.sites]

    def place(self, values: npt.NDArray[Any], colour: int, among: npt.NDArray[Any]) -> None:
        """Put values (w, m) of the ranges of one colour among those (w, n) of all."""
        rows, columns = self.masks[colour].shape
        if columns % 2:
            among[:, self.sites[colour]] = values
            return
        # every second range of each row, which slices copy several times faster
        all_rows = among.reshape(-1, rows, columns)
        own_rows = values.reshape(-1, rows, columns // 2)
        for first in (0, 1):
            all_rows[:, first::2, (first + colour) % 2 :: 2] = own_rows[:, first::2]

    def neighbours(
        self, values: npt.NDArray[Any], source: int, target: int, among: slice = slice(None)
    ) -> npt.NDArray[Any]:
        """The values on the ranges of one colour around each range of a colour.

        values: (n + 1, f) of all ranges of the first colour, and of what lies outside the grid.
        among: which ranges of the second colour. Returns (m, taps x f), in the order of
        `SAME_COLOUR` or `OTHER_COLOUR`.
        """
        where = self._neighbours[source, target][among]
        return values.take(where, axis=0).reshape(len(where), where.shape[1] * values.shape[1])
