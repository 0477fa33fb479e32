"""A domain pool: what a picture has beyond its own reductions, which continues it octave by octave.

A photograph is no attractor, but its parts look like reduced parts of it: for each range of a
picture the domain that looks most alike when it is reduced says what detail the range may have one
octave up (Freeman, Jones & Pasztor 2002; Glasner, Bagon & Irani 2009). Repeated at every octave, it
is fractal decoding with a map that is found while decoding. Ranges overlap and are blended; the
contrast of a detail is such that local contrast returns to what it is in the picture around, so
that it neither dies out nor grows, and pixels keep a distance to black and white.

Matches are exact in whole numbers, and all else is computed pixel by pixel: windows agree bit by
bit where what they start from does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.interpolation import REACH, enlarge
from neural_collage.core.scales import Window
from neural_collage.runtime import in_threads

RANGE, STEP = 4, 2
"""Side of a range, and from range to range, in pixels of the octave below."""
GROUPS = 8
"""A range searches one of these parts of the pool, by its place: where ranges look alike, their
details must not, or they would show the grid of ranges."""
_MOST_DOMAINS, _LEAST_DOMAINS = 512 * GROUPS, 16 * GROUPS
_MOST_SEARCHED, _PART = 1 << 20, 512
"""Pixels of the largest picture that is searched everywhere; sides of the parts of others."""
_REDUCTIONS = 3
"""Domains are reduced once and are of the picture, its half and its quarter."""
_LEAST_CONTRAST = 0.015
"""Standard deviation of the luma of a reduced domain."""
_KEPT = 0.5
"""Of the domains: those with most detail."""
_LEVELS = 127
_TARGET, _LARGEST_TARGET = 1.7, 0.3
"""Local contrast in the octaves above, times that of the picture, and about its largest standard
deviation."""
_LEAST_GAIN, _LARGEST_GAIN = 0.5, 4.0
"""Of the detail of a domain, times its similarity; and at most."""
_SHADING = 0.5
"""Of a detail, what changes brightness and not hue; the rest follows the colours of the range."""
_ROOM = 0.8
"""Of the distance to black and white, what parts of a pixel may differ from it."""
_BLEND = 0.625
"""The energy of the blend of independent details, times theirs."""
_TILE = 64
_SMALL = np.float32(1e-6)
_WEIGHTS = np.repeat(np.array([0.25, 0.75, 0.75, 0.25], np.float32), 2)
_BLENDING = np.outer(_WEIGHTS, _WEIGHTS).ravel()
_OFFSETS = np.arange(RANGE, dtype=np.float32) - (RANGE - 1) / 2

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DomainPool:
    """Reduced domains of a picture in one orientation, and the detail that they had.

    patterns: (groups, 16, n) luma of average zero and norm 1, in whole numbers, `_LEVELS` for 1.
    details: (groups n, 64) of domains of such a luma. smooth, rough: (groups n,) energy in a
    quarter of a domain, on average, of its interpolation and of its detail.
    """

    patterns: PixelArray
    details: PixelArray
    smooth: PixelArray
    rough: PixelArray

    @classmethod
    def of(cls, read: Callable[[Window], PixelArray], size: tuple[int, int]) -> "DomainPool | None":
        """The domains of a picture, of four parts of it if it is large; None where there are few.

        read: returns windows (c, h, w) of it at scale 1, alpha last. size: its height and width.
        """
        found = [
            _domains(reduced)
            for part in _parts(*size)
            for reduced in _reductions(colours_of(read(part)).mean(0, keepdims=True))
        ]
        if not found:
            return None
        patterns, details, smooth = (np.concatenate(parts) for parts in zip(*found, strict=True))
        rough = np.square(details).sum(1) / 4
        kept = np.flatnonzero(rough > 0)
        kept = kept[np.argsort(-rough[kept], kind="stable")]
        kept = np.sort(kept[: int(len(kept) * _KEPT)])
        if len(kept) < _LEAST_DOMAINS:
            return None
        count = min(_MOST_DOMAINS, len(kept) // GROUPS * GROUPS)
        kept = kept[np.arange(count) * len(kept) // count]
        turned, patterns = _oriented(patterns[kept])
        return cls(
            patterns=np.ascontiguousarray(
                np.rint(patterns * _LEVELS).reshape(-1, GROUPS, RANGE**2).transpose(1, 2, 0)
            ),
            details=np.take_along_axis(details[kept], _TURNS[2 * RANGE][turned], 1),
            smooth=smooth[kept],
            rough=rough[kept],
        )

    def continued(
        self, coarse: PixelArray, contrasts: PixelArray, corner: tuple[int, int], octave: int
    ) -> PixelArray:
        """The picture (c, 2 h, 2 w) one octave up; its averages over cells are those of `coarse`.

        coarse: (c, h + 4, w + 4), colours in [0, 1] or a little outside, with a margin of `REACH`;
        h and w are even. contrasts: (h / 2 + 1, w / 2 + 1), the local contrast of the picture at
        scale 1, see `local_contrasts`, at the centres of the ranges. corner: row and column of the
        window in the octave below, without the margin, even. octave: of the result.
        """
        height, width = (side - 2 * REACH for side in coarse.shape[1:])
        fine = np.empty((len(coarse), 2 * height, 2 * width), np.float32)

        def write(place: tuple[int, int]) -> None:
            top, left = place
            rows, columns = min(_TILE, height - top), min(_TILE, width - left)
            part = coarse[:, top : top + rows + 2 * REACH, left : left + columns + 2 * REACH]
            around = contrasts[top // STEP :, left // STEP :]
            around = around[: rows // STEP + 1, : columns // STEP + 1]
            above = enlarge(part) + self._detail(
                part, around, (corner[0] + top, corner[1] + left), octave
            )
            inside = part[:, REACH:-REACH, REACH:-REACH]
            fine[:, 2 * top : 2 * (top + rows), 2 * left : 2 * (left + columns)] = _within_room(
                inside, above
            )

        in_threads(
            write,
            [(top, left) for top in range(0, height, _TILE) for left in range(0, width, _TILE)],
        )
        return fine

    def _detail(
        self, coarse: PixelArray, contrasts: PixelArray, corner: tuple[int, int], octave: int
    ) -> PixelArray:
        view = np.lib.stride_tricks.sliding_window_view(coarse, (RANGE, RANGE), (1, 2))
        channels, rows, columns = (windows := view[:, ::STEP, ::STEP]).shape[:3]
        ranges = windows.reshape(channels, rows * columns, RANGE**2)
        means = ranges.mean(2, keepdims=True)
        ranges = ranges - means
        luma = ranges.mean(0)
        norms = np.sqrt(np.square(luma).sum(1))
        units = luma / np.maximum(norms, _SMALL)[:, None]
        turned, patterns = _oriented(units)
        chosen, similarity = self._search(patterns, _groups(rows, columns, corner, octave))
        details = np.take_along_axis(self.details[chosen], _BACK[2 * RANGE][turned], 1)

        target = contrasts.ravel() * RANGE
        target = _TARGET * target / (1 + target / (RANGE * _LARGEST_TARGET))
        missing = target / np.maximum(norms, _SMALL) - self.smooth[chosen]
        gain = np.sqrt(np.maximum(missing, 0) / (_BLEND * self.rough[chosen]))
        gain = np.clip(gain, _LEAST_GAIN * similarity, _LARGEST_GAIN).astype(np.float32)
        brightness = np.maximum(means.mean(0), np.float32(0.02))
        shading = norms * means[..., 0] / brightness[:, 0]
        own = (ranges * units).sum(2)
        amplitudes = gain * (_SHADING * shading + (1 - _SHADING) * own)

        weighted = amplitudes[:, :, None] * (details * _BLENDING)
        parts = weighted.reshape(channels, rows, columns, 2, RANGE, 2, RANGE)
        blended = np.zeros((channels, rows - 1, columns - 1, RANGE, RANGE), np.float32)
        for down in (0, 1):
            for across in (0, 1):
                upper, left = 1 - down, 1 - across
                blended += parts[:, upper : rows - down, left : columns - across, down, :, across]
        return blended.transpose(0, 1, 3, 2, 4).reshape(
            channels, (rows - 1) * RANGE, (columns - 1) * RANGE
        )

    def _search(self, patterns: PixelArray, groups: IntArray) -> tuple[IntArray, PixelArray]:
        """The most similar domain of the group of each pattern (n, 16), and its similarity."""
        chosen = np.empty(len(patterns), np.int64)
        similarity = np.empty(len(patterns), np.float32)
        whole = np.rint(patterns * _LEVELS)
        for group, domains in enumerate(self.patterns):
            members = np.flatnonzero(groups == group)
            products = whole[members] @ domains
            best = products.argmax(1)
            chosen[members] = best * GROUPS + group
            similarity[members] = products[np.arange(len(members)), best]
        return chosen, similarity / np.float32(_LEVELS**2)


def colours_of(picture: PixelArray) -> PixelArray:
    """The channels of (c, h, w) but alpha, which is the last of two or four."""
    return picture[: len(picture) - (len(picture) % 2 == 0)]


def local_contrasts(picture: PixelArray) -> PixelArray:
    """Standard deviation of luma in the 4 x 4 pixels around the corners of pixels.

    (c, h + 3, w + 3) to (h, w).
    """
    view = np.lib.stride_tricks.sliding_window_view(picture.mean(0), (RANGE, RANGE))
    height, width = view.shape[:2]
    patches = view.reshape(height, width, RANGE**2)
    deviations = patches - patches.mean(2, keepdims=True)
    contrasts: PixelArray = np.sqrt(np.square(deviations).mean(2))
    return contrasts


def _parts(height: int, width: int) -> list[Window]:
    if height * width <= _MOST_SEARCHED:
        return [Window(0, 0, height, width)]
    sides = min(height, _PART), min(width, _PART)
    return [
        Window(row * (height - sides[0]) // 3, column * (width - sides[1]) // 3, *sides)
        for row in (1, 2)
        for column in (1, 2)
    ]


def _reductions(luma: PixelArray) -> Iterable[PixelArray]:
    """A picture (1, h, w), its half, ...: as long as they have domains, of even sides."""
    for _ in range(_REDUCTIONS):
        height, width = (side // 2 * 2 for side in luma.shape[1:])
        if min(height, width) < 2 * RANGE:
            return
        luma = luma[:, :height, :width]
        yield luma
        luma = pool(luma, 2)


def _domains(luma: PixelArray) -> tuple[PixelArray, PixelArray, PixelArray]:
    """Of the domains of (1, h, w): patterns, details, and the energy of their interpolation."""
    reduced = pool(luma, 2)
    smooth = enlarge(np.pad(reduced, ((0, 0), (REACH, REACH), (REACH, REACH)), mode="edge"))
    view = np.lib.stride_tricks.sliding_window_view
    patterns = view(reduced[0], (RANGE, RANGE)).reshape(-1, RANGE**2)
    patterns = patterns - patterns.mean(1, keepdims=True)
    norms = np.sqrt(np.square(patterns).sum(1))
    kept = np.flatnonzero(norms > RANGE * _LEAST_CONTRAST)
    both = (
        view(plane[0], (2 * RANGE, 2 * RANGE))[::2, ::2].reshape(-1, 4 * RANGE**2)[kept]
        / norms[kept, None]
        for plane in (luma - smooth, smooth)
    )
    details, smooth = both
    quarters = smooth.reshape(-1, 2, RANGE, 2, RANGE)
    deviations = quarters - quarters.mean((2, 4), keepdims=True)
    energy = np.square(deviations).sum((1, 2, 3, 4)) / 4
    return patterns[kept] / norms[kept, None], details, energy


def _groups(rows: int, columns: int, corner: tuple[int, int], octave: int) -> IntArray:
    """The group of each range of a window, by its place in the picture and the octave."""
    row = corner[0] // STEP + np.arange(rows, dtype=np.int64)[:, None]
    column = corner[1] // STEP + np.arange(columns, dtype=np.int64)
    mixed = (row * 73856093) ^ (column * 19349663) ^ (octave * 83492791)
    groups: IntArray = ((mixed ^ (mixed >> 11) ^ (mixed >> 5)) % GROUPS).ravel()
    return groups


def _turns(side: int) -> tuple[IntArray, IntArray]:
    """The 8 isometries of a square as orders (8, side^2) of its pixels, and their inverses."""
    square = np.arange(side**2).reshape(side, side)
    flipped = [square[::down, ::across] for down in (1, -1) for across in (1, -1)]
    orders = np.array([one.ravel() for one in [*flipped, *(one.T for one in flipped)]])
    return orders, np.argsort(orders, 1)


_TURNS, _BACK = (
    dict(zip((RANGE, 2 * RANGE), pair, strict=True))
    for pair in zip(_turns(RANGE), _turns(2 * RANGE), strict=True)
)


def _oriented(patterns: PixelArray) -> tuple[IntArray, PixelArray]:
    """The isometry after which patterns (n, 16) rise to the right, and less so down; and these."""
    squares = patterns.reshape(-1, RANGE, RANGE)
    across = (squares.sum(1) * _OFFSETS).sum(1)
    down = (squares.sum(2) * _OFFSETS).sum(1)
    turned = (across < 0) + 2 * (down < 0) + 4 * (np.abs(down) > np.abs(across))
    return turned, np.take_along_axis(patterns, _TURNS[RANGE][turned], 1)


def _within_room(coarse: PixelArray, fine: PixelArray) -> PixelArray:
    """The parts of pixels (c, 2 h, 2 w), nearer to the pixels (c, h, w) where they lack room."""
    channels, height, width = coarse.shape
    cells = fine.reshape(channels, height, 2, width, 2)
    pixels = coarse[:, :, None, :, None]
    change = cells - pixels
    room = _ROOM * np.minimum(np.maximum(coarse, 0), 1)
    parts = [change[:, :, row, :, column] for row in (0, 1) for column in (0, 1)]
    above = reduce(np.maximum, parts) / np.maximum(np.float32(_ROOM) - room, _SMALL)
    below = -reduce(np.minimum, parts) / np.maximum(room, _SMALL)
    share = 1 / np.maximum(np.maximum(above, below), 1)
    change *= share[:, :, None, :, None]
    change += pixels
    return change.reshape(fine.shape)
