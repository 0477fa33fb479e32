"""SSIMULACRA2 (Sneyers, Cloudinary 2023): how alike two pictures look, after XYB and six scales.

The package `ssimulacra2`, a translation of the C++ original, compares two files. Here its parts are
called on arrays, and what depends on the reference alone is computed once for all tests: the scores
are the same, in a third of the time.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neural_collage.evaluation.metrics import Rgb
from neural_collage.extras import needs_extra

with needs_extra("bench"):
    from ssimulacra2 import ssimulacra2 as package

Planes = npt.NDArray[np.float64]
"""(w, h, 3): the package works on transposed pictures."""

MIN_SIDE = 8
"""Smallest side in pixels of a scale; a smaller picture has no score."""
_LINEAR = package.srgb_to_linear(np.arange(256))


class _Scale(NamedTuple):
    """One scale of a picture in positive XYB, and its blurred values and squares."""

    planes: Planes
    mean: Planes
    mean_of_squares: Planes


class Ssimulacra2:
    """Scores against one reference.

    Raises:
        MissingExtraError: at import, if the package `ssimulacra2` is not installed.
    """

    def __init__(self, reference: Rgb) -> None:
        self._reference = tuple(_scales(reference))

    def score(self, test: Rgb) -> float | None:
        """The score of a picture of the same size: 100 if equal, 90 visually lossless, 70 high,
        50 medium, 30 low quality; lower and below 0 for strong distortion.

        None for a picture with a side below `MIN_SIDE`.
        """
        total = package.Msssim()
        for one, other in zip(self._reference, _scales(test), strict=True):
            compared = package.MsssimScale()
            products = package.blur_image(one.planes * other.planes)
            compared.avg_ssim = package.ssim_map(
                one.mean, other.mean, one.mean_of_squares, other.mean_of_squares, products
            )
            compared.avg_edgediff = package.edge_diff_map(
                one.planes, one.mean, other.planes, other.mean
            )
            total.scales.append(compared)
        return float(total.score()) if total.scales else None


def _scales(picture: Rgb) -> Iterator[_Scale]:
    """The scales from full size, each half the one before, as long as they are large enough."""
    linear = _LINEAR[picture]
    for scale in range(package.kNumScales):
        if min(linear.shape[:2]) < MIN_SIDE:
            return
        planes = package.make_positive_xyb(package.linear_rgb_to_xyb(linear))
        yield _Scale(planes, package.blur_image(planes), package.blur_image(planes * planes))
        if scale < package.kNumScales - 1:
            linear = package.downsample(linear, 2, 2)
