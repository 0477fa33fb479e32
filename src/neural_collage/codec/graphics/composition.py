"""A picture composed of a base and a graphics layer: ranges of the layer replace the base."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.scales import Window
from neural_collage.runtime import cached_property

BaseRenderer = Callable[[Window], PixelArray]
"""A window (c, h, w) in [0, 1] of the base, whose size is that of `base_window`."""


class Composition:
    """A graphics layer over a base.

    base: None if the layer owns all.
    """

    def __init__(self, layer: GraphicsLayer, base: BaseRenderer | None) -> None:
        self._layer = layer
        self._base = base

    @cached_property
    def _picture(self) -> npt.NDArray[np.uint8] | PixelArray:
        """The whole picture (c, h, w); as bytes if the layer owns all."""
        layer = self._layer
        size = layer.palette.shape[1], layer.height, layer.width
        if self._base is None:
            levels = np.zeros(size, np.uint8)
            layer.paint(levels)
            return levels
        canvas = np.zeros(size, np.float32)
        top, left, height, width = layer.base_window
        shown = self._base(Window(0, 0, height, width))
        canvas[:, top : top + height, left : left + width] = shown
        layer.paint(canvas)
        return canvas

    def window(self, window: Window) -> PixelArray:
        """A window (c, h, w) of the picture."""
        bottom, right = window.top + window.height, window.left + window.width
        part = self._picture[:, window.top : bottom, window.left : right]
        pixels: PixelArray = part.astype(np.float32, copy=part.dtype == np.uint8)
        if part.dtype == np.uint8:
            pixels /= np.float32(255)
        return pixels
