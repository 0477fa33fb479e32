"""The two colours of a checkerboard of ranges, which are coded one after the other.

Of the 3 x 3 ranges around a range the middle and the corners have its own colour, the four beside
it the other one.
"""

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn import functional

BLACK, WHITE = 0, 1
ALONG, ACROSS = (0, 2, 4, 6, 8), (1, 3, 5, 7)
"""Positions in a 3 x 3 window, in raster order, of its middle's colour and of the other."""


def checkerboard(
    rows: int, columns: int, device: torch.device | None = None
) -> Bool[Tensor, "r c"]:
    """True on the black ranges, which come first: those where row + column is even."""
    row, column = torch.arange(rows, device=device), torch.arange(columns, device=device)
    return (row[:, None] + column) % 2 == 0


class Board:
    """Values on rows x columns ranges by colour, and those of neighbours.

    Attributes:
        masks: (rows, columns) of each colour.
        sites: of each colour, the numbers of its ranges in raster order.
    """

    def __init__(self, rows: int, columns: int) -> None:
        black = checkerboard(rows, columns)
        self.masks = (black, ~black)
        self.sites = tuple(mask.flatten().nonzero()[:, 0] for mask in self.masks)
        # the number of each range among those of its colour, and of what is beside the board
        number = torch.zeros(rows * columns, dtype=torch.float32)
        for sites in self.sites:
            number[sites] = torch.arange(len(sites), dtype=number.dtype)
        framed = functional.pad(number.view(1, 1, rows, columns), (1, 1, 1, 1), value=-1)
        windows = functional.unfold(framed, 3)[0].long()  # (9, n)
        self._neighbours = {
            (there, here): windows[list(ALONG if there == here else ACROSS)][:, self.sites[here]]
            for there in (BLACK, WHITE)
            for here in (BLACK, WHITE)
        }

    def split(self, values: Shaped[Tensor, "w n"]) -> list[Shaped[Tensor, "w _"]]:
        """Values of all ranges, those of black and those of white ones."""
        return [values[:, sites] for sites in self.sites]

    def neighbours(
        self, values: Float[Tensor, "f there"], there: int, here: int
    ) -> Float[Tensor, "ft here"]:
        """The values of one colour that lie around each range of a colour, 0 beside the board.

        Feature by feature, and for each in the order of `ALONG` or `ACROSS`.
        """
        framed = functional.pad(values, (0, 1))  # -1 is what is beside the board
        return framed[:, self._neighbours[there, here]].flatten(0, 1)
