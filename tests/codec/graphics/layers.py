"""Random maps and layers, and streams that are written and read again."""

from dataclasses import replace

import numpy as np

from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    MIRRORED_COLUMNS,
    MIRRORED_ROWS,
    PAINTED,
    SHIFT,
)
from neural_collage.codec.graphics.index_map import UNKNOWN, code_index_map
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import code_layer, palette_order
from neural_collage.core.copies import BoolArray, IntArray, roots


def write_map(
    sources: IntArray,
    is_coded: BoolArray,
    n_symbols: int,
    square: int,
    indices: IntArray,
) -> bytes:
    """The stream of a map of indices."""
    writer = SymbolWriter()
    code_index_map(writer, sources, is_coded, n_symbols, square, indices)
    return writer.finish()


def read_map(
    data: bytes, sources: IntArray, is_coded: BoolArray, n_symbols: int, square: int
) -> IntArray:
    """The map of a stream that ends where it should."""
    reader = SymbolReader(data)
    values = code_index_map(reader, sources, is_coded, n_symbols, square, None)
    reader.finish()
    return values


def own(shape: tuple[int, int]) -> IntArray:
    """The sources of a map without copies."""
    return np.arange(shape[0] * shape[1]).reshape(shape)


def random_map(
    shape: tuple[int, int], n_symbols: int, rng: np.random.Generator
) -> tuple[IntArray, BoolArray, IntArray]:
    """Sources, which indices are coded, and the indices: patches, lines and noise.

    Copies repeat any earlier pixel, coded or not.
    """
    count = shape[0] * shape[1]
    is_coded = rng.random(count) < 0.7
    sources = np.arange(count)
    copied = ~is_coded & (rng.random(count) < 0.6) & (sources > 0)
    sources[copied] = rng.integers(0, sources[copied])
    y, x = np.divmod(np.arange(count), shape[1])
    indices = (y // 3 * 5 + x // 4 * (y % 3)) % n_symbols
    noisy = rng.random(count) < 0.2
    indices[noisy] = rng.integers(0, n_symbols, noisy.sum())
    indices = np.where(is_coded, indices, UNKNOWN)
    return roots(sources).reshape(shape), is_coded.reshape(shape), indices.reshape(shape)


def any_copy(height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """A shift or a reflection that may fit somewhere."""
    kind = int(rng.choice([SHIFT, SHIFT, MIRRORED_ROWS, MIRRORED_COLUMNS]))
    if kind == SHIFT:
        up = int(rng.integers(0, min(height, 30)))
        if not up and width == 1:
            return MIRRORED_ROWS, 0, 0
        reach = min(width - 1, 30)
        across = int(rng.integers(-reach, reach + 1)) if up else -int(rng.integers(1, reach + 1))
        return SHIFT, -up, across
    return kind, int(rng.integers(0, 2 * (height if kind == MIRRORED_ROWS else width) - 1)), 0


def fits(copy: tuple[int, int, int], rows: range, columns: range, width: int) -> bool:
    """Whether all pixels of a range have earlier sources in the picture by a copy."""
    for y in rows:
        for x in columns:
            i, j = source_of(copy, y, x)
            if i < 0 or not 0 <= j < width or (i, j) >= (y, x):
                return False
    return True


def source_of(copy: tuple[int, int, int], y: int, x: int) -> tuple[int, int]:
    """The pixel that pixel (y, x) repeats."""
    kind, a, b = copy
    return {SHIFT: (y + a, x + b), MIRRORED_ROWS: (a - y, x), MIRRORED_COLUMNS: (y, a - x)}[kind]


def random_layer(
    height: int,
    width: int,
    channels: int,
    block: int,
    rng: np.random.Generator,
    *,
    owned: float = 0.7,
    n_colours: int = 9,
) -> GraphicsLayer:
    """A layer of shifts, reflections and painted ranges.

    owned: share of ranges. n_colours: at most, of its palette.
    """
    tried = [any_copy(height, width, rng) for _ in range(12)]
    rows, columns = -(-height // block), -(-width // block)
    modes = np.where(rng.random((rows, columns)) < owned, PAINTED, BASE)
    for row, column in np.argwhere(modes == PAINTED):
        y = range(row * block, min((row + 1) * block, height))
        x = range(column * block, min((column + 1) * block, width))
        fitting = [n for n, copy in enumerate(tried) if fits(copy, y, x, width)]
        if fitting and rng.random() < 0.6:
            modes[row, column] = FIRST_COPY + rng.choice(fitting)
    layer = replace(
        GraphicsLayer.empty(height, width, channels),
        block=block,
        modes=modes,
        copies=np.array(tried, np.int64),
    )
    painted = layer.pixel_modes == PAINTED
    n_colours = min(n_colours, int(painted.sum()))
    palette = rng.integers(0, 256, (n_colours, channels), dtype=np.uint8)
    y, x = np.mgrid[:height, :width]
    indices = np.where(painted, (y // 2 + x // 3) % max(n_colours, 1), UNKNOWN)
    return replace(layer, palette=palette[palette_order(palette)], indices=indices)


def forged_layer(layer: GraphicsLayer, base_quality: int) -> bytes:
    """The stream of a layer that need not be valid, as `syntax.write_layer` would write it."""
    writer = SymbolWriter()
    channels = layer.palette.shape[1]
    code_layer(writer, layer.height, layer.width, channels, not base_quality, layer)
    return bytes([base_quality]) + writer.finish()
