"""What neural files are decoded with, derived from the weights in whole numbers and without torch.

Everything follows from the weights by rounding alone, or is a table that was computed once, when
the model was finished, and is stored with it: so all machines agree.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_collage.core.arrays.lapped import PatchBank
from neural_collage.models.compression.integer_entropy import N_SCALES, IntegerEntropy, check_shapes
from neural_collage.models.compression.integer_layers import (
    LEVELS,
    VALUE_BITS,
    IntArray,
    patches_at_once,
)

RANGE = 16
"""Side of a range in pixels."""
CENTRE = 0.5
"""The grey level of a picture whose coefficients are all zero."""
STEP_BITS, AMPLITUDE_BITS, PATCH_BITS = 16, 11, 15
_ENTROPY = "compressor.entropy."
_LARGEST_AMPLITUDE = (1 << 15) - 1


class DecoderModel:
    """The part of a `codec_model.CodecModel` that decoding needs.

    tensors: the model's, by their names. groups: sizes of the channel groups.

    Attributes:
        groups: as given.
        counts: (scales, symbols) see `CodecModel`.
        entropy: the entropy model.
        bank: the patches in 2^-15.

    Raises ValueError if tensors are missing, of other shapes, or too large to be exact.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]], groups: Sequence[int]) -> None:
        self.groups = tuple(groups)
        try:
            self.counts = tensors["counts"].astype(np.int64)
            self._steps = tensors["steps"].astype(np.int64)
            own = {k.removeprefix(_ENTROPY): v for k, v in tensors.items() if _ENTROPY in k}
            logarithms = tensors["logarithms"].astype(np.int64)
            self.entropy = IntegerEntropy(own, self.groups, logarithms)
            count, symbols = sum(self.groups), tensors["counts"].shape[-1] // 2 * 2
            check_shapes(
                tensors,
                {
                    "counts": (N_SCALES, symbols),
                    "steps": (LEVELS + 1, count),
                    "compressor.patches": (count, 3, 2 * RANGE, 2 * RANGE),
                },
            )
            patches = np.rint(tensors["compressor.patches"].astype(np.float64) * 2**PATCH_BITS)
        except KeyError as error:
            raise ValueError(f"missing tensors {error.args[0]}") from error
        self.bank = PatchBank(
            np.clip(patches, -_LARGEST_AMPLITUDE - 1, _LARGEST_AMPLITUDE).astype(np.int16)
        )

    unit = 2.0 ** -(AMPLITUDE_BITS + PATCH_BITS)
    """Pixel value of an amplitude times a patch of 1."""

    @property
    def n_patches(self) -> int:
        """Latents per range."""
        return sum(self.groups)

    def amplitudes(self, quantised: IntArray, quality: int) -> npt.NDArray[np.int16]:
        """Coefficients of the patches in 2^-11.

        quantised: (a, rows, columns) the first latents, in 1 / UNIT steps.
        """
        shift = VALUE_BITS + STEP_BITS - AMPLITUDE_BITS
        limits = -_LARGEST_AMPLITUDE - 1, _LARGEST_AMPLITUDE
        limited = np.empty(quantised.shape, np.int16)
        steps = self._steps[quality - 1, : len(quantised), None, None]
        for patches in patches_at_once(quantised):
            scaled = quantised[patches] * steps[patches]
            scaled += 1 << (shift - 1)
            scaled >>= shift
            np.clip(scaled, *limits, out=limited[patches], casting="unsafe")
        return limited
