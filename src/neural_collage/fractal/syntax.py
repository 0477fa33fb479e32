"""The order in which the integers of a plane are coded, and the context of each.

One function, `traverse`, walks a plane for every purpose: a coder that writes, one that reads and
one that counts all see the same sequence of calls. Each call hands over many symbols at once, with
contexts made only of symbols that came before, so that all of them are coded in one vector
operation.
"""

from typing import Protocol, runtime_checkable

import numpy as np

from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.geometry import (
    CONTRAST_LEVELS,
    DIAGONAL,
    ORDER,
    SIZES,
    BoolArray,
    FloatArray,
    IntArray,
    PlaneGeometry,
    last_diagonal,
)

ESCAPE = 15  # magnitudes from here on are continued in Exp-Golomb bits
N_OWN, N_NEAR, N_BAND = 7, 5, 4

# Contexts and alphabet of every adaptive table.
TABLES: dict[str, tuple[int, int]] = {"root": (1, 20), "isometry": (1, 8), "escape": (1, 24)}
for _size in SIZES:
    TABLES[f"split{_size}"] = (20, 2)
    TABLES[f"detail{_size}"] = (8, ESCAPE + 1)
    TABLES[f"last{_size}"] = (24, 2 * ORDER - 1)
    TABLES[f"links{_size}"] = (5, 4)
    TABLES[f"contrast{_size}"] = (1, 2 * CONTRAST_LEVELS)
    TABLES[f"magnitude{_size}"] = (N_OWN * N_NEAR * 2 * N_BAND, ESCAPE + 1)


@runtime_checkable
class SymbolCoder(Protocol):
    """Writes, reads or counts symbols; `values` is None when reading."""

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray:
        """Symbols 0..alphabet-1 of an adaptive table of `TABLES`, one context each."""

    def uniform(self, sizes: IntArray, values: IntArray | None) -> IntArray:
        """Symbols 0..size-1, all equally likely; each size in 1..2**23."""


def traverse(
    coder: SymbolCoder, geometry: PlaneGeometry, n_sources: int, code: PlaneCode | None
) -> PlaneCode:
    """Hand all integers of a plane to the coder, and return the plane it answers with.

    code: the plane to write or count; None to read.
    """
    walk = _Walk(coder, geometry)
    roots = walk.roots(code.roots if code else None)
    splits: list[BoolArray] = []
    details: list[IntArray] = []
    leaves: list[BoolArray] = []
    alive = np.ones(roots.shape, bool)
    nearby = np.zeros(roots.shape, np.int64)  # split neighbours of the parent
    rough = np.zeros(roots.shape, np.int64)  # size of the details of the parent
    roughness = []
    for level, size in enumerate(SIZES):
        roughness.append(rough)
        if level == len(SIZES) - 1:
            leaves.append(alive)
            break
        flags = code.splits[level][alive] if code else None
        split = np.zeros(alive.shape, bool)
        split[alive] = walk.splits(size, nearby[alive], rough[alive], flags)
        detail = walk.details(size, rough[split], code.details[level] if code else None)
        leaves.append(alive & ~split)
        splits.append(split)
        details.append(detail)
        nearby = _split_neighbours(split).repeat(2, 0).repeat(2, 1)
        magnitude = np.zeros(alive.shape, np.int64)
        magnitude[split] = np.abs(detail).sum(1)
        rough = magnitude.repeat(2, 0).repeat(2, 1)
        alive = split.repeat(2, 0).repeat(2, 1)
    last = walk.last(leaves, roughness, code.last if code else None)
    contrasts, addresses, isometries = walk.links(leaves, last, n_sources, code)
    coefficients = walk.coefficients(leaves, last, code.coefficients if code else None)
    return PlaneCode(
        geometry,
        tuple(splits),
        roots,
        tuple(details),
        last,
        coefficients,
        contrasts,
        addresses,
        isometries,
    )


def _split_neighbours(split: BoolArray) -> IntArray:
    """How many of the four neighbours of each block are split."""
    padded = np.pad(split.astype(np.int64), 1, mode="edge")
    return padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]


def rough_class(total: IntArray) -> IntArray:
    """Four classes of the summed magnitudes of three details."""
    classes: IntArray = np.searchsorted([1, 2, 4], total, side="right").astype(np.int64)
    return classes


def detail_context(rough: IntArray) -> IntArray:
    """Contexts (n, 3) of the details of n blocks: horizontal and vertical ones share theirs."""
    return rough[:, None] + np.array([0, 0, 4])


def _slices(leaves: list[BoolArray]) -> list[slice]:
    """Where the leaves of each size lie in partition order."""
    ends = np.cumsum([int(leaf.sum()) for leaf in leaves])
    return [
        slice(int(end) - int(leaf.sum()), int(end)) for end, leaf in zip(ends, leaves, strict=True)
    ]


class _Walk:
    """The parts of `traverse`, over one coder."""

    def __init__(self, coder: SymbolCoder, geometry: PlaneGeometry) -> None:
        self.coder = coder
        self.geometry = geometry

    def _plain(self, table: str, count: int, values: IntArray | None) -> IntArray:
        return self.coder.symbols(table, np.zeros(count, np.int64), values)

    def _bits(self, lengths: IntArray, values: IntArray | None) -> IntArray:
        """Numbers below 2**length, as plain bits."""
        return self.coder.uniform(1 << lengths, values)

    def _unbounded(self, table: str, count: int, values: IntArray | None) -> IntArray:
        """Numbers >= 0: the bit length of n + 1 in a table, then its bits below the first."""
        length = None if values is None else np.frexp(values + 1)[1].astype(np.int64) - 1
        length = self._plain(table, count, length)
        rest = None if values is None else values + 1 - (1 << length)
        return (1 << length) - 1 + self._bits(length, rest)

    def _signs(self, magnitude: IntArray, values: IntArray | None) -> IntArray:
        """Give the non-zero magnitudes their signs."""
        nonzero = magnitude != 0
        negative = None if values is None else (values[nonzero] < 0).astype(np.int64)
        signed = magnitude.copy()
        signed[nonzero] *= 1 - 2 * self._bits(np.ones(int(nonzero.sum()), np.int64), negative)
        return signed

    def _signed(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray:
        """Signed numbers: magnitude in a table, escape for large ones, then the sign."""
        magnitude = None if values is None else np.abs(values)
        coded = self.coder.symbols(
            table, contexts, None if magnitude is None else np.minimum(magnitude, ESCAPE)
        )
        large = coded == ESCAPE
        excess = None if magnitude is None else magnitude[large] - ESCAPE
        coded[large] += self._unbounded("escape", int(large.sum()), excess)
        return self._signs(coded, values)

    def roots(self, values: IntArray | None) -> IntArray:
        """Means of the roots, row by row of antidiagonals, each predicted from three neighbours."""
        rows, columns = self.geometry.grid(SIZES[0])
        grid = np.zeros((rows + 1, columns + 1), np.int64)
        if values is not None:
            grid[1:, 1:] = values
        for diagonal in range(rows + columns - 1):
            y = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
            x = diagonal - y
            left, up, corner = grid[y + 1, x], grid[y, x + 1], grid[y, x]
            left = np.where(x == 0, up, left)
            up = np.where(y == 0, left, up)
            corner = np.where((x == 0) | (y == 0), left, corner)
            low, high = np.minimum(left, up), np.maximum(left, up)
            predicted = np.clip(left + up - corner, low, high)
            residual = None if values is None else values[y, x] - predicted
            magnitude = self._unbounded(
                "root", len(y), None if residual is None else np.abs(residual)
            )
            grid[y + 1, x + 1] = predicted + self._signs(magnitude, residual)
        return grid[1:, 1:]

    def splits(
        self, size: int, nearby: IntArray, rough: IntArray, values: BoolArray | None
    ) -> BoolArray:
        """Split flags, by the split neighbours of the parent and the details of the parent."""
        contexts = nearby * 4 + rough_class(rough)
        flags = None if values is None else values.astype(np.int64)
        return self.coder.symbols(f"split{size}", contexts, flags).astype(bool)

    def details(self, size: int, rough: IntArray, values: IntArray | None) -> IntArray:
        """Haar details (n, 3) of split blocks, by direction and the details of the parent."""
        contexts = detail_context(rough_class(rough))
        flat = None if values is None else values.reshape(-1)
        return self._signed(f"detail{size}", contexts.reshape(-1), flat).reshape(-1, 3)

    def last(
        self, leaves: list[BoolArray], roughness: list[IntArray], values: IntArray | None
    ) -> IntArray:
        """The last diagonal of each leaf, by those of larger leaves around and the details."""
        known = np.zeros(self.geometry.grid(SIZES[-1]), np.int64)
        parts = []
        for size, leaf, rough, part in zip(SIZES, leaves, roughness, _slices(leaves), strict=True):
            span = size // SIZES[-1]
            around = _box_maximum(known).reshape(leaf.shape[0], span, leaf.shape[1], span)
            near = np.minimum((around.max((1, 3))[leaf] + 2) // 3, 5)
            contexts = near * 4 + rough_class(rough[leaf])
            symbols = self.coder.symbols(
                f"last{size}", contexts, None if values is None else values[part]
            )
            symbols = np.minimum(symbols, last_diagonal(size))
            grid = np.zeros(leaf.shape, np.int64)
            grid[leaf] = symbols + 1
            known = np.maximum(known, grid.repeat(span, 0).repeat(span, 1))
            parts.append(symbols)
        return np.concatenate(parts)

    def links(
        self, leaves: list[BoolArray], last: IntArray, n_sources: int, code: PlaneCode | None
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Number of domains, then contrast, isometry and address of each."""
        contrasts, addresses, isometries = np.zeros((3, len(last), n_sources), np.int64)
        for size, leaf, part in zip(SIZES, leaves, _slices(leaves), strict=True):
            y, x = np.argwhere(leaf).T * size
            _, _, rows, columns = self.geometry.pools(size, y, x)
            open_to = rows * columns > 0
            given = None if code is None else (code.contrasts[part][open_to] != 0).sum(1)
            contexts = np.minimum(last[part][open_to], 4)
            count = np.zeros(len(y), np.int64)
            count[open_to] = self.coder.symbols(f"links{size}", contexts, given)
            for k in range(n_sources):
                used = np.flatnonzero(count > k)
                target = used + part.start
                value = None if code is None else code.contrasts[target, k]
                symbol = None if value is None else value + CONTRAST_LEVELS - (value > 0)
                symbol = self._plain(f"contrast{size}", len(used), symbol)
                contrasts[target, k] = symbol - CONTRAST_LEVELS + (symbol >= CONTRAST_LEVELS)
                isometries[target, k] = self._plain(
                    "isometry", len(used), None if code is None else code.isometries[target, k]
                )
                addresses[target, k] = self.coder.uniform(
                    (rows * columns)[used], None if code is None else code.addresses[target, k]
                )
        return contrasts, addresses, isometries

    def coefficients(
        self, leaves: list[BoolArray], last: IntArray, values: IntArray | None
    ) -> IntArray:
        """Cosine coefficients, diagonal by diagonal for all leaves, by what is known around."""
        result = np.zeros((len(last), ORDER + 2, ORDER + 2), np.int64)  # two zero rows in front
        energy = np.zeros(self.geometry.grid(SIZES[-1]))
        slices = _slices(leaves)
        for diagonal in range(1, 2 * ORDER - 1):
            around = _box_sum(energy)
            for size, leaf, part in zip(SIZES, leaves, slices, strict=True):
                coded = part.start + np.flatnonzero(last[part] >= diagonal)
                if not len(coded):
                    continue
                u, v = np.argwhere(DIAGONAL[: min(size, ORDER), : min(size, ORDER)] == diagonal).T
                span = size // SIZES[-1]
                near = around.reshape(leaf.shape[0], span, leaf.shape[1], span).mean((1, 3))[leaf]
                own = np.abs(result[coded])
                magnitude = (
                    2 * (own[:, u + 1, v + 2] + own[:, u + 2, v + 1])
                    + own[:, u + 1, v + 1]
                    + own[:, u, v + 2]
                    + own[:, u + 2, v]
                )
                contexts = _coefficient_context(
                    magnitude, near[coded - part.start], last[coded] == diagonal, diagonal
                )
                given = None if values is None else values[coded][:, u, v].reshape(-1)
                symbols = self._signed(f"magnitude{size}", contexts.reshape(-1), given)
                result[coded[:, None], u + 2, v + 2] = symbols.reshape(len(coded), -1)
            energy = energy + self._energy(leaves, slices, result, diagonal)
        return result[:, 2:, 2:]

    def _energy(
        self, leaves: list[BoolArray], slices: list[slice], result: IntArray, diagonal: int
    ) -> FloatArray:
        """Magnitudes of one diagonal per 4 x 4 pixels, spread over each leaf."""
        total = np.zeros(self.geometry.grid(SIZES[-1]))
        u, v = np.nonzero(np.equal(DIAGONAL, diagonal))
        for size, leaf, part in zip(SIZES, leaves, slices, strict=True):
            span = size // SIZES[-1]
            grid = np.zeros(leaf.shape)
            grid[leaf] = np.abs(result[part][:, u + 2, v + 2]).sum(1) / span**2
            total += grid.repeat(span, 0).repeat(span, 1)
        return total


def _coefficient_context(
    own: IntArray,
    near: FloatArray,
    final: BoolArray,
    diagonal: int,
) -> IntArray:
    """Contexts (n, coefficients) of one diagonal of n leaves."""
    own_class = np.searchsorted([1, 2, 3, 5, 8, 14], own, side="right")
    near_class = np.searchsorted([0.45, 1.8, 4.5, 10.8], near, side="right")
    band = min((diagonal - 1) // 2, N_BAND - 1)
    return ((own_class * N_NEAR + near_class[:, None]) * 2 + final[:, None]) * N_BAND + band


def _box_sum(
    grid: FloatArray,
) -> FloatArray:
    """Sums over 3 x 3 cells."""
    padded = np.pad(grid, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]


def _box_maximum(grid: IntArray) -> IntArray:
    """Largest values over 3 x 3 cells."""
    padded = np.pad(grid, 1, mode="edge")
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
