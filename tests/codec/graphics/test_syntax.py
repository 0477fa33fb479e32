"""The stream of a graphics layer: what is written is read, and what is forged is refused."""

import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from neural_collage.codec.entropy import SymbolWriter
from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    MIRRORED_COLUMNS,
    MIRRORED_ROWS,
    PAINTED,
    SHIFT,
)
from neural_collage.codec.graphics.layer import BLOCKS, GraphicsLayer
from neural_collage.codec.graphics.syntax import (
    MAX_COLOURS,
    MAX_COPIES,
    palette_order,
    read_layer,
    write_layer,
)
from neural_collage.errors import CollageFormatError
from tests.codec.graphics.layers import forged_layer, random_layer

SIZES = [(1, 1), (1, 50), (50, 1), (3, 5), (33, 70)]


def assert_same(read: GraphicsLayer, layer: GraphicsLayer) -> None:
    assert (read.height, read.width, read.block) == (layer.height, layer.width, layer.block)
    for name in ("modes", "copies", "palette", "indices"):
        np.testing.assert_array_equal(getattr(read, name), getattr(layer, name), err_msg=name)


def outcome(data: bytes, height: int, width: int, channels: int) -> GraphicsLayer | str:
    """What becomes of a stream: a layer, or the reason of the refusal."""
    try:
        layer, quality = read_layer(data, height, width, channels)
    except CollageFormatError as error:
        return str(error)
    assert 0 <= quality <= 100
    painted = layer.pixel_modes == PAINTED
    assert (layer.indices[painted] >= 0).all()
    assert (layer.indices[~painted] < 0).all()
    assert layer.indices.max(initial=-1) < max(len(layer.palette), 1)
    picture = layer.compose(np.zeros((channels, height, width), np.uint8))
    assert picture.shape == (channels, height, width)
    return layer


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_layer_comes_back(block: int, size: tuple[int, int], rng: np.random.Generator) -> None:
    channels = 1 + (BLOCKS.index(block) + size[0]) % 4  # all of them for every block
    layer = random_layer(*size, channels, block, rng)
    quality = int(rng.integers(1, 101)) if (layer.modes == BASE).any() else 0
    read, base_quality = read_layer(write_layer(layer, quality), *size, channels)
    assert base_quality == quality
    assert_same(read, layer)


def test_the_layers_above_use_all_that_there_is(rng: np.random.Generator) -> None:
    layers = [random_layer(64, 64, 3, block, rng) for block in (4, 8) for _ in range(6)]
    used = {
        int(kind)
        for layer in layers
        for kind in layer.copies[np.unique(layer.modes[layer.modes >= FIRST_COPY]) - FIRST_COPY, 0]
    }
    assert used == {SHIFT, MIRRORED_ROWS, MIRRORED_COLUMNS}
    assert all({BASE, PAINTED} <= set(layer.modes.ravel().tolist()) for layer in layers)


@pytest.mark.parametrize("owned", [0.0, 1.0])
def test_a_layer_may_own_nothing_or_everything(owned: float, rng: np.random.Generator) -> None:
    layer = random_layer(40, 50, 3, 8, rng, owned=owned)
    for quality in (1, 100) if owned == 0 else (0,):
        read, base_quality = read_layer(write_layer(layer, quality), 40, 50, 3)
        assert base_quality == quality
        assert_same(read, layer)
    assert layer.owned_share() == owned


def test_an_empty_layer_takes_a_few_bytes() -> None:
    data = write_layer(GraphicsLayer.empty(3000, 2000, 4), 70)
    assert len(data) < 16
    assert_same(read_layer(data, 3000, 2000, 4)[0], GraphicsLayer.empty(3000, 2000, 4))


def test_what_is_left_to_a_base_needs_one(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="a base has a quality"):
        write_layer(random_layer(30, 30, 3, 8, rng, owned=0.5), 0)


def test_a_base_that_nothing_shows_is_refused(rng: np.random.Generator) -> None:
    data = forged_layer(random_layer(30, 30, 3, 8, rng, owned=1.0), 50)
    assert outcome(data, 30, 30, 3) == "the graphics layer is damaged: nothing is left to its base"


def painted(indices: Iterable[int], width: int, palette: npt.NDArray[np.uint8]) -> GraphicsLayer:
    """A picture that is painted all over, row by row."""
    pixels = np.array(list(indices), np.int64).reshape(-1, width)
    empty = GraphicsLayer.empty(*pixels.shape, palette.shape[1])
    return replace(empty, modes=np.full_like(empty.modes, PAINTED), palette=palette, indices=pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 200])
def test_palettes_come_back_in_their_order(
    count: int, channels: int, rng: np.random.Generator
) -> None:
    colours = np.unique(rng.integers(0, 256, (count, channels), dtype=np.uint8), axis=0)
    colours[0], colours[-1] = 0, 255
    layer = painted(np.arange(200) % len(colours), 20, colours[palette_order(colours)])
    read, _ = read_layer(write_layer(layer, 0), 10, 20, channels)
    assert_same(read, layer)


def test_the_largest_palette_comes_back() -> None:
    numbers = np.arange(MAX_COLOURS)
    colours = np.stack([numbers & 255, numbers >> 8, numbers * 7 & 255], 1).astype(np.uint8)
    layer = painted(numbers // 20_000, MAX_COLOURS, colours[palette_order(colours)])
    assert_same(read_layer(write_layer(layer, 0), 1, MAX_COLOURS, 3)[0], layer)


def test_numbers_beyond_their_limits_are_refused(rng: np.random.Generator) -> None:
    colours = rng.integers(0, 256, (MAX_COLOURS + 1, 3), dtype=np.uint8)
    with pytest.raises(CollageFormatError, match=f"{MAX_COLOURS + 1} is above {MAX_COLOURS}"):
        write_layer(painted(np.arange(MAX_COLOURS + 1), MAX_COLOURS + 1, colours), 0)
    layer = replace(
        GraphicsLayer.empty(8, 8, 1), copies=np.tile([[SHIFT, 0, -1]], (MAX_COPIES + 1, 1))
    )
    with pytest.raises(CollageFormatError, match=f"{MAX_COPIES + 1} is above {MAX_COPIES}"):
        write_layer(layer, 1)
    for extra in (1, 1 << 10):  # a count alone, without what it counts
        writer = SymbolWriter()
        number = MAX_COPIES + 1 + extra
        length = number.bit_length() - 1
        for size, value in ((5, 0), (4, 0), (24, length), (1 << length, number - (1 << length))):
            writer.uniform(np.array([size]), np.array([value]))
        reason = outcome(b"\1" + writer.finish(), 8, 8, 1)
        assert reason == f"the graphics layer is damaged: {number - 1} is above {MAX_COPIES}"


FORGED = {
    "above the picture": ((1, 2), [SHIFT, -9, 0], "repeats pixels outside"),
    "left of the picture": ((0, 0), [SHIFT, 0, -1], "repeats pixels outside"),
    "right of the picture": ((1, 2), [SHIFT, -1, 23], "repeats pixels outside"),
    "beyond the reflected row": ((1, 2), [MIRRORED_ROWS, 7, 0], "repeats pixels outside"),
    "beyond the reflected column": ((1, 2), [MIRRORED_COLUMNS, 46, 0], "repeats pixels outside"),
    "later in its row": ((1, 1), [MIRRORED_COLUMNS, 31, 0], "comes after it"),
    "later in its column": ((0, 1), [MIRRORED_ROWS, 15, 0], "comes after it"),
    "later in the range": ((1, 1), [MIRRORED_COLUMNS, 23, 0], "comes after it"),
    "earlier row, later ones": ((0, 1), [MIRRORED_ROWS, 7, 0], "comes after it"),
}


@pytest.mark.parametrize(("place", "copy", "reason"), FORGED.values(), ids=FORGED)
def test_sources_that_do_not_come_before_are_refused(
    place: tuple[int, int], copy: list[int], reason: str
) -> None:
    """Of one range of 8 x 8 pixels in a picture of 2 x 3 such ranges."""
    modes = np.full((2, 3), BASE)
    modes[place] = FIRST_COPY
    layer = replace(GraphicsLayer.empty(16, 24, 3), block=8, modes=modes, copies=np.array([copy]))
    with pytest.raises(CollageFormatError, match=f"the graphics layer is damaged: .*{reason}"):
        forged_layer(layer, 50)


@pytest.mark.parametrize("kind", [MIRRORED_ROWS, MIRRORED_COLUMNS])
def test_a_pixel_that_repeats_itself_is_refused(kind: int) -> None:
    """The line of a reflection goes through a range of a single row or column."""
    shape = (1, 8) if kind == MIRRORED_ROWS else (8, 1)
    layer = replace(
        GraphicsLayer.empty(*shape, 1),
        modes=np.full((1, 1), FIRST_COPY),
        copies=np.array([[kind, 0, 0]]),
    )
    with pytest.raises(CollageFormatError, match="damaged: a pixel repeats itself"):
        forged_layer(layer, 50)


def test_a_shift_to_the_left_needs_two_columns() -> None:
    writer = SymbolWriter()
    for size, value in ((5, 0), (4, 0), (24, 1), (2, 0)):
        writer.uniform(np.array([size]), np.array([value]))  # one copy
    writer.counts = {"kinds of copies": np.array([[256, 32, 32]])}
    writer.symbols("kinds of copies", np.array([0]), np.array([SHIFT]))
    writer.uniform(np.array([9]), np.array([0]))  # 0 rows up
    reason = outcome(b"\1" + writer.finish(), 9, 1, 3)
    assert reason == (
        "the graphics layer is damaged: a shift to the left in a picture of one column"
    )


def test_more_colours_than_painted_pixels_are_refused(rng: np.random.Generator) -> None:
    layer = random_layer(8, 8, 3, 8, rng, owned=1.0)
    too_many = replace(layer, palette=rng.integers(0, 256, (65, 3), dtype=np.uint8))
    with pytest.raises(CollageFormatError, match="more colours than painted pixels"):
        forged_layer(too_many, 0)
    with pytest.raises(CollageFormatError, match="painted ranges without colours"):
        forged_layer(replace(layer, palette=np.zeros((0, 3), np.uint8)), 0)
    with pytest.raises(CollageFormatError, match="more colours than painted pixels"):
        forged_layer(replace(GraphicsLayer.empty(8, 8, 1), palette=np.zeros((1, 1), np.uint8)), 9)


def test_an_index_beyond_the_palette_is_refused(rng: np.random.Generator) -> None:
    layer = random_layer(16, 16, 3, 8, rng, owned=1.0, n_colours=5)
    beyond = np.where(layer.indices == 4, 7, layer.indices)  # 5 to 7 have as many digits
    with pytest.raises(CollageFormatError, match="an index beyond its 5 symbols"):
        forged_layer(replace(layer, indices=beyond), 0)


def test_a_mode_beyond_the_copies_is_refused() -> None:
    layer = replace(GraphicsLayer.empty(16, 16, 1), block=8, copies=np.array([[SHIFT, -8, 0]]))
    modes = layer.modes.repeat(2, 0).repeat(2, 1)
    modes[1, 1] = FIRST_COPY + 1
    with pytest.raises(CollageFormatError, match="an index beyond its 3 symbols"):
        forged_layer(replace(layer, modes=modes), 1)


@pytest.mark.parametrize("quality", [101, 128, 255])
def test_a_base_of_another_quality_is_refused(quality: int, rng: np.random.Generator) -> None:
    data = bytes([quality]) + write_layer(random_layer(9, 9, 3, 8, rng), 50)[1:]
    assert outcome(data, 9, 9, 3) == f"the graphics layer is damaged: a base of quality {quality}"


def test_without_bytes_there_is_no_layer() -> None:
    assert outcome(b"", 8, 8, 3) == "the stream of the graphics layer is empty"


@pytest.mark.parametrize("extra", [b"\0", bytes(range(1, 9)), bytes(range(1, 40))], ids=len)
def test_bytes_after_the_last_symbol_are_refused(extra: bytes, rng: np.random.Generator) -> None:
    data = write_layer(random_layer(40, 50, 3, 8, rng), 50)
    reason = outcome(data + extra, 40, 50, 3)
    assert reason == "the entropy-coded data is damaged: it is too long"


def test_every_truncation_is_refused_or_a_layer(rng: np.random.Generator) -> None:
    layer = random_layer(16, 24, 2, 8, rng, owned=0.6)
    data = write_layer(layer, 50)
    outcomes = [outcome(data[:length], 16, 24, 2) for length in range(len(data))]
    assert all(isinstance(o, str) and len(o) > 20 for o in outcomes if not _is_layer(o))
    assert sum(_is_layer(o) for o in outcomes) < len(outcomes)
    whole = outcome(data, 16, 24, 2)
    assert isinstance(whole, GraphicsLayer)
    assert_same(whole, layer)


def test_flipped_bits_are_refused_or_a_layer(rng: np.random.Generator) -> None:
    layer = random_layer(16, 24, 4, 4, rng, owned=0.7)
    data = write_layer(layer, 50)
    refused = 0
    for bit in rng.permutation(8 * len(data))[:50]:
        mutant = bytearray(data)
        mutant[bit >> 3] ^= 1 << (bit & 7)
        result = outcome(bytes(mutant), 16, 24, 4)
        refused += isinstance(result, str)
        if isinstance(result, GraphicsLayer) and bit >= 8:
            fields = ("modes", "copies", "palette", "indices")
            assert result.block != layer.block or any(
                not np.array_equal(getattr(result, name), getattr(layer, name)) for name in fields
            )
    assert refused


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (200, 300)], ids=str)
def test_noise_is_refused_or_a_layer_within_a_time_of_the_pixels(
    size: tuple[int, int], rng: np.random.Generator
) -> None:
    for number, length in enumerate((1, 2, 3, 9, 30, 300, 3000)):
        data = bytes([50 * (number % 2)]) + rng.bytes(length)
        started = time.process_time()
        outcome(data, *size, 3)
        pixels = size[0] * size[1]
        assert time.process_time() - started < 1 + 2e-4 * pixels


def _is_layer(result: GraphicsLayer | str) -> bool:
    return isinstance(result, GraphicsLayer)
