"""The planes that are coded, of samples: full-range YCbCr of BT.601, as in JFIF, or plain RGB."""

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.codec.colour import BLUE, GREEN, RED


def to_planes(samples: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Grey, RGB or RGBA samples to luma, chroma (centred on 0) and alpha, all in units of 1."""
    if len(samples) < 3:
        return samples
    red, green, blue, *alpha = samples
    luma = RED * red + GREEN * green + BLUE * blue
    cb, cr = (blue - luma) / (2 - 2 * BLUE), (red - luma) / (2 - 2 * RED)
    return torch.stack([luma, cb, cr, *alpha])


def to_triples(samples: Float[Tensor, "c h w"]) -> list[Float[Tensor, "3 h w"]]:
    """Grey, RGB or RGBA samples as pictures of three planes: the colours, then alpha.

    Grey and alpha become three equal planes.
    """
    colours = samples[:-1] if len(samples) in (2, 4) else samples
    rest = samples[len(colours) :]
    return [planes.expand(3, -1, -1) for planes in (colours, rest) if len(planes)]
