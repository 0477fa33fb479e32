"""Same-size domains: pixels that repeat earlier ones of the same picture, solved by doubling.

A range with the displacement d repeats the pixels at p + d, where p + d comes before p in raster
order. The map N of these links is strictly triangular in that order, hence nilpotent: I - N has an
inverse for any weights, 1 included, and ranges may overlap their own sources, as in LZ77. With

    (I - N)^-1 = (I + N)(I + N^2)(I + N^4)...

the fixed point of z = N z + c takes one gather for each doubling, at most log2(pixels) + 1.
"""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def require_earlier(sources: IntArray) -> None:
    """Check that links point back, or to their own pixel where there is none.

    sources: (n,) index of the source of each pixel.

    Raises:
        ValueError: a source lies outside or after its pixel.
    """
    if len(sources) and (sources.min() < 0 or (sources > np.arange(len(sources))).any()):
        raise ValueError("a pixel repeats one that lies outside of the picture or comes after it")


def roots(sources: IntArray) -> IntArray:
    """The pixel at the end of each chain of exact copies, whose source is itself.

    sources: (n,) as for `require_earlier`, which the caller has passed.
    """
    while True:
        further = sources[sources]
        if np.array_equal(further, sources):
            return sources
        sources = further


def solve(sources: IntArray, weights: FloatArray, constants: FloatArray) -> FloatArray:
    """The fixed point of z[p] = weights[p] * z[sources[p]] + constants[p].

    sources: (n,) as for `require_earlier`, which the caller has passed; where a pixel is its own
    source, it has no link, and its weight counts as 0. weights: (n,), of any size.
    """
    linked = sources != np.arange(len(sources))
    weights = np.where(linked, weights, 0.0)
    z = constants.copy()
    while weights.any():
        z += weights * z[sources]
        weights = weights * weights[sources]
        sources = sources[sources]
    return z
