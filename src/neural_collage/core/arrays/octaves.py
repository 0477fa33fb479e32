"""A picture above its original size, octave by octave, by terms that average to zero.

One octave up, a picture is its average interpolation plus detail,

    z_2s = enlarge(z_s) + D z_s,

where every term of D averages to zero over the 2 x 2 parts of a pixel: averaging the picture at 2s
gives the picture at s exactly, so detail costs nothing at the original size. Windows of any octave
cost what they show, and a few pixels around it in each octave below.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np

from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.arrays.detail_links import DetailLinks, cell_averages, repeated
from neural_collage.core.arrays.interpolation import REACH, enlarge, source_span
from neural_collage.core.scales import Window

_CACHED_PIXELS = 1 << 22
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
    edge is repeated. term: what is added to the average interpolation, if anything is. links: take
    the place of both where they are.
    """

    def __init__(
        self,
        read: Reader,
        size: tuple[int, int],
        term: DetailTerm | None = None,
        links: DetailLinks | None = None,
    ) -> None:
        self._read = read
        self._size = size
        self._term = term
        self._links = links
        self._reach = max(REACH, 0 if term is None else term.reach)
        self._canvases: dict[int, PixelArray] = {}

    def window(self, octave: int, window: Window) -> PixelArray:
        """A window of the picture at scale 2^octave; it may lie outside [0, 1] a little."""
        if octave == 0:
            return self._read(window)
        height, width = (side << octave for side in self._size)
        if self._links is None or height * width > _CACHED_PIXELS:
            return self._rendered(octave, window)
        if octave not in self._canvases:  # links read all over the octave below
            self._canvases[octave] = self._rendered(octave, Window(0, 0, height, width))
        rows = slice(window.top, window.top + window.height)
        return self._canvases[octave][:, rows, window.left : window.left + window.width]

    def _rendered(self, octave: int, window: Window) -> PixelArray:
        even = _even(window)
        fine = self._without_links(octave, even)
        if self._links is not None:
            for part in self._links.sources(octave, even):
                top, left, height, width = part.place
                place = (slice(None), slice(top, top + height), slice(left, left + width))
                detail = part.detail(self.window(octave - 1, part.source))
                fine[place] = repeated(cell_averages(fine[place])) + detail
        top, left = window.top - even.top, window.left - even.left
        return fine[:, top : top + window.height, left : left + window.width]

    def _without_links(self, octave: int, window: Window) -> PixelArray:
        """A window of even corner and sides."""
        height, width = (side << (octave - 1) for side in self._size)
        rows = source_span(window.top, window.height, height, self._reach)
        columns = source_span(window.left, window.width, width, self._reach)
        source = Window(rows.start, columns.start, rows.length, columns.length)
        margins = ((0, 0), (rows.before, rows.after), (columns.before, columns.after))
        coarse = np.pad(self.window(octave - 1, source), margins, mode="edge")
        fine = np.ascontiguousarray(enlarge(_without_margin(coarse, self._reach - REACH)))
        if self._term is not None:
            seen = _without_margin(coarse, self._reach - self._term.reach)
            fine += self._term.details(seen)
        return fine


def _even(window: Window) -> Window:
    """The smallest window of whole cells of 2 x 2 pixels that holds another one."""
    top, left = window.top // 2 * 2, window.left // 2 * 2
    bottom = -(-(window.top + window.height) // 2) * 2
    right = -(-(window.left + window.width) // 2) * 2
    return Window(top, left, bottom - top, right - left)


def _without_margin(image: PixelArray, pixels: int) -> PixelArray:
    return image[:, pixels:-pixels, pixels:-pixels] if pixels else image


def is_octave(scale: Fraction) -> bool:
    """Whether a scale is 1, 2, 4, ..."""
    return scale.denominator == 1 and scale.numerator & (scale.numerator - 1) == 0
