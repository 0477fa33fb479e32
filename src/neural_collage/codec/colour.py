"""Colour spaces of the coded planes: full-range YCbCr of BT.601, as in JFIF, and plain RGB."""

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.codec.container import ColourSpace, Header

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114


def to_planes(samples: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Grey, RGB or RGBA samples to luma, chroma (centred on 0) and alpha, all in units of 1."""
    if len(samples) < 3:
        return samples
    red, green, blue, *alpha = samples
    luma = _RED * red + _GREEN * green + _BLUE * blue
    cb, cr = (blue - luma) / (2 - 2 * _BLUE), (red - luma) / (2 - 2 * _RED)
    return torch.stack([luma, cb, cr, *alpha])


def to_triples(samples: Float[Tensor, "c h w"]) -> list[Float[Tensor, "3 h w"]]:
    """Grey, RGB or RGBA samples as pictures of three planes: the colours, then alpha.

    Grey and alpha become three equal planes.
    """
    colours = samples[:-1] if len(samples) in (2, 4) else samples
    rest = samples[len(colours) :]
    return [planes.expand(3, -1, -1) for planes in (colours, rest) if len(planes)]


def to_samples(planes: Float[Tensor, "p h w"], header: Header) -> Float[Tensor, "c h w"]:
    """The inverse of `to_planes`, or of `to_triples` one after the other, clipped to [0, 1]."""
    if header.colour_space == ColourSpace.RGB:
        colours, rest = planes[:3], planes[3:]
        if header.channels < 3:
            colours = colours.mean(0, keepdim=True)
        if len(rest):
            rest = rest.mean(0, keepdim=True)
        planes = torch.cat([colours, rest])
    elif header.channels >= 3:
        luma, cb, cr, *alpha = planes
        red, blue = luma + (2 - 2 * _RED) * cr, luma + (2 - 2 * _BLUE) * cb
        green = (luma - _RED * red - _BLUE * blue) / _GREEN
        planes = torch.stack([red, green, blue, *alpha])
    return planes.clamp(0, 1)
