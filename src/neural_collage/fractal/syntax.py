"""The order in which the integers of a plane are coded, and the context of each.

One function, `code_plane`, serves writing, reading and counting: all coders receive the same
sequence of calls. Each call codes many symbols in one vector operation, with contexts computed only
from symbols of earlier calls.
"""

import numpy as np

from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.contexts import (
    CELL_UNIT,
    Leaves,
    Tree,
    box_maximum,
    box_sum,
    coefficient_context,
    detail_context,
    last_context,
    median_edge,
    n_domains_context,
    rough_class,
    split_context,
    split_neighbours,
)
from neural_collage.fractal.geometry import (
    DIAGONAL,
    MAX_CONTRAST,
    ORDER,
    SIZES,
    IntArray,
    PlaneGeometry,
    last_diagonal,
)
from neural_collage.fractal.symbols import IntegerCoder, SymbolCoder


def code_plane(
    coder: SymbolCoder, geometry: PlaneGeometry, domains_per_range: int, code: PlaneCode | None
) -> PlaneCode:
    """Pass all integers of a plane to the coder; returns the plane that was coded or read.

    code: the plane to write or count; None to read.
    """
    integers = IntegerCoder(coder)
    roots = _roots(integers, geometry, None if code is None else code.roots)
    tree = _tree(integers, roots, code)
    leaves = Leaves.of(geometry, tree)
    last = _last(integers, leaves, None if code is None else code.last)
    contrasts, addresses, isometries = _domains(integers, leaves, last, domains_per_range, code)
    coefficients = _coefficients(
        integers, leaves, last, None if code is None else code.coefficients
    )
    return PlaneCode(
        geometry,
        tuple(tree.splits),
        roots,
        tuple(tree.details),
        last,
        coefficients,
        contrasts,
        addresses,
        isometries,
    )


def _roots(integers: IntegerCoder, geometry: PlaneGeometry, values: IntArray | None) -> IntArray:
    """Means of the roots, each predicted from its left, upper and upper left neighbours."""
    rows, columns = geometry.grid(SIZES[0])
    given = None
    if values is not None:
        y, x = np.divmod(np.arange(rows * columns), columns)
        given = values[y, x] - median_edge(values, y, x)
    magnitude = integers.unbounded("root", rows * columns, None if given is None else np.abs(given))
    residual = integers.signs(magnitude, given).reshape(rows, columns)
    roots = np.zeros((rows, columns), np.int64)
    for diagonal in range(rows + columns - 1):  # left and upper neighbours lie on earlier diagonals
        y = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        x = diagonal - y
        roots[y, x] = residual[y, x] + median_edge(roots, y, x)
    return roots


def _tree(integers: IntegerCoder, roots: IntArray, code: PlaneCode | None) -> Tree:
    """Split flags and details, size by size."""
    tree = Tree([], [], [], [])
    active = np.ones(roots.shape, bool)
    rough = np.zeros(roots.shape, np.int64)
    nearby = np.zeros(roots.shape, np.int64)
    for depth in range(len(SIZES) - 1):
        contexts = split_context(depth, nearby[active], rough[active])
        flags = None if code is None else code.splits[depth][active].astype(np.int64)
        split = np.zeros(active.shape, bool)
        split[active] = integers.coder.symbols("split", contexts, flags) != 0
        contexts = detail_context(depth, rough[split]).reshape(-1)
        given = None if code is None else code.details[depth].reshape(-1)
        detail = integers.signed("detail", contexts, given).reshape(-1, 3)
        tree.splits.append(split)
        tree.details.append(detail)
        tree.leaves.append(active & ~split)
        tree.roughness.append(rough)
        nearby = split_neighbours(split).repeat(2, 0).repeat(2, 1)
        total = np.zeros(active.shape, np.int64)
        total[split] = np.abs(detail).sum(1)
        rough = rough_class(total).repeat(2, 0).repeat(2, 1)
        active = split.repeat(2, 0).repeat(2, 1)
    tree.leaves.append(active)
    tree.roughness.append(rough)
    return tree


def _last(integers: IntegerCoder, leaves: Leaves, values: IntArray | None) -> IntArray:
    """The last diagonal of each leaf, with contexts of larger leaves nearby, and roughness."""
    coded = np.zeros(leaves.leaf_map.shape, np.int64)  # last diagonals plus one, cell by cell
    last = np.zeros(len(leaves), np.int64)
    for depth, size in enumerate(SIZES):
        part = np.flatnonzero(leaves.depth == depth)
        span = size // SIZES[-1]
        rows, columns = leaves.geometry.grid(size)
        nearby = box_maximum(coded).reshape(rows, span, columns, span).max((1, 3))
        near = nearby[leaves.top[part] // span, leaves.left[part] // span]
        contexts = last_context(depth, near, leaves.rough[part])
        symbols = integers.coder.symbols("last", contexts, None if values is None else values[part])
        last[part] = np.minimum(symbols, last_diagonal(size))
        coded = np.where(leaves.depth[leaves.leaf_map] <= depth, last[leaves.leaf_map] + 1, 0)
    return last


def _domains(
    integers: IntegerCoder,
    leaves: Leaves,
    last: IntArray,
    domains_per_range: int,
    code: PlaneCode | None,
) -> tuple[IntArray, IntArray, IntArray]:
    """Number of domains of each leaf; then contrast, isometry and address of each domain."""
    contrasts, addresses, isometries = np.zeros((3, len(leaves), domains_per_range), np.int64)
    pool_sizes = np.zeros(len(leaves), np.int64)
    for depth, size in enumerate(SIZES):
        part = np.flatnonzero(leaves.depth == depth)
        _, _, rows, columns = leaves.geometry.pools(size, *leaves.corners(part))
        pool_sizes[part] = rows * columns
    matchable = np.flatnonzero(pool_sizes)
    contexts = n_domains_context(leaves.depth[matchable], last[matchable])
    given = None if code is None else (code.contrasts[matchable] != 0).sum(1)
    count = np.zeros(len(leaves), np.int64)
    count[matchable] = integers.coder.symbols("links", contexts, given)
    for k in range(domains_per_range):
        used = np.flatnonzero(count > k)
        value = None if code is None else code.contrasts[used, k].clip(-MAX_CONTRAST, MAX_CONTRAST)
        symbol = None if value is None else value + MAX_CONTRAST - (value > 0)
        symbol = integers.coder.symbols("contrast", leaves.depth[used], symbol)
        contrasts[used, k] = symbol - MAX_CONTRAST + (symbol >= MAX_CONTRAST)
        if leaves.geometry.wide:
            largest = used[np.abs(contrasts[used, k]) == MAX_CONTRAST]
            given = None if code is None else np.abs(code.contrasts[largest, k]) - MAX_CONTRAST
            excess = integers.coder.symbols("excess", leaves.depth[largest], given)
            contrasts[largest, k] += np.sign(contrasts[largest, k]) * excess
        given = None if code is None else code.isometries[used, k]
        isometries[used, k] = integers.coder.symbols("isometry", np.zeros_like(used), given)
        given = None if code is None else code.addresses[used, k]
        addresses[used, k] = integers.coder.uniform(pool_sizes[used], given)
    return contrasts, addresses, isometries


def _coefficients(
    integers: IntegerCoder, leaves: Leaves, last: IntArray, values: IntArray | None
) -> IntArray:
    """Cosine coefficients, diagonal by diagonal for all leaves, with contexts of earlier ones."""
    result = np.zeros((len(leaves), ORDER + 2, ORDER + 2), np.int64)  # two zero rows in front
    order = np.minimum(np.array(SIZES), ORDER)[leaves.depth]
    energy = np.zeros(leaves.leaf_map.shape, np.int64)  # CELL_UNIT per unit of magnitude and cell
    for diagonal in range(1, int(last.max()) + 1):
        coded = np.flatnonzero(last >= diagonal)
        near = leaves.means(box_sum(energy))[coded]
        u, v = np.nonzero(np.equal(DIAGONAL, diagonal))
        own = np.abs(result[coded])
        magnitude = (
            2 * (own[:, u + 1, v + 2] + own[:, u + 2, v + 1])
            + own[:, u + 1, v + 1]
            + own[:, u, v + 2]
            + own[:, u + 2, v]
        )
        contexts = coefficient_context(
            leaves.depth[coded], magnitude, near, last[coded] == diagonal, diagonal
        )
        exists = np.maximum(u, v) < order[coded, None]
        given = None if values is None else values[coded[:, None], u, v][exists]
        symbols = np.zeros(exists.shape, np.int64)
        symbols[exists] = integers.signed("magnitude", contexts[exists], given)
        result[coded[:, None], u + 2, v + 2] = symbols
        density = np.zeros(len(leaves), np.int64)
        density[coded] = np.abs(symbols).sum(1) * (CELL_UNIT // leaves.span[coded] ** 2)
        energy += density[leaves.leaf_map]
    return result[:, 2:, 2:]
