"""Entropy coding: symbols with adaptive tables over constriction's range coder.

Probabilities are integer counts handed over as whole numbers in float32; constriction turns them
into fixed-point tables by basic arithmetic alone (`perfect=False`), so every machine gets the same
tables. Range coding: Martin 1979.
"""

import constriction
import numpy as np
import numpy.typing as npt

from neural_collage.core.errors import CollageFormatError
from neural_collage.fractal.geometry import IntArray
from neural_collage.fractal.statistics import Counts, chunks, update

_CATEGORICAL = constriction.stream.model.Categorical(perfect=False)
_UNIFORM = constriction.stream.model.Uniform()


def _probabilities(counts: IntArray, contexts: IntArray) -> npt.NDArray[np.float32]:
    return counts.astype(np.float32)[contexts]


class SymbolWriter:
    """Encodes symbols with adaptive tables; see `fractal.syntax.SymbolCoder`."""

    def __init__(self) -> None:
        self.counts: Counts = {}
        self._encoder = constriction.stream.queue.RangeEncoder()

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray:
        """Write symbols of a table."""
        assert values is not None
        counts = self.counts[table]
        for piece in chunks(len(values)):
            rows = _probabilities(counts, contexts[piece])
            self._encoder.encode(values[piece].astype(np.int32), _CATEGORICAL, rows)
            update(counts, contexts[piece], values[piece])
        return values.copy()

    def uniform(self, sizes: IntArray, values: IntArray | None) -> IntArray:
        """Write equally likely symbols."""
        assert values is not None
        real = sizes > 1
        if real.any():
            self._encoder.encode(
                values[real].astype(np.int32), _UNIFORM, sizes[real].astype(np.int32)
            )
        return values.copy()

    def finish(self) -> bytes:
        """The bytes written so far, whole 32-bit words with trailing zero bytes dropped."""
        words: npt.NDArray[np.uint32] = self._encoder.get_compressed()
        return words.astype("<u4").tobytes().rstrip(b"\0")


class SymbolReader:
    """Decodes what `SymbolWriter` wrote."""

    def __init__(self, data: bytes) -> None:
        self.counts: Counts = {}
        padded = data + bytes(-len(data) % 4)
        self._decoder = constriction.stream.queue.RangeDecoder(
            np.frombuffer(padded, "<u4").astype(np.uint32)
        )

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None = None) -> IntArray:
        """Read symbols of a table."""
        counts = self.counts[table]
        result = np.empty(len(contexts), np.int64)
        for piece in chunks(len(contexts)):
            rows = _probabilities(counts, contexts[piece])
            result[piece] = self._decode(_CATEGORICAL, rows)
            update(counts, contexts[piece], result[piece])
        return result

    def uniform(self, sizes: IntArray, values: IntArray | None = None) -> IntArray:
        """Read equally likely symbols."""
        result = np.zeros(len(sizes), np.int64)
        real = sizes > 1
        if real.any():
            result[real] = self._decode(_UNIFORM, sizes[real].astype(np.int32))
        return result

    def finish(self) -> None:
        """Check that nothing follows what was read.

        Raises:
            CollageFormatError: there is more.
        """
        if not self._decoder.maybe_exhausted():
            raise CollageFormatError("the entropy-coded data is damaged: it is too long")

    def _decode(self, model: object, parameters: object) -> IntArray:
        try:
            symbols: IntArray = self._decoder.decode(model, parameters).astype(np.int64)
        except (AssertionError, ValueError, RuntimeError) as error:
            raise CollageFormatError(f"the entropy-coded data is damaged: {error}") from error
        return symbols
