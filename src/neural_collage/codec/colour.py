"""Colour spaces of the coded planes: full-range YCbCr of BT.601, as in JFIF, and plain RGB."""

import numpy as np

from neural_collage.codec.container import ColourSpace, Header
from neural_collage.core.arrays.averages import PixelArray

RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""The shares of the colours in luma."""


def to_samples(planes: PixelArray, header: Header) -> PixelArray:
    """Samples (c, h, w) of planes (p, h, w), clipped to [0, 1].

    The inverse of `planes.to_planes`, or of `planes.to_triples` one after the other.
    """
    if header.colour_space == ColourSpace.RGB:
        if header.channels != 3:
            colours = planes[:3] if header.channels == 4 else _average(planes[:3])
            rest = [_average(planes[3:])] if len(planes) > 3 else []
            planes = np.concatenate([colours, *rest])
    elif header.channels >= 3:
        luma, cb, cr = planes[:3]
        red, blue = luma + (2 - 2 * RED) * cr, luma + (2 - 2 * BLUE) * cb
        green = (luma - RED * red - BLUE * blue) / GREEN
        planes = np.stack([red, green, blue, *planes[3:]])
    return np.clip(planes, 0, 1)


def _average(planes: PixelArray) -> PixelArray:
    average: PixelArray = planes.mean(0, keepdims=True, dtype=np.float32)
    return average
