"""How large a photograph's files will be, told from two JPEG files of it.

Photographs differ by a factor of ten in size at equal quality. Two JPEG files, a coarse and a fine
one, which take a few milliseconds, tell them apart: logarithms of our sizes are linear functions of
theirs, fitted to 33 pictures of CLIC, CID22 and photos. These lie about 10 % from that, 20 % at the
highest qualities. So a search for a size begins near its end.
"""

import io
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from neural_collage.io.picture import Picture

_COARSE, _FINE = 15, 75
"""Qualities of the JPEG files."""
_OVERHEAD = 600
"""Bytes of tables in a JPEG file."""
_LEAST = 0.05
"""Bits per pixel of a JPEG file that count as the least; one colour alone takes more."""
_STRIP_ROWS, _MOST_PIXELS, _MOST_SIDE = 64, 2**22, 2**15
"""Larger pictures are told from strips of them."""
_FITS = {
    1: (-1.362, 1.116, -0.287, 0.100),
    10: (-0.922, 1.264, -0.292, 0.090),
    25: (-0.378, 1.334, -0.176, 0.085),
    40: (-0.063, 1.186, 0.079, 0.091),
    55: (0.019, 0.839, 0.463, 0.098),
    70: (-0.064, 0.364, 0.906, 0.113),
    85: (-0.100, -0.046, 1.208, 0.116),
    90: (-0.042, -0.118, 1.228, 0.118),
    91: (0.216, 0.054, 1.129, 0.150),
    92: (0.310, 0.109, 1.120, 0.167),
    97: (0.809, 0.145, 1.205, 0.209),
    100: (0.998, -0.053, 1.169, 0.178),
}
"""At some qualities, the logarithm of bits per pixel: a constant, and shares of those of the coarse
and of the fine JPEG file; and how far photographs lie from that."""


_USUAL = (1.0, -1.02, 0.13)
"""What the constant and the shares are multiplied with for the mean of those photographs."""
_GRAPHICS = 0.85
"""Of pixels that equal the one to the left; few photographs have so many, screenshots more."""


def expected_sizes(picture: Picture) -> tuple[dict[int, float], dict[int, float]]:
    """Bytes of the files of a picture at some qualities, and how far logarithms may lie from them.

    Graphics, of which JPEG files tell too much, are expected to have those of a usual photograph.
    """
    sample = _sample(picture)
    known = np.array(_USUAL)
    if _equal_share(sample) < _GRAPHICS:
        known = np.array([1.0, _log_rate(sample, _COARSE), _log_rate(sample, _FINE)])
    pixels = picture.width * picture.height
    sizes = {quality: float(np.exp(known @ fit[:3])) * pixels / 8 for quality, fit in _FITS.items()}
    return sizes, {quality: fit[3] for quality, fit in _FITS.items()}


def _sample(picture: Picture) -> Image.Image:
    """The colours of a picture, or of strips at equal distances of a large one."""
    width, height = min(picture.width, _MOST_SIDE), picture.height
    most = max(min(_MOST_PIXELS // width, _MOST_SIDE) // _STRIP_ROWS, 1)
    every = -(-height // (_STRIP_ROWS * most))
    tops = range(0, height, _STRIP_ROWS * every)
    colours = 3 if picture.mode in ("RGB", "RGBA") else 1
    strips = [picture.samples[:colours, top : top + _STRIP_ROWS, :width] for top in tops]
    levels = replace(picture, samples=torch.cat(strips, 1)).levels
    return Image.fromarray(levels[0] if colours == 1 else levels.transpose(1, 2, 0))


def _equal_share(sample: Image.Image) -> float:
    pixels = np.asarray(sample).reshape(sample.height, sample.width, -1)
    equal = (pixels[:, 1:] == pixels[:, :-1]).all(2)
    return float(equal.mean()) if equal.size else 0.0


def _log_rate(sample: Image.Image, quality: int) -> float:
    """The logarithm of the bits per pixel of a JPEG file."""
    file = io.BytesIO()
    sample.save(file, "jpeg", quality=quality)
    bits = 8 * (len(file.getvalue()) - _OVERHEAD)
    return float(np.log(max(bits / (sample.width * sample.height), _LEAST)))
