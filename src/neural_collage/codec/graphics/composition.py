"""A picture composed of a base and a graphics layer, at the scales 1, 2, 4, ...

At scale 1, ranges of the layer replace the base. Above, they are the average interpolation of the
composed picture, whose averages are the picture at scale 1 again; what the layer does not own is
the base at that scale.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from neural_collage.codec.graphics.layer import BASE, GraphicsLayer
from neural_collage.core.blocks import Window
from neural_collage.core.interpolation import enlarged_window

BaseRenderer = Callable[[Fraction, Window], Float[Tensor, "c h w"]]
"""Pixels in [0, 1] of a window at a scale of the base, whose size is that of `base_window`."""


class Composition:
    """A graphics layer over a base.

    base: None if the layer owns all.
    """

    def __init__(self, layer: GraphicsLayer, base: BaseRenderer | None, device: str) -> None:
        self._layer = layer
        self._base = base
        self._device = device

    @cached_property
    def picture(self) -> Float[Tensor, "c h w"]:
        """The whole picture at scale 1."""
        layer = self._layer
        size = layer.palette.shape[1], layer.height, layer.width
        if self._base is None:
            whole = torch.from_numpy(layer.compose(np.zeros(size, np.uint8))).float() / 255
        else:
            canvas = torch.zeros(size, dtype=torch.float32)
            self._show_base(canvas, Fraction(1), Window(0, 0, layer.height, layer.width))
            whole = torch.from_numpy(layer.compose(canvas.numpy()))
        return whole.to(self._device)

    @cached_property
    def _owned(self) -> Bool[Tensor, "h w"]:
        return torch.from_numpy(self._layer.pixel_modes != BASE).to(self._device)

    def window(self, scale: Fraction, window: Window) -> Float[Tensor, "c h w"]:
        """A window of the picture at a scale of 1, 2, 4, ..."""
        fine = self._enlarged(int(scale), window)
        if self._base is None or scale == 1:
            return fine
        rows, columns = (
            torch.arange(start, start + length, device=self._device) // int(scale)
            for start, length in ((window.top, window.height), (window.left, window.width))
        )
        owned = self._owned[rows[:, None], columns]
        if owned.all():
            return fine
        canvas = torch.zeros_like(fine)
        self._show_base(canvas, scale, window)
        return torch.where(owned, fine, canvas)

    def _show_base(self, canvas: Float[Tensor, "c h w"], scale: Fraction, window: Window) -> None:
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
        canvas[:, rows, columns] = self._base(scale, part).to(canvas)

    def _enlarged(self, factor: int, window: Window) -> Float[Tensor, "c h w"]:
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
