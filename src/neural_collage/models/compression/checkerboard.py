"""The two colours of a checkerboard of ranges, coded one after the other (He et al. 2021).

Of the 3 x 3 ranges around a range, the middle and the corners have its own colour, the four direct
neighbours the other one.
"""

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn import functional

BLACK, WHITE = 0, 1
SAME_COLOUR, OTHER_COLOUR = (0, 2, 4, 6, 8), (1, 3, 5, 7)
"""Positions in a 3 x 3 window, in raster order: of its middle's colour, and of the other."""


def checkerboard(
    rows: int, columns: int, device: torch.device | None = None
) -> Bool[Tensor, "r c"]:
    """True on the black ranges, which are coded first: those where row + column is even."""
    row, column = torch.arange(rows, device=device), torch.arange(columns, device=device)
    return (row[:, None] + column) % 2 == 0


class Board:
    """A grid of rows x columns ranges by colour: which ranges, and the values of neighbours.

    Attributes:
        masks: (rows, columns) of each colour.
        sites: of each colour, the indices of its ranges in raster order.
    """

    def __init__(self, rows: int, columns: int) -> None:
        black = checkerboard(rows, columns)
        self.masks = (black, ~black)
        self.sites = tuple(mask.flatten().nonzero()[:, 0] for mask in self.masks)
        # the number of each range among those of its colour; -1 outside the grid
        number = torch.zeros(rows * columns, dtype=torch.float32)
        for sites in self.sites:
            number[sites] = torch.arange(len(sites), dtype=number.dtype)
        framed = functional.pad(number.view(1, 1, rows, columns), (1, 1, 1, 1), value=-1)
        windows = functional.unfold(framed, 3)[0].long()  # (9, n)
        self._neighbours = {
            (source, target): windows[list(SAME_COLOUR if source == target else OTHER_COLOUR)][
                :, self.sites[target]
            ]
            for source in (BLACK, WHITE)
            for target in (BLACK, WHITE)
        }

    def split(self, values: Shaped[Tensor, "w n"]) -> list[Shaped[Tensor, "w _"]]:
        """Values of all ranges, split into those of the black and of the white ones."""
        return [values[:, sites] for sites in self.sites]

    def neighbours(
        self, values: Float[Tensor, "f n"], source: int, target: int
    ) -> Float[Tensor, "ft m"]:
        """The values on the ranges of one colour around each range of a colour, 0 outside the grid.

        Feature by feature, and for each in the order of `SAME_COLOUR` or `OTHER_COLOUR`.
        """
        framed = functional.pad(values, (0, 1))  # index -1: outside the grid
        return framed[:, self._neighbours[source, target]].flatten(0, 1)
