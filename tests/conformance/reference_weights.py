"""The weights of the neural codec in the reference decoder, in whole numbers."""

import hashlib
import json
from functools import cache

import numpy as np
import numpy.typing as npt

from tests.conformance.reference_entropy import Ints, SymbolDecoder, categorical
from tests.root import ROOT

FOLDER = ROOT / "src/neural_collage/weights"
TYPES = {"F16": "<f2", "I8": "<i1", "I16": "<i2", "I32": "<i4"}
Tensors = dict[str, npt.NDArray[np.float64]]


@cache
def read_tensors(name: str, digest: bytes) -> Tensors:
    """The tensors of a safetensors file; those in bytes times their scales.

    digest: the first 8 bytes of its SHA-256; raises ValueError if there is no such file.
    """
    for path in FOLDER.glob("*.safetensors"):
        data = path.read_bytes()
        if hashlib.sha256(data).digest()[:8] == digest:
            break
    else:
        raise ValueError(f"there are no weights {name!r} of this hash")
    start = 8 + int.from_bytes(data[:8], "little")
    tensors: Tensors = {}
    for key, entry in json.loads(data[8:start]).items():
        if key != "__metadata__":
            first, last = entry["data_offsets"]
            values = np.frombuffer(data[start + first : start + last], TYPES[entry["dtype"]])
            tensors[key] = values.reshape(entry["shape"]).astype(np.float64)
    for key in [key for key in tensors if f"{key}.scale" in tensors]:
        tensors[key] = (tensors[key].T * tensors[f"{key}.scale"]).T
    return tensors


class Weights:
    """The weights that a picture is decoded with.

    Attributes:
        tables: for each index of a scale, the first number and the shares of its table.
        logarithms: of 1 + |x|, in 2^-10.
        patches: (a, 3, 32, 32) in 2^-15.
        steps: (a,) in 2^-16.
    """

    def __init__(self, name: str, digest: bytes, quality: int) -> None:
        self._name, self._digest = name, digest
        self.quality = quality
        self.tensors = read_tensors(name, digest)
        self.tables = [fixed_table(row) for row in self.tensors["counts"]]
        self.logarithms = whole(self.tensors["logarithms"])
        parts = [self.tensors[f"compressor.patches.{n}"] for n in (0, 1)]
        self.patches = np.clip(whole(np.concatenate(parts), 15), -(1 << 15), (1 << 15) - 1)
        self.steps = whole(self.tensors["steps"])[quality - 1]

    def of_quality(self, quality: int) -> "Weights":
        """These weights at another quality."""
        return Weights(self._name, self._digest, quality)

    def entropy(self, name: str, bits: int) -> Ints:
        """A tensor of the prediction, in 2^-bits."""
        return whole(self.tensors[f"compressor.entropy.{name}"], bits)

    def rungs(self, name: str) -> Ints:
        """A tensor that depends on the quality, in 2^-10, with axes for rows and columns."""
        rows = self.entropy(f"{name}.rungs", 10)
        i, j = divmod((self.quality - 1) * (len(rows) - 1), 99)
        upper = rows[min(i + 1, len(rows) - 1)]  # at quality 100, j is 0
        values: Ints = ((99 - j) * rows[i] + j * upper) // 99
        return values[:, None, None]


def whole(values: npt.NDArray[np.float64], bits: int = 0) -> Ints:
    """Numbers in 2^-bits, rounded to nearest, halves to even."""
    return np.rint(values * 2.0**bits).astype(np.int64)


def fixed_table(counts: npt.NDArray[np.float64]) -> tuple[int, list[int]]:
    """The first number of a table of counts, and where the shares of its symbols start."""
    counted = np.flatnonzero(counts[:-1])
    first, last = counted[0], counted[-1]
    symbols = np.append(np.maximum(counts[first : last + 1], 1), counts[-1])
    return int(first) - 255, categorical(symbols).tolist()


def read_numbers(stream: SymbolDecoder, indices: Ints, weights: Weights) -> Ints:
    """The numbers of a call, given the indices of their scales in the same order."""
    numbers = np.zeros(indices.size, np.int64)
    escaped = []
    for position in np.argsort(indices, axis=None, kind="stable").tolist():
        if index := int(indices.flat[position]):
            first, starts = weights.tables[index]
            symbol = stream.symbol(starts)
            numbers[position] = first + symbol
            if symbol == len(starts) - 1:
                escaped.append(position)
    lengths = [stream.uniform(24) for _ in escaped]
    for position, length in zip(escaped, lengths, strict=True):
        z = (1 << length) + stream.uniform(1 << length) - 1
        numbers[position] = -(z + 1) // 2 if z % 2 else z // 2
    return numbers.reshape(indices.shape)
