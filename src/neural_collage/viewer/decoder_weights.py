"""The part of a model that a page needs to decode one file, as whole numbers.

What depends on the quality is that of the file. Matrices are in the order in which the decoder of
the page reads them: for contexts and the side information, the column of each input, tap by tap.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_collage.codec.precision.syntax import shipped_priors
from neural_collage.codec.weights import Weights
from neural_collage.models.arrays_file import PATCHES, SCALE, read_arrays, unpack_arrays
from neural_collage.models.compression.integer_layers import (
    ACTIVATION_BITS,
    WEIGHT_BITS,
    IntArray,
    bias_of,
    relative_steps,
    rung_values,
    rungs_of,
    weights_of,
)

_ENTROPY = "compressor.entropy."
_WIDTHS = (1, 2, 3, 4)
_LEVEL = 6  # with Z_FILTERED as small as 9, which takes five times as long
_SHORT = "patches"
_SCALE_BITS = 24
"""Half precision holds multiples of 2^-24."""


@dataclass(frozen=True)
class PackedNumbers:
    """Tensors as one zlib stream.

    index: name, bytes of each number and count of every tensor, in their order. data: of each, the
    lowest bytes of all numbers, then the next ones; numbers are signed, little-endian.
    """

    index: tuple[tuple[str, int, int], ...]
    data: bytes


def pack_numbers(tensors: Mapping[str, npt.NDArray[np.integer]]) -> PackedNumbers:
    """Pack whole numbers of up to four bytes.

    Raises ValueError for larger ones.
    """
    index, parts = [], []
    for name, tensor in tensors.items():
        numbers = np.ravel(tensor).astype(np.int64)
        low, high = (int(f(numbers, initial=0)) for f in (np.min, np.max))
        fitting = [n for n in _WIDTHS if -(1 << 8 * n - 1) <= low and high < 1 << 8 * n - 1]
        if not fitting:
            raise ValueError(f"{name} holds numbers of more than four bytes")
        planes = numbers.astype("<i8").view(np.uint8).reshape(-1, 8)[:, : fitting[0]]
        index.append((name, fitting[0], len(numbers)))
        parts.append(np.ascontiguousarray(planes.T).tobytes())
    compressor = zlib.compressobj(_LEVEL, strategy=zlib.Z_FILTERED)
    return PackedNumbers(tuple(index), compressor.compress(b"".join(parts)) + compressor.flush())


def precision_numbers() -> dict[str, IntArray]:
    """What `precision.js` reads a precision layer with, beside those of `decoder_numbers`."""
    priors = shipped_priors()
    return {
        "precision.weights": priors.weights.astype(np.int64),
        "precision.thresholds": priors.thresholds.astype(np.int64),
    }


def decoder_numbers(weights: Weights, quality: int) -> dict[str, IntArray]:
    """The tensors that `neural.js` decodes a payload of this quality, 1..100, with.

    Raises:
        CheckpointError: the weights are damaged, or of another model.
        ValueError: a number of them does not fit into four bytes.
    """
    model = weights.decoder()
    packed = read_arrays(weights.data)
    arrays = unpack_arrays({k: v for k, v in packed.items() if k.startswith(_ENTROPY)})
    tensors = {name.removeprefix(_ENTROPY): array for name, array in arrays.items()}
    both = ACTIVATION_BITS + WEIGHT_BITS

    def rungs(name: str) -> IntArray:
        return rung_values(rungs_of(tensors, name), quality)

    def columns(name: str) -> IntArray:
        matrix = weights_of(tensors, name)
        by_tap = matrix.reshape(len(matrix), -1, 9).transpose(2, 1, 0)
        return by_tap.astype(np.int64)

    numbers = {
        "groups": np.array(model.groups),
        "counts": model.counts,
        "logarithms": np.diff(packed["logarithms"].astype(np.int64), prepend=0),
        "steps": packed["steps"][quality - 1].astype(np.int64),
        "start": rungs("start"),
        "log_scale": rungs("log_scale"),
        "side.log_scale": rungs("side_log_scale"),
        "side.weight": columns("side_synthesis"),
        "side.bias": bias_of(tensors, "side_synthesis", ACTIVATION_BITS),
    }
    for group in range(len(model.groups)):
        numbers[f"contexts.{group}"] = columns(f"contexts.{group}")
        for number in (2 * group, 2 * group + 1):
            name = f"predictions.{number}"
            numbers[f"{name}.shift"] = rungs(f"{name}.shift")
            for part in (f"{name}.hidden", f"{name}.out"):
                numbers[f"{part}.weight"] = weights_of(tensors, part)
                numbers[f"{part}.bias"] = bias_of(tensors, part, both)
    if "gain.out.weight" in tensors:
        numbers["gain.shift"] = rungs("gain.shift")
        numbers["gain.weight"] = weights_of(tensors, "gain.out")
        numbers["gain.bias"] = bias_of(tensors, "gain.out", both)
        numbers["gain.steps"] = relative_steps()
    whole = {name: np.asarray(array).astype(np.int64) for name, array in numbers.items()}
    return whole | _patches(packed, model.bank.patches)


def _patches(
    packed: Mapping[str, npt.NDArray[np.generic]], patches: npt.NDArray[np.int16]
) -> dict[str, IntArray]:
    """Patches in 2^-15; those that the file holds in bytes as such, and their scales in 2^-24."""
    numbers = packed.get(f"{PATCHES}.1", np.zeros((0, 1), np.int8))
    scales = packed.get(f"{PATCHES}.1{SCALE}", np.zeros(0)).astype(np.float64)
    return {
        f"{_SHORT}.0": patches[: len(patches) - len(numbers)].astype(np.int64),
        f"{_SHORT}.1": numbers.astype(np.int64),
        f"{_SHORT}.1.scale": np.rint(scales * 2**_SCALE_BITS).astype(np.int64),
    }
