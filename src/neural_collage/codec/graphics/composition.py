"""A picture composed of a base and a graphics layer, at the scales 1, 2, 4, ...

At scale 1, ranges of the layer replace the base. Above, they are the average interpolation of the
composed picture, whose averages are the picture at scale 1 again; what the layer does not own is
the base at that scale.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property

import numpy as np

from neural_collage.codec.graphics.layer import BASE, GraphicsLayer
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.arrays.interpolation import enlarged_window
from neural_collage.core.copies import BoolArray
from neural_collage.core.scales import Window

BaseRenderer = Callable[[Fraction, Window], PixelArray]
"""A window (c, h, w) in [0, 1] of the base, whose size is that of `base_window`, at a scale."""


class Composition:
    """A graphics layer over a base.

    base: None if the layer owns all.
    """

    def __init__(self, layer: GraphicsLayer, base: BaseRenderer | None) -> None:
        self._layer = layer
        self._base = base

    @cached_property
    def picture(self) -> PixelArray:
        """The whole picture (c, h, w) at scale 1."""
        layer = self._layer
        size = layer.palette.shape[1], layer.height, layer.width
        if self._base is None:
            return layer.compose(np.zeros(size, np.uint8)).astype(np.float32) / np.float32(255)
        canvas = np.zeros(size, np.float32)
        self._show_base(canvas, Fraction(1), Window(0, 0, layer.height, layer.width))
        return layer.compose(canvas)

    @cached_property
    def _owned(self) -> BoolArray:
        owned: BoolArray = self._layer.pixel_modes != BASE
        return owned

    def window(self, scale: Fraction, window: Window) -> PixelArray:
        """A window (c, h, w) of the picture at a scale of 1, 2, 4, ..."""
        fine = self._enlarged(int(scale), window)
        if self._base is None or scale == 1:
            return fine
        rows, columns = (
            np.arange(start, start + length) // int(scale)
            for start, length in ((window.top, window.height), (window.left, window.width))
        )
        owned = self._owned[rows[:, None], columns]
        if owned.all():
            return fine
        canvas = np.zeros_like(fine)
        self._show_base(canvas, scale, window)
        return np.where(owned, fine, canvas)

    def _show_base(self, canvas: PixelArray, scale: Fraction, window: Window) -> None:
        """Put what a window of the picture at a scale shows of the base in its place."""
        assert self._base is not None
        shown = Window(*(side * int(scale) for side in self._layer.base_window))
        top, left = max(window.top, shown.top), max(window.left, shown.left)
        bottom = min(window.top + window.height, shown.top + shown.height)
        right = min(window.left + window.width, shown.left + shown.width)
        if top >= bottom or left >= right:
            return
        part = Window(top - shown.top, left - shown.left, bottom - top, right - left)
        rows = slice(top - window.top, bottom - window.top)
        columns = slice(left - window.left, right - window.left)
        canvas[:, rows, columns] = self._base(scale, part)

    def _enlarged(self, factor: int, window: Window) -> PixelArray:
        layer = self._layer
        if factor == 1:
            bottom, right = window.top + window.height, window.left + window.width
            return self.picture[:, window.top : bottom, window.left : right]
        half = factor // 2
        size = layer.height * half, layer.width * half
        return enlarged_window(lambda inner: self._enlarged(half, inner), size, window)


def is_octave(scale: Fraction) -> bool:
    """Whether a scale is 1, 2, 4, ..."""
    return scale.denominator == 1 and scale.numerator & (scale.numerator - 1) == 0
