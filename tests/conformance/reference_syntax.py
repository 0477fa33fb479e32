"""What the reference decoder reads of a plane: the integers of its ranges, and their means."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tests.conformance.reference_entropy import Ints, SymbolDecoder

Floats = npt.NDArray[np.float64]


class Ranges(NamedTuple):
    """The leaves of the quadtree, largest first, those of one size in raster order."""

    level: Ints  # 0 to 3 for 32 to 4 pixels
    size: Ints
    corner: Ints  # (y and x, ranges)
    rough: Ints  # class of the details of the parent
    mean: Floats  # in steps
    owner: Ints  # (rows, columns): which range covers each cell of 4 x 4 pixels


class Plane(NamedTuple):
    """All that the stream says of a plane."""

    ranges: Ranges
    coefficients: Ints  # (ranges, 8, 8), in steps
    domains: Ints  # (domains, 4, ranges): index of the contrast, isometry, y and x of the corner


def enlarge(grids: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    """Grids (..., rows, columns) with every entry repeated."""
    return grids.repeat(factor, -2).repeat(factor, -1)


def around(grid: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(3, 3, rows, columns): each entry and its neighbours, the edges repeated."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(grid, 1, "edge"), grid.shape)


def averages(grid: Floats, owner: Ints) -> Floats:
    """The average over each range of a grid that says what belongs to which."""
    counts, sums = np.bincount(owner.ravel()), np.bincount(owner.ravel(), grid.ravel())
    result: Floats = sums / counts
    return result


def read_plane(
    decoder: SymbolDecoder, height: int, width: int, lattice: int, most: int, wide: bool
) -> Plane:
    """A plane of so many pixels, with domains on a lattice, so many a range at most.

    wide: whether contrasts may be.
    """
    roots = read_roots(decoder, -(-height // 32), -(-width // 32))
    ranges = read_ranges(decoder, roots)
    last = read_last(decoder, ranges)
    domains = read_domains(decoder, ranges, last, lattice, most, wide)
    return Plane(ranges, read_coefficients(decoder, ranges, last), domains)


def read_roots(decoder: SymbolDecoder, rows: int, columns: int) -> Ints:
    """The means of the roots, in steps, times 32."""
    residuals = decoder.signs(decoder.unbounded("root", rows * columns))
    roots = np.zeros((rows, columns), np.int64)
    for (y, x), residual in zip(np.ndindex(rows, columns), residuals, strict=True):
        left = roots[y, x - 1] if x else roots[y - 1, x] if y else 0
        up = roots[y - 1, x] if y else left
        corner = roots[y - 1, x - 1] if x and y else left
        roots[y, x] = residual + sorted((left, up, left + up - corner))[1]
    return roots


def read_ranges(decoder: SymbolDecoder, roots: Ints) -> Ranges:
    """The quadtree with its means."""
    sums, exists = roots.astype(np.float64), np.ones(roots.shape, bool)
    near, rough = np.zeros((2, *roots.shape), np.int64)
    cells: Ints = np.arange(64 * roots.size).reshape(enlarge(roots, 8).shape)
    covering = np.zeros((4, *cells.shape))  # order, level, class and mean of what covers a cell
    for level, n in enumerate((8, 4, 2, 1)):  # the size in cells
        order = level * cells.size + cells[::n, ::n]
        block = np.stack((order, np.full_like(order, level), rough, sums / (4 * n)))
        covering = np.where(enlarge(exists, n), enlarge(block, n), covering)
        if level == 3:
            break
        split, details = np.zeros(exists.shape, bool), np.zeros((*exists.shape, 3))
        contexts = (level * 5 + near) * 4 + rough
        split[exists] = decoder.adaptive("split", contexts[exists])
        contexts = (level * 2 + np.array([0, 0, 1])) * 4 + rough[split, None]
        details[split] = decoder.signed("detail", contexts.ravel()).reshape(-1, 3)
        beside = around(sums)
        h = details[..., 0] + (beside[1, 0] - beside[1, 2]) / 8
        v = details[..., 1] + (beside[0, 1] - beside[2, 1]) / 8
        s, h, v, d = enlarge(np.stack((sums, h, v, details[..., 2])), 2)
        down, right = 1 - np.indices(s.shape) % 2 * 2  # 1 for the first of two, -1 for the second
        sums = (s + right * h + down * v + down * right * d) / 2
        exists = enlarge(split, 2)
        near = enlarge(around(split)[[0, 1, 1, 2], [1, 0, 2, 1]].sum(0), 2)
        rough = enlarge(np.digitize(np.abs(details).sum(2), [1, 2, 4]), 2)
    _, first, owner = np.unique(covering[0], return_index=True, return_inverse=True)
    levels, classes = covering[1:3].reshape(2, -1)[:, first].astype(np.int64)
    corner = 4 * np.array((first // cells.shape[1], first % cells.shape[1]))
    mean = covering[3].ravel()[first]
    return Ranges(levels, 32 >> levels, corner, classes, mean, owner.reshape(cells.shape))


def read_last(decoder: SymbolDecoder, ranges: Ranges) -> Ints:
    """The last diagonal of the coefficients of each range."""
    last = np.zeros_like(ranges.level)
    for level, highest in enumerate((14, 14, 14, 6)):
        known = np.where(ranges.level < level, last + 1, 0)[ranges.owner]
        near = np.zeros_like(last)
        np.maximum.at(near, ranges.owner, around(known).max((0, 1)))
        contexts = (level * 6 + np.minimum((near + 2) // 3, 5)) * 4 + ranges.rough
        part = ranges.level == level
        last[part] = np.minimum(decoder.adaptive("last", contexts[part]), highest)
    return last


def read_domains(
    decoder: SymbolDecoder, ranges: Ranges, last: Ints, lattice: int, most: int, wide: bool
) -> Ints:
    """The domains of each range, see `Plane`; the contrast is 0 where there is none."""
    pools = []
    for corner, cells in zip(ranges.corner, ranges.owner.shape, strict=True):
        end = (4 * cells - (3 if lattice == 12 else 2) * ranges.size) // lattice * lattice
        side = 256 // lattice * lattice
        start = corner // 256 * 256 // lattice * lattice
        start = np.maximum(np.minimum(start, end - side + lattice), 0)
        steps = (np.minimum(start + side - lattice, end) - start) // lattice
        pools.append((start, np.maximum(steps + 1, 0)))
    (top, rows), (left, columns) = pools
    choices, number = rows * columns, np.zeros_like(last)
    contexts = ranges.level * 5 + np.minimum(last, 4)
    number[choices > 0] = decoder.adaptive("links", contexts[choices > 0])
    domains = np.zeros((most, 4, len(last)), np.int64)
    for k in range(most):
        used = number > k
        contrast = decoder.adaptive("contrast", ranges.level[used]) - 7
        contrast += contrast >= 0
        if wide:
            largest = np.abs(contrast) == 7
            excess = decoder.adaptive("excess", ranges.level[used][largest])
            contrast[largest] += np.sign(contrast[largest]) * excess
        isometry = decoder.adaptive("isometry", np.zeros_like(contrast))
        address = np.array([decoder.uniform(n) for n in choices[used].tolist()], np.int64)
        y = top[used] + address // columns[used] * lattice
        x = left[used] + address % columns[used] * lattice
        domains[k][:, used] = contrast, isometry, y, x
    return domains


def read_coefficients(decoder: SymbolDecoder, ranges: Ranges, last: Ints) -> Ints:
    """The cosine coefficients, diagonal by diagonal."""
    values = np.zeros((len(last), 10, 10), np.int64)  # two rows and columns of zeros in front
    energy = np.zeros(ranges.owner.shape)
    for diagonal in range(1, int(last.max()) + 1):
        coded = np.flatnonzero(last >= diagonal)
        u = np.arange(max(0, diagonal - 7), min(7, diagonal) + 1)
        v = diagonal - u
        a = np.abs(values[coded])
        own = 2 * (a[:, u + 1, v + 2] + a[:, u + 2, v + 1])
        own += a[:, u + 1, v + 1] + a[:, u, v + 2] + a[:, u + 2, v]
        near = averages(around(energy).sum((0, 1)), ranges.owner)[coded] * 4096
        contexts = ranges.level[coded, None] * 7 + np.digitize(own, [1, 2, 3, 5, 8, 14])
        contexts = contexts * 5 + np.digitize(near, [1843, 7372, 18432, 44236])[:, None]
        contexts = contexts * 2 + (last[coded, None] == diagonal)
        contexts = contexts * 4 + min((diagonal - 1) // 2, 3)
        exists = np.maximum(u, v) < ranges.size[coded, None]
        new = np.zeros_like(own)
        new[exists] = decoder.signed("magnitude", contexts[exists])
        values[coded[:, None], u + 2, v + 2] = new
        density = np.abs(values[:, u + 2, v + 2]).sum(1) / (ranges.size // 4) ** 2
        energy += density[ranges.owner]
    return values[:, 2:, 2:]
