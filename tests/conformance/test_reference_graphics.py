"""A decoder that follows the text of the format makes the same pixels of graphics layers."""

from dataclasses import replace

import numpy as np
import pytest

import neural_collage as nc
from neural_collage.codec.container import ColourSpace, Header, pack_file
from neural_collage.codec.entropy import SymbolWriter
from neural_collage.codec.graphics import syntax
from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    MIRRORED_COLUMNS,
    MIRRORED_ROWS,
    PAINTED,
)
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import write_layer
from neural_collage.codec.image import CollageImage
from neural_collage.core.copies import IntArray
from neural_collage.errors import CollageFormatError
from neural_collage.io.modes import MODE_OF_CHANNELS
from tests.codec import make_golden
from tests.codec.graphics.layers import random_layer
from tests.conformance.decode import FOLDER
from tests.conformance.make import LAYERED
from tests.conformance.reference_decoder import decode
from tests.conformance.test_reference_decoder import assert_agreement
from tests.pictures import texture


def in_a_file(layer: GraphicsLayer, stream: bytes | None = None) -> bytes:
    """The file of a layer that owns all."""
    mode = MODE_OF_CHANNELS[layer.palette.shape[1]]
    stream = write_layer(layer, 0) if stream is None else stream
    return pack_file(Header(1, layer.width, layer.height, mode, quality=50, graphics=stream), b"")


def assert_equality(data: bytes) -> None:
    """Without a base, all is in integers."""
    expected = np.asarray(CollageImage.from_bytes(data).to_pil())
    np.testing.assert_array_equal(decode(data), expected, strict=True)


def with_noise(layer: GraphicsLayer, rng: np.random.Generator) -> GraphicsLayer:
    """The layer with some of the indices of its painted pixels chosen anew."""
    noisy = (layer.indices >= 0) & (rng.random(layer.indices.shape) < 0.3)
    indices = layer.indices.copy()
    indices[noisy] = rng.integers(0, len(layer.palette), noisy.sum())
    return replace(layer, indices=indices)


SIZES = [(1, 1), (1, 40), (40, 1), (37, 53), (64, 48)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_mode_and_size_is_decoded_alike(
    size: tuple[int, int], channels: int, rng: np.random.Generator
) -> None:
    block = (4, 8, 16)[(SIZES.index(size) + channels) % 3]
    assert_equality(
        in_a_file(random_layer(*size, channels, block, rng, owned=1, n_colours=5 * channels))
    )


@pytest.mark.parametrize(("n_colours", "height"), [(1, 30), (2, 60), (3, 20), (40, 90), (600, 50)])
def test_any_number_of_colours_is_decoded_alike(
    n_colours: int, height: int, rng: np.random.Generator
) -> None:
    layer = random_layer(height, 40, 3, 4, rng, owned=1, n_colours=n_colours)
    assert_equality(in_a_file(with_noise(layer, rng)))


@pytest.mark.parametrize(("size", "square"), [((4, 530), 256), ((270, 7), 256), ((10, 200), 64)])
def test_several_squares_are_decoded_alike(
    size: tuple[int, int],
    square: int,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(syntax, "_SQUARE", square)
    layer = random_layer(*size, 3, 8, rng, owned=1, n_colours=20)
    assert_equality(in_a_file(with_noise(layer, rng)))


@pytest.mark.parametrize(
    ("kind", "line"), [(MIRRORED_ROWS, 40), (MIRRORED_ROWS, 39), (MIRRORED_COLUMNS, 47)]
)
def test_reflections_are_decoded_alike(kind: int, line: int, rng: np.random.Generator) -> None:
    """The part beyond the line, and on it, is the reflection of what is painted."""
    layer = random_layer(40, 48, 1, 4, rng, owned=1)
    modes = np.full_like(layer.modes, PAINTED)
    half = np.s_[(line // 2 + 4) // 4 :]
    modes[half if kind == MIRRORED_ROWS else np.s_[:, half]] = FIRST_COPY
    layer = replace(layer, modes=modes, copies=np.array([[kind, line, 0]]))
    layer = replace(layer, indices=np.where(layer.pixel_modes == PAINTED, random_indices(rng), -1))
    assert_equality(in_a_file(layer))


def random_indices(rng: np.random.Generator) -> IntArray:
    """Of 40 x 48 pixels and nine colours."""
    return rng.integers(0, 9, (10, 12)).repeat(4, 0).repeat(4, 1)


def over_a_base(layer: GraphicsLayer, base_quality: int) -> bytes:
    """The file of a layer over a picture of the fractal codec."""
    channels = layer.palette.shape[1]
    picture = texture(layer.height, layer.width, channels)
    base = nc.encode(picture, codec="fractal", graphics=False, quality=base_quality, effort=2)
    stream = write_layer(layer, base_quality)
    return pack_file(replace(base.header, quality=70, graphics=stream), base.payload)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_layers_over_a_base_are_decoded_alike(channels: int, rng: np.random.Generator) -> None:
    layer = random_layer(50, 61, channels, 8, rng)
    assert (layer.modes == BASE).any()
    assert_agreement(over_a_base(layer, base_quality=20 + channels))


def test_empty_layers_are_decoded_alike() -> None:
    assert_agreement(over_a_base(GraphicsLayer.empty(70, 90, 3), base_quality=35))


@pytest.mark.parametrize("name", [name for name in LAYERED if name != "graphics-neural"])
def test_files_of_the_conformance_set_are_decoded_alike(name: str) -> None:
    data = (FOLDER / f"{name}.clg").read_bytes()
    if CollageImage.from_bytes(data).payload:
        assert_agreement(data)
    else:
        assert_equality(data)


def test_the_golden_layer_is_decoded_alike() -> None:
    """It holds all kinds of ranges and copies."""
    assert_agreement(over_a_base(make_golden.graphics_layer(), make_golden.BASE_QUALITY))


def test_layers_alone_are_decoded_alike_whatever_the_codec(rng: np.random.Generator) -> None:
    layer = random_layer(20, 30, 3, 4, rng, owned=1)
    header = Header(
        2, 30, 20, "RGB", 50, colour_space=ColourSpace.RGB, graphics=write_layer(layer, 0)
    )
    assert_equality(pack_file(header, b""))


def test_damage_is_refused(rng: np.random.Generator) -> None:
    layer = random_layer(16, 16, 3, 4, rng, owned=1)
    stream = write_layer(layer, 0)
    header = Header(1, 16, 16, "RGB", 50, graphics=stream)
    with pytest.raises(ValueError, match="damaged"):
        decode(pack_file(header, b"a payload that nothing shows"))
    with pytest.raises(ValueError, match="damaged"):
        decode(pack_file(replace(header, graphics=b"\x32" + stream[1:]), b""))
    with pytest.raises(ValueError, match="bytes behind its end"):
        decode(pack_file(replace(header, graphics=stream + b"more"), b""))


def test_a_shift_to_the_left_in_a_picture_of_one_column_is_refused() -> None:
    """It would be one of no shifts."""
    writer = SymbolWriter()
    writer.counts = {"kinds": np.array([[256, 32, 32]])}
    # the sides, one copy as two numbers, its kind, no rows up
    writer.uniform(np.array([5, 4, 24, 2]), np.array([0, 0, 1, 0]))
    writer.symbols("kinds", np.zeros(1, np.int64), np.zeros(1, np.int64))
    writer.uniform(np.array([9]), np.array([0]))
    header = Header(1, 1, 9, "RGB", quality=50, graphics=b"\0" + writer.finish())
    data = pack_file(header, b"")
    with pytest.raises(ValueError, match="a choice among nothing"):
        decode(data)
    with pytest.raises(CollageFormatError, match="a picture of one column"):
        CollageImage.from_bytes(data).decode()
