"""Adaptive symbol statistics: integer counts per table and context, starting from shipped priors.

The same counts determine the entropy coder's probabilities and the encoder's rate estimates. They
are updated by integer addition only, so that encoder and decoder agree on every machine.
"""

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

import numpy as np

from neural_collage.fractal.contexts import TABLES
from neural_collage.fractal.geometry import IntArray

INCREMENT = 32  # added per observed symbol; prior counts have the same unit
FIRST_CHUNK, LARGEST_CHUNK = 128, 4096

Counts = dict[str, IntArray]
KINDS = ("luma", "chroma")


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Counts]:
    path = resources.files("neural_collage.fractal") / "priors.npz"
    with resources.as_file(path) as file, np.load(file, allow_pickle=False) as data:
        return {
            kind: {table: data[f"{kind}/{table}"].astype(np.int64) for table in TABLES}
            for kind in KINDS
        }


def prior_counts(kind: str) -> Counts:
    """A fresh copy of the shipped prior counts for "luma" (alpha too) or "chroma" planes."""
    return {table: counts.copy() for table, counts in _shipped()[kind].items()}


def flat_counts() -> Counts:
    """Uninformed counts, halving from symbol to symbol, from which priors are trained."""
    falling = {
        name: np.maximum(INCREMENT * 2.0 ** -np.arange(size), 1).astype(np.int64)
        for name, (_, size) in TABLES.items()
    }
    return {name: np.tile(falling[name], (rows, 1)) for name, (rows, _) in TABLES.items()}


def chunks(count: int) -> Iterator[slice]:
    """Cut a run of symbols into pieces; tables are updated after each piece."""
    start, length = 0, FIRST_CHUNK
    while start < count:
        yield slice(start, min(count, start + length))
        start, length = start + length, min(2 * length, LARGEST_CHUNK)


def update(counts: IntArray, contexts: IntArray, symbols: IntArray) -> None:
    """Add observed symbols to a table of counts, in place."""
    flat = contexts * counts.shape[1] + symbols
    counts += INCREMENT * np.bincount(flat, minlength=counts.size).reshape(counts.shape)


class Counter:
    """A `SymbolCoder` without output: counts symbols and sums their ideal code lengths in bits."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.bits = dict.fromkeys((*TABLES, "uniform"), 0.0)

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray:
        """Count symbols and add their code lengths under the counts of earlier pieces."""
        assert values is not None  # a counter cannot read
        counts = self.counts[table]
        for piece in chunks(len(values)):
            rows = counts[contexts[piece]]
            chosen = rows[np.arange(len(rows)), values[piece]]
            self.bits[table] += float(np.log2(rows.sum(1) / chosen).sum())
            update(counts, contexts[piece], values[piece])
        return values.copy()

    def uniform(self, sizes: IntArray, values: IntArray | None) -> IntArray:
        """Add the code lengths of equally likely symbols."""
        assert values is not None
        self.bits["uniform"] += float(np.log2(sizes).sum())
        return values.copy()
