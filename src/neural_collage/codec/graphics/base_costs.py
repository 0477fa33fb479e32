"""An estimate of what a base codec pays for each range: bits, and errors in bits."""

import numpy as np
import numpy.typing as npt

from neural_collage.core.copies import FloatArray
from neural_collage.fractal.patches import cosine_transform

_SIDE = 8
_SIGNIFICANT_BITS = 1.5
"""Beyond the logarithm of its magnitude, what a coefficient costs that is not quantised to 0."""
_RANGE_BITS = 0.5
_STRIP = 32
"""Rows of blocks that are transformed at once."""
_OVERHEAD = 2.5
"""What ranges among others that the base does not show cost more."""


def least_bits_alone(channels: int, height: int, width: int) -> float:
    """What `bits_alone` of a picture is at least, whatever it shows."""
    return _RANGE_BITS * channels * (-(-height // _SIDE)) * (-(-width // _SIDE))


def bits_alone(pixels: npt.NDArray[np.uint8], bits_per_error: float) -> float:
    """The cost of a whole picture without a layer; arguments as `base_costs`."""
    return float(base_costs(pixels, _SIDE, bits_per_error).sum()) / _OVERHEAD


def base_costs(pixels: npt.NDArray[np.uint8], block: int, bits_per_error: float) -> FloatArray:
    """The cost of all ranges of `block` pixels, at the slope that the quality asks for.

    pixels: (c, h, w). bits_per_error: bits that a squared error of one level is worth.

    Reverse water-filling over an orthonormal cosine transform of 8 x 8 pixels: at the slope
    dD/dR = -1 / bits_per_error, a coefficient above the water level D = 1 / (2 ln 2 bits_per_error)
    costs its excess in bits and leaves D, one below costs its energy.
    """
    level = 1 / (2 * np.log(2) * bits_per_error)
    height, width = pixels.shape[1:]
    cosines = cosine_transform(_SIDE).numpy()
    rows, columns = -(-height // _SIDE), -(-width // _SIDE)

    def cost(energy: npt.NDArray[np.float32]) -> FloatArray:
        coded = 0.5 * np.log2(np.maximum(energy / level, 1)) + _SIGNIFICANT_BITS
        coded += bits_per_error * level
        least: FloatArray = np.minimum(bits_per_error * energy, coded)
        return least

    costs = np.full((rows, columns), _RANGE_BITS * len(pixels))
    means = np.empty((len(pixels), rows, columns), np.float32)
    for top in range(0, rows, _STRIP):
        strip = pixels[:, top * _SIDE : (top + _STRIP) * _SIDE].astype(np.float32)
        padding = (0, 0), (0, -strip.shape[1] % _SIDE), (0, -width % _SIDE)
        strip = np.pad(strip, padding, mode="edge")
        for plane, of_plane in zip(_decorrelated(strip), means, strict=True):
            blocks = plane.reshape(-1, _SIDE, columns, _SIDE).swapaxes(1, 2)
            coefficients = cosines @ blocks @ cosines.T
            of_plane[top : top + _STRIP] = coefficients[..., 0, 0]
            coefficients[..., 0, 0] = 0
            costs[top : top + _STRIP] += cost(np.square(coefficients)).sum((-1, -2))
    for of_plane in means:
        costs += cost(_unexplained(of_plane))
    costs *= _OVERHEAD
    if block >= _SIDE:
        ratio = block // _SIDE
        costs = np.pad(costs, ((0, -rows % ratio), (0, -columns % ratio)))
        sums: FloatArray = costs.reshape(len(costs) // ratio, ratio, -1, ratio).sum((1, 3))
        return sums
    parts = _SIDE // block
    finer = costs.repeat(parts, 0).repeat(parts, 1) / parts**2
    return finer[: -(-height // block), : -(-width // block)]


def _unexplained(means: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The energy of means, less what those to the left and above explain."""
    left, above = means.copy(), means.copy()
    left[:, 1:], above[1:] = means[:, :-1], means[:-1]
    nearest: npt.NDArray[np.float32] = np.minimum(np.abs(means - left), np.abs(means - above))
    return nearest**2


def _decorrelated(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Orthonormal luma and chroma of colours; alpha, and grey, as they are."""
    if len(planes) < 3:
        return planes
    matrix = np.array([[1, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]], np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    colours = np.tensordot(matrix, planes[:3], 1)
    return np.concatenate([colours, planes[3:]])
