"""A picture above its original size, octave by octave, by terms that average to zero.

One octave up, a picture is its average interpolation plus detail,

    z_2s = enlarge(z_s) + D z_s,

where every term of D averages to zero over the 2 x 2 parts of a pixel: averaging the picture at 2s
gives the picture at s exactly, so detail costs nothing at the original size. Windows of any octave
cost what they show, and a few pixels around it in each octave below.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.arrays.interpolation import REACH, enlarge, source_span
from neural_collage.core.scales import Window

Reader = Callable[[Window], PixelArray]
"""Returns a window (c, h, w) of a picture."""


@runtime_checkable
class DetailTerm(Protocol):
    """What D adds.

    reach: pixels on either side of its own that the parts of a pixel depend on.
    """

    reach: int

    def details(self, image: PixelArray) -> PixelArray:
        """The detail (c, 2 h, 2 w) of (c, h + 2 reach, w + 2 reach), of average zero in cells."""


class Octaves:
    """A picture at the scales 1, 2, 4, ...

    read: returns windows of the picture at scale 1. size: its height and width, beyond which its
    edge is repeated. term: what is added to the average interpolation, if anything is.
    """

    def __init__(self, read: Reader, size: tuple[int, int], term: DetailTerm | None) -> None:
        self._read = read
        self._size = size
        self._term = term
        self._reach = max(REACH, 0 if term is None else term.reach)

    def window(self, octave: int, window: Window) -> PixelArray:
        """A window of the picture at scale 2^octave; it may lie outside [0, 1] a little."""
        if octave == 0:
            return self._read(window)
        height, width = (side << (octave - 1) for side in self._size)
        rows = source_span(window.top, window.height, height, self._reach)
        columns = source_span(window.left, window.width, width, self._reach)
        source = Window(rows.start, columns.start, rows.length, columns.length)
        margins = ((0, 0), (rows.before, rows.after), (columns.before, columns.after))
        coarse = np.pad(self.window(octave - 1, source), margins, mode="edge")
        fine = enlarge(_without_margin(coarse, self._reach - REACH))
        if self._term is not None:
            seen = _without_margin(coarse, self._reach - self._term.reach)
            fine = fine + self._term.details(seen)
        top, left = window.top % 2, window.left % 2
        return fine[:, top : top + window.height, left : left + window.width]


def _without_margin(image: PixelArray, pixels: int) -> PixelArray:
    return image[:, pixels:-pixels, pixels:-pixels] if pixels else image
