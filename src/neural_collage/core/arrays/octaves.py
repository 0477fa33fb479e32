"""A picture above its original size, octave by octave, by terms that average to zero.

One octave up, a picture is its average interpolation plus detail,

    z_2s = enlarge(z_s) + D z_s,

where every term of D averages to zero over the 2 x 2 parts of a pixel: averaging the picture at 2s
gives the picture at s exactly, so detail costs nothing at the original size. Windows of any octave
cost what they show, and a few pixels around it in each octave below.

A term that was fitted to errors makes what is probable, hence ever smoother octaves. From some
octave on a domain pool continues the picture instead, whose local contrast stays.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Protocol, runtime_checkable

import numpy as np

from neural_collage.core.arrays.averages import FloatArray, PixelArray
from neural_collage.core.arrays.detail_links import DetailLinks, cell_averages, repeated
from neural_collage.core.arrays.domain_pool import (
    RANGE,
    STEP,
    DomainPool,
    colours_of,
    local_contrasts,
)
from neural_collage.core.arrays.interpolation import REACH, enlarge, source_span
from neural_collage.core.scales import Window

_CACHED_PIXELS = 1 << 22
"""Of an octave of a linked picture that is kept whole, since links read all over it."""
CONTINUED = 3
"""The first octave that a domain pool continues."""
_BLOCK, _KEPT_BLOCKS = 256, 64
"""Of the octaves that a domain pool continues: sides of the blocks that are kept, and how many."""
_BLOCK_WINDOW = 1 << 21
"""Pixels of the largest window of these octaves that is made of blocks: tiles and frames show again
what others showed before."""
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
    the colours; they take the place of both where they are. domains: of the colours, once they are
    needed; they continue the picture from octave `continued` on, where there are no links.
    """

    def __init__(
        self,
        read: Reader,
        size: tuple[int, int],
        term: DetailTerm | None = None,
        links: DetailLinks | None = None,
        domains: Callable[[], DomainPool | None] | None = None,
        continued: int = CONTINUED,
    ) -> None:
        self._read = read
        self._size = size
        self._term = term
        self._links = links
        self._reach = max(REACH, 0 if term is None else term.reach)
        self._canvases: dict[int, PixelArray] = {}
        self._find_domains = domains if links is None else None
        self._continued = continued
        self._block = lru_cache(_KEPT_BLOCKS)(self._new_block)

    def window(self, octave: int, window: Window) -> PixelArray:
        """A window of the picture at scale 2^octave; it may lie outside [0, 1] a little."""
        if octave == 0:
            return self._read(window)
        small = window.height * window.width <= _BLOCK_WINDOW
        if small and self._find_domains is not None and octave < self._continued:
            return self._of_blocks(octave, window)
        height, width = (side << octave for side in self._size)
        if self._links is None or height * width > _CACHED_PIXELS:
            return self._rendered(octave, window)
        if octave not in self._canvases:
            self._canvases[octave] = self._rendered(octave, Window(0, 0, height, width))
        rows = slice(window.top, window.top + window.height)
        return self._canvases[octave][:, rows, window.left : window.left + window.width]

    def _rendered(self, octave: int, window: Window) -> PixelArray:
        if octave >= self._continued and (domains := self._domains) is not None:
            return self._with_domains(domains, octave, window)
        even = _aligned(window, 2)
        if self._links is None:
            fine = self._without_links(octave, even, self._term)
        else:
            fine = self._with_links(self._links, octave, even)
        return fine[_within(even, window)]

    @cached_property
    def _domains(self) -> DomainPool | None:
        return self._find_domains() if self._find_domains is not None else None

    def _with_domains(self, domains: DomainPool, octave: int, window: Window) -> PixelArray:
        whole = _aligned(window, 2 * STEP)
        read = self.window if octave > self._continued else self._of_blocks
        coarse = self._framed(octave - 1, whole, REACH, read)
        colours = colours_of(coarse)
        corner = whole.top // 2, whole.left // 2
        contrasts = self._contrasts(octave, corner, (whole.height // 4, whole.width // 4))
        fine = domains.continued(colours, contrasts, corner, octave)
        if len(colours) < len(coarse):
            fine = np.concatenate([fine, enlarge(coarse[len(colours) :])])
        return fine[_within(whole, window)]

    def _contrasts(
        self, octave: int, corner: tuple[int, int], steps: tuple[int, int]
    ) -> PixelArray:
        """Local contrasts at scale 1, interpolated at the centres of the ranges of an octave.

        corner: of the window that the ranges cover, one octave below. steps: from its first range
        to its last.
        """
        low = self._continued - 1
        rows, columns = (
            (start + STEP * np.arange(count + 1)) / (1 << (octave - 1))
            for start, count in zip(corner, steps, strict=True)
        )
        top, left = int(rows[0]), int(columns[0])
        # corners of pixels at scale 1, and pixels around them
        height, width = int(rows[-1]) + 2 - top, int(columns[-1]) + 2 - left
        half = RANGE // 2
        around = _grown(Window(top, left, height - 1, width - 1), half)
        inside, margins = _inside(around, self._size)
        picture = colours_of(self._of_blocks(low, Window(*(side << low for side in inside))))
        for _ in range(low):
            picture = cell_averages(picture)
        found = local_contrasts(np.pad(picture, margins, mode="edge"))
        return _interpolated(_interpolated(found, rows - top).T, columns - left).T

    def _of_blocks(self, octave: int, window: Window) -> PixelArray:
        """A window of an octave that domains continue later, of blocks that are always the same.

        Matrix products depend on the window in their last bits: what looks for the most similar
        domain must see the same pixels in all windows.
        """
        if octave == 0:
            return self._read(window)
        outer = _aligned(window, _BLOCK)
        rows = range(outer.top // _BLOCK, (outer.top + outer.height) // _BLOCK)
        columns = range(outer.left // _BLOCK, (outer.left + outer.width) // _BLOCK)
        blocks = [
            np.concatenate([self._block(octave, row, one) for one in columns], 2) for row in rows
        ]
        return np.concatenate(blocks, 1)[_within(outer, window)]

    def _new_block(self, octave: int, row: int, column: int) -> PixelArray:
        height, width = (side << octave for side in self._size)
        top, left = row * _BLOCK, column * _BLOCK
        sides = min(_BLOCK, height - top), min(_BLOCK, width - left)
        return self._rendered(octave, Window(top, left, *sides))

    def _framed(
        self, octave: int, window: Window, reach: int, read: Callable[[int, Window], PixelArray]
    ) -> PixelArray:
        """What a window of the next octave depends on: its pixels and a margin, edges repeated."""
        height, width = (side << octave for side in self._size)
        rows = source_span(window.top, window.height, height, reach)
        columns = source_span(window.left, window.width, width, reach)
        source = Window(rows.start, columns.start, rows.length, columns.length)
        margins = ((0, 0), (rows.before, rows.after), (columns.before, columns.after))
        return np.pad(read(octave, source), margins, mode="edge")

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
        coarse = self._framed(octave - 1, window, self._reach, self.window)
        fine = np.ascontiguousarray(enlarge(_without_margin(coarse, self._reach - REACH)))
        if term is not None:
            fine += term.details(_without_margin(coarse, self._reach - term.reach))
        return fine


def _aligned(window: Window, side: int) -> Window:
    """The smallest window of whole squares of a grid that holds another one."""
    top, left = window.top // side * side, window.left // side * side
    bottom = -(-(window.top + window.height) // side) * side
    right = -(-(window.left + window.width) // side) * side
    return Window(top, left, bottom - top, right - left)


def _grown(window: Window, pixels: int) -> Window:
    top, left, height, width = window
    return Window(top - pixels, left - pixels, height + 2 * pixels, width + 2 * pixels)


def _inside(
    window: Window, size: tuple[int, int]
) -> tuple[Window, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]]:
    """The part of a window inside a canvas, and how far it reaches beyond on each side."""
    starts = max(window.top, 0), max(window.left, 0)
    ends = min(window.top + window.height, size[0]), min(window.left + window.width, size[1])
    sides = Window(*starts, ends[0] - starts[0], ends[1] - starts[1])
    rows = starts[0] - window.top, window.top + window.height - ends[0]
    columns = starts[1] - window.left, window.left + window.width - ends[1]
    return sides, ((0, 0), rows, columns)


def _interpolated(values: PixelArray, places: FloatArray) -> PixelArray:
    """Rows (n, w) at places from 0 to below n - 1, linearly interpolated."""
    first = places.astype(np.int64)
    share = (places - first)[:, None].astype(np.float32)
    between: PixelArray = values[first] * (1 - share) + values[first + 1] * share
    return between


def _within(window: Window, part: Window) -> tuple[slice, slice, slice]:
    """The place of a part of a window in the pixels (c, h, w) of the window."""
    top, left = part.top - window.top, part.left - window.left
    return slice(None), slice(top, top + part.height), slice(left, left + part.width)


def _without_margin(image: PixelArray, pixels: int) -> PixelArray:
    return image[:, pixels:-pixels, pixels:-pixels] if pixels else image


def is_octave(scale: Fraction) -> bool:
    """Whether a scale is 1, 2, 4, ..."""
    return scale.denominator == 1 and scale.numerator & (scale.numerator - 1) == 0
