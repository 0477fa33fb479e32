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
from neural_collage.core.arrays.detail_links import DetailLinks, repeated
from neural_collage.core.arrays.interpolation import REACH, enlarge, source_span
from neural_collage.core.scales import Window

_CACHED_PIXELS = 1 << 22
"""Of an octave of a linked picture that is kept whole, since links read all over it."""
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
    edge is repeated. term: what is added to the average interpolation, if anything is. links: of
    the colours; they take the place of both where they are.
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
        if octave not in self._canvases:
            self._canvases[octave] = self._rendered(octave, Window(0, 0, height, width))
        rows = slice(window.top, window.top + window.height)
        return self._canvases[octave][:, rows, window.left : window.left + window.width]

    def _rendered(self, octave: int, window: Window) -> PixelArray:
        even = _even(window)
        if self._links is None:
            fine = self._without_links(octave, even, self._term)
        else:
            fine = self._with_links(self._links, octave, even)
        return fine[_within(even, window)]

    def _with_links(self, links: DetailLinks, octave: int, window: Window) -> PixelArray:
        """A window of even corner and sides."""
        fine = repeated(self.window(octave - 1, Window(*(n // 2 for n in window))))
        if len(fine) % 2 == 0:  # the last channel is alpha
            fine[-1:] = self._without_links(octave, window, None)[-1:]
        colours = fine[: len(fine) - (len(fine) % 2 == 0)]
        for gap in links.gaps(octave, window):
            seen = self._without_links(octave, gap, self._term)
            colours[_within(window, gap)] = seen[: len(colours)]
        for part in links.sources(octave, window):
            domain = self.window(octave - 1, part.source)[: len(colours)]
            colours[_within(window, part.place)] += part.detail(domain)
        return fine

    def _without_links(self, octave: int, window: Window, term: DetailTerm | None) -> PixelArray:
        """A window of even corner and sides."""
        height, width = (side << (octave - 1) for side in self._size)
        rows = source_span(window.top, window.height, height, self._reach)
        columns = source_span(window.left, window.width, width, self._reach)
        source = Window(rows.start, columns.start, rows.length, columns.length)
        margins = ((0, 0), (rows.before, rows.after), (columns.before, columns.after))
        coarse = np.pad(self.window(octave - 1, source), margins, mode="edge")
        fine = np.ascontiguousarray(enlarge(_without_margin(coarse, self._reach - REACH)))
        if term is not None:
            fine += term.details(_without_margin(coarse, self._reach - term.reach))
        return fine


def _even(window: Window) -> Window:
    """The smallest window of whole cells of 2 x 2 pixels that holds another one."""
    top, left = window.top // 2 * 2, window.left // 2 * 2
    bottom = -(-(window.top + window.height) // 2) * 2
    right = -(-(window.left + window.width) // 2) * 2
    return Window(top, left, bottom - top, right - left)


def _within(window: Window, part: Window) -> tuple[slice, slice, slice]:
    """The place of a part of a window in the pixels (c, h, w) of the window."""
    top, left = part.top - window.top, part.left - window.left
    return slice(None), slice(top, top + part.height), slice(left, left + part.width)


def _without_margin(image: PixelArray, pixels: int) -> PixelArray:
    return image[:, pixels:-pixels, pixels:-pixels] if pixels else image


def is_octave(scale: Fraction) -> bool:
    """Whether a scale is 1, 2, 4, ..."""
    return scale.denominator == 1 and scale.numerator & (scale.numerator - 1) == 0
