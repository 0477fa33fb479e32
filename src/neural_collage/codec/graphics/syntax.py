"""The stream of a graphics layer: its integers and their order.

    1  quality of the base, 0 if the layer owns all
    n  range-coded: the sides of ranges and of the squares of `index_map`, the copies, the palette,
       the map of modes, the map of indices of the palette

A map of a single symbol takes no bits. Numbers n are coded as the bit length of n + 1 (uniform
below 24) and the bits below the highest (uniform).
"""

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    MIRRORED_COLUMNS,
    MIRRORED_ROWS,
    PAINTED,
    SHIFT,
    Positions,
    check_copies,
    copied_from,
    spread,
)
from neural_collage.codec.graphics.index_map import UNKNOWN, BitCoder, code_index_map
from neural_collage.codec.graphics.layer import BLOCKS, GraphicsLayer, IndexArray
from neural_collage.core.copies import BoolArray, IntArray
from neural_collage.errors import CollageFormatError

_SQUARES = (64, 128, 256, 512)
_SQUARE = 256
"""What is written."""
MAX_COLOURS = 1 << 16
MAX_COPIES = 1 << 12
_NUMBER_LENGTHS = 24
_CLASSES = 11  # bit lengths of differences of colours after folding signs
_KINDS, _DIFFERENCES = "kinds of copies", "colour differences"
_FIRST_COUNT, _ZERO_COUNT = 32, 256


@runtime_checkable
class LayerCoder(BitCoder, Protocol):
    """The coder of a stream: `entropy.SymbolWriter` or `entropy.SymbolReader`."""

    counts: dict[str, IntArray]

    def symbols(self, table: str, contexts: IntArray, values: IntArray | None) -> IntArray: ...

    def uniform(self, sizes: IntArray, values: IntArray | None) -> IntArray: ...


def write_layer(layer: GraphicsLayer, base_quality: int) -> bytes:
    """The stream of a layer.

    base_quality: 1..100; 0 if no range is left to the base.

    Raises ValueError if it is 0 and some are, or the reverse.
    """
    if bool(base_quality) != bool((layer.modes == BASE).any()):
        raise ValueError("a base has a quality if ranges are left to it, and only then")
    writer = SymbolWriter()
    code_layer(writer, layer.height, layer.width, len(layer.palette.T), not base_quality, layer)
    return bytes([base_quality]) + writer.finish()


def read_layer(data: bytes, height: int, width: int, channels: int) -> tuple[GraphicsLayer, int]:
    """The layer of a stream, and the quality of its base, 0 if it owns all.

    Raises:
        CollageFormatError: damaged, or forged.
    """
    if not data:
        raise CollageFormatError("the stream of the graphics layer is empty")
    if data[0] > 100:
        raise _damaged(f"a base of quality {data[0]}")
    reader = SymbolReader(data[1:])
    layer = code_layer(reader, height, width, channels, not data[0], None)
    reader.finish()
    if data[0] and not (layer.modes == BASE).any():
        raise _damaged("nothing is left to its base")
    return layer, data[0]


def code_layer(
    coder: LayerCoder,
    height: int,
    width: int,
    channels: int,
    owns_all: bool,
    layer: GraphicsLayer | None,
) -> GraphicsLayer:
    """Code a layer; None to read it. Raises CollageFormatError as `read_layer` does."""
    size = None if layer is None else _one(BLOCKS.index(layer.block))
    block = BLOCKS[int(coder.uniform(_one(len(BLOCKS)), size)[0])]
    side = None if layer is None else _one(_SQUARES.index(_SQUARE))
    square = _SQUARES[int(coder.uniform(_one(len(_SQUARES)), side)[0])]
    copies = _copies(coder, height, width, None if layer is None else layer.copies)
    palette = _palette(coder, channels, None if layer is None else layer.palette)
    rows, columns = -(-height // block), -(-width // block)
    lowest = PAINTED if owns_all else BASE
    modes = lowest + _map(
        coder,
        np.arange(rows * columns).reshape(rows, columns),
        np.ones((rows, columns), bool),
        FIRST_COPY + len(copies) - lowest,
        square,
        None if layer is None else layer.modes - lowest,
    )
    try:
        check_copies(modes, copies, block, height, width)
    except ValueError as error:
        raise _damaged(str(error)) from error
    painted = spread(modes == PAINTED, block, height, width)
    if len(palette) > painted.sum():
        raise _damaged("more colours than painted pixels")
    if painted.any() and not len(palette):
        raise _damaged("painted ranges without colours")
    indices: IndexArray
    if len(palette) < 2:
        indices = painted.view(np.int8) - np.int8(1)  # 0 or UNKNOWN
    else:
        sources = copied_from(modes, copies, block, height, width)
        given = None if layer is None else layer.indices
        indices = _map(coder, sources, painted, len(palette), square, given)
    return GraphicsLayer(height, width, block, modes, copies, palette, indices)


def _damaged(reason: str) -> CollageFormatError:
    return CollageFormatError(f"the graphics layer is damaged: {reason}")


def _map(
    coder: BitCoder,
    sources: Positions,
    is_coded: BoolArray,
    n_symbols: int,
    square: int,
    indices: IndexArray | None,
) -> IntArray:
    if n_symbols < 2:
        return np.where(is_coded, 0, UNKNOWN)
    values = code_index_map(coder, sources, is_coded, n_symbols, square, indices)
    if values.max(initial=0) >= n_symbols:
        raise _damaged(f"an index beyond its {n_symbols} symbols")
    return values


def _one(value: int) -> IntArray:
    return np.array([value], np.int64)


def _number(coder: LayerCoder, value: int | None, limit: int) -> int:
    """A whole number, at most `limit`."""
    length = rest = None
    if value is not None:
        length = _one((value + 1).bit_length() - 1)
        rest = _one(value + 1) - (1 << length)
    length = coder.uniform(_one(_NUMBER_LENGTHS), length)
    number = int(((1 << length) + coder.uniform(1 << length, rest))[0]) - 1
    if number > limit:
        raise _damaged(f"{number} is above {limit}")
    return number


def _copies(coder: LayerCoder, height: int, width: int, copies: IntArray | None) -> IntArray:
    """Kinds, then the lines of reflections, then rows and columns of shifts."""
    count = _number(coder, None if copies is None else len(copies), MAX_COPIES)
    result = np.zeros((count, 3), np.int64)
    given = None if copies is None else copies.T
    coder.counts = {_KINDS: np.array([[8 * _FIRST_COUNT, _FIRST_COUNT, _FIRST_COUNT]])}
    kinds = coder.symbols(_KINDS, np.zeros(count, np.int64), None if given is None else given[0])
    result[:, 0] = kinds
    for kind, side in ((MIRRORED_ROWS, height), (MIRRORED_COLUMNS, width)):
        which = kinds == kind
        lines = None if given is None else given[1, which]
        result[which, 1] = coder.uniform(np.full(which.sum(), 2 * side - 1), lines)
    which = kinds == SHIFT
    up = coder.uniform(np.full(which.sum(), height), None if given is None else -given[1, which])
    # in the same row -1, -2 ..., else from width - 1 down
    first = np.where(up == 0, -1, width - 1)
    columns = np.where(up == 0, width - 1, 2 * width - 1)
    if columns.min(initial=1) < 1:
        raise _damaged("a shift to the left in a picture of one column")
    across = coder.uniform(columns, None if given is None else first - given[2, which])
    result[which, 1], result[which, 2] = -up, first - across
    return result


def palette_order(palette: npt.NDArray[np.uint8]) -> IntArray:
    """The order of colours by alpha, luma and all channels, in which indices number them."""
    channels = palette.astype(np.int64).T
    keys = [*channels]
    if len(channels) >= 3:
        keys.append((np.array([[299], [587], [114]]) * channels[:3]).sum(0))
    if len(channels) in (2, 4):
        keys.append(channels[-1])
    return np.lexsort(keys)


def _palette(
    coder: LayerCoder, channels: int, palette: npt.NDArray[np.uint8] | None
) -> npt.NDArray[np.uint8]:
    """The colours in rising order of their channels, as differences to the colour before.

    A colour channel but the first is taken relative to the one before it.
    """
    given = None
    if palette is not None:
        given = palette[np.lexsort(palette.T[::-1])].astype(np.int64)
    count = _number(coder, None if given is None else len(given), MAX_COLOURS)
    counts = np.full((2 * channels, _CLASSES), _FIRST_COUNT, np.int64)
    counts[:, 0] = _ZERO_COUNT
    coder.counts = {_DIFFERENCES: counts}
    colours = np.zeros((count, channels), np.int64)
    moved = np.zeros(count, np.int64)  # whether an earlier channel differs from the colour before
    for channel in range(channels):
        is_alpha = channel == channels - 1 and channels in (2, 4)
        related = np.zeros_like(moved) if channel == 0 or is_alpha else colours[:, channel - 1]
        steps = None if given is None else np.diff(given[:, channel] - related, prepend=0)
        steps = _differences(coder, 2 * channel + moved, steps)
        colours[:, channel] = np.cumsum(steps) + related
        moved = np.where(np.diff(colours[:, channel], prepend=0) != 0, 1, moved)
    if count and (colours.min() < 0 or colours.max() > 255):
        raise _damaged("a colour outside of 0..255")
    result = colours.astype(np.uint8)
    return result[palette_order(result)]


def _differences(coder: LayerCoder, contexts: IntArray, values: IntArray | None) -> IntArray:
    """Whole numbers of either sign: the bit length after folding the sign, then the lower bits."""
    lengths = rest = None
    if values is not None:
        folded = np.where(values < 0, -2 * values - 1, 2 * values)
        lengths = np.frexp(folded.astype(np.float64))[1].astype(np.int64)
        rest = folded - _lowest(lengths)
    lengths = coder.symbols(_DIFFERENCES, contexts, lengths)
    low = _lowest(lengths)
    folded = low + coder.uniform(np.maximum(low, 1), rest)
    return np.where(folded % 2, -(folded + 1) // 2, folded // 2)


def _lowest(lengths: IntArray) -> IntArray:
    """The lowest number of each bit length."""
    return (1 << lengths) >> 1
