"""A decoder that follows the text of the format makes the same pixels of neural files."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

import neural_collage as nc
from neural_collage.codec.container import ColourSpace, Header, ModelId, pack_file
from neural_collage.codec.entropy import SymbolWriter
from neural_collage.codec.image import CollageImage
from neural_collage.codec.streams.neural import SEGMENTED, decoder_of
from neural_collage.codec.streams.neural_symbols import ChosenSymbols, Run, write_runs
from neural_collage.codec.streams.tiles import Grid
from neural_collage.codec.varints import varint
from neural_collage.codec.weights import shipped_weights
from neural_collage.io.modes import MODE_OF_CHANNELS
from tests.codec import make_golden
from tests.codec.streams.neural import with_links
from tests.conformance.decode import FOLDER
from tests.conformance.make import NAMES
from tests.conformance.reference_decoder import decode
from tests.conformance.reference_neural import GROUPS, read_neural
from tests.conformance.reference_weights import Weights
from tests.conformance.test_reference_decoder import assert_agreement
from tests.pictures import texture

LINKED_FILE = "neural-links"
UNLINKED_FILES = [name for name in NAMES if "neural" in name and name != LINKED_FILE]
SEGMENTED_FILE = FOLDER / "neural-segments.clg"


def assert_equality(data: bytes) -> None:
    """Without links, all is in whole numbers, or in single precision in a defined order."""
    expected = np.asarray(CollageImage.from_bytes(data).to_pil())
    np.testing.assert_array_equal(decode(data), expected, strict=True)


@pytest.mark.parametrize("name", UNLINKED_FILES)
def test_files_of_the_conformance_set_are_decoded_exactly_alike(name: str) -> None:
    assert_equality((FOLDER / f"{name}.clg").read_bytes())


@pytest.mark.parametrize("model", make_golden.NEURAL)
def test_golden_files_are_decoded_exactly_alike(model: str) -> None:
    assert_equality(make_golden.NEURAL[model].read_bytes())


def test_links_of_the_conformance_set_are_decoded_alike() -> None:
    assert_agreement((FOLDER / f"{LINKED_FILE}.clg").read_bytes())


@pytest.mark.parametrize(("size", "channels"), [((50, 70), 4), ((33, 40), 2), ((64, 48), 3)])
def test_random_links_are_decoded_alike(
    size: tuple[int, int], channels: int, rng: np.random.Generator
) -> None:
    collage = with_links(texture(*size, channels), rng)
    assert collage.payload[0] & 1
    assert_agreement(collage.to_bytes())


def header_of(height: int, width: int, channels: int, quality: int, model: ModelId) -> Header:
    """That of a neural file."""
    return Header(
        2, width, height, MODE_OF_CHANNELS[channels], quality, ColourSpace.RGB, model=model
    )


def random_runs(
    rows: int, columns: int, quality: int, name: str, rng: np.random.Generator
) -> list[list[Run]]:
    """The symbols of a tile of random coefficients, some beyond all limits, by group."""
    decoder = decoder_of(shipped_weights(name))

    def draw(*shape: int) -> npt.NDArray[np.float32]:
        values = rng.normal(size=shape) * 10 ** rng.uniform(-1, 2, shape)
        values *= np.where(rng.random(shape) < 0.01, 1e4, 1)
        return values.astype(np.float32)

    half = -(-rows // 2), -(-columns // 2)
    values = draw(sum(GROUPS), rows, columns)
    precise = np.full_like(values, 1e9)
    source = ChosenSymbols(decoder.tables, len(GROUPS), values, draw(32, *half), precise)
    decoder.model.entropy.run(source, quality, rows, columns)
    return source.runs


def written(runs: Sequence[Run], name: str) -> bytes:
    writer = SymbolWriter()
    write_runs(writer, decoder_of(shipped_weights(name)).tables, runs)
    return writer.finish()


@pytest.mark.parametrize("segmented", [False, True], ids=["one stream", "segments"])
@pytest.mark.parametrize(
    ("size", "channels", "quality", "name"),
    [
        ((1, 1), 3, 1, "natural"),
        ((17, 100), 4, 100, "natural"),
        ((60, 35), 1, 37, "aerial"),
        ((5, 1030), 2, 80, "natural"),
    ],
    ids=str,
)
def test_what_no_encoder_writes_is_decoded_exactly_alike(
    size: tuple[int, int],
    channels: int,
    quality: int,
    name: str,
    segmented: bool,
    rng: np.random.Generator,
) -> None:
    """Random coefficients: escapes, and numbers kept within limits."""
    grid = Grid(*size, 2 if channels in (2, 4) else 1)
    tiles = [
        random_runs(tile.rows, tile.columns, quality, name, rng) for tile in grid.tiles
    ] * grid.pictures
    assert any((np.abs(run.values) > 1000).any() for runs in tiles for part in runs for run in part)
    if segmented:
        by_group = [written(runs[group], name) for group in range(len(GROUPS)) for runs in tiles]
        payload = with_table([*by_group, b""])
    else:
        payload = b"\0" + written([run for runs in tiles for part in runs for run in part], name)
    header = header_of(*size, channels, quality, shipped_weights(name).model)
    assert_equality(pack_file(header, payload))


@pytest.mark.parametrize(("denominator", "groups"), [(8, 3), (16, 2)])
def test_small_pictures_are_the_average_of_the_first_groups(denominator: int, groups: int) -> None:
    image = CollageImage.from_bytes(SEGMENTED_FILE.read_bytes())
    size = image.height, image.width, image.channels
    assert image.header.model is not None
    weights = Weights(image.header.model.name, image.header.model.digest, image.quality)
    pixels = read_neural(image.payload, weights, *size, groups)
    blocks = pixels.reshape(size[0] // denominator, denominator, -1, denominator, size[2])
    expected = np.clip(blocks.mean((1, 3)) / 255, 0, 1)
    decoded = np.moveaxis(image.decode(1 / denominator), 0, 2)
    np.testing.assert_allclose(decoded, expected, atol=1e-6)
    full = image.decode().reshape(3, size[0] // denominator, denominator, -1, denominator)
    assert np.abs(full.mean((2, 4)) - np.moveaxis(expected, 2, 0)).max() > 1e-4


def outcome(data: bytes) -> npt.NDArray[np.uint8] | None:
    """The pixels that both decoders make of a file, None if both refuse it."""
    try:
        expected = np.asarray(CollageImage.from_bytes(data).to_pil())
    except nc.CollageFormatError:
        with pytest.raises(ValueError, match=r"damaged|empty"):
            decode(data)
        return None
    np.testing.assert_array_equal(decode(data), expected, strict=True)
    return expected


def with_table(segments: Sequence[bytes], lengths: Sequence[int] | None = None) -> bytes:
    """A payload in segments, with the table that they need or one that lies."""
    lengths = [len(segment) for segment in segments[:-1]] if lengths is None else lengths
    return bytes([SEGMENTED]) + b"".join(map(varint, lengths)) + b"".join(segments)


HEADER = header_of(20, 40, 3, 70, shipped_weights("natural").model)
"""That of a picture of 2 x 3 ranges."""


def small_runs(rng: np.random.Generator) -> list[list[Run]]:
    """The symbols of such a picture, by group."""
    return random_runs(2, 3, HEADER.quality, "natural", rng)


def test_tables_that_lie_are_refused(rng: np.random.Generator) -> None:
    segments = [*(written(runs, "natural") for runs in small_runs(rng)), b""]
    lengths = [len(segment) for segment in segments[:-1]]
    assert outcome(pack_file(HEADER, with_table(segments))) is not None
    whole = with_table(segments)
    start = 1 + sum(len(varint(length)) for length in lengths)
    forged = [
        whole[:1],  # no table
        whole[: start - 1],  # a table that breaks off
        whole[:start],  # no segments
        whole[:-1],  # the last ones are shorter
        whole + b"\1",  # links that are not flagged
        whole[:1] + b"\x80\0" + whole[2:],  # a length that is longer than need be
        with_table(segments, [*lengths[:-1], lengths[-1] + 1]),
        with_table(segments, [1 << 40, *lengths[1:]]),
        with_table(segments, lengths[:-1]),
        with_table([*segments, b""]),
        with_table(segments, [len(b"".join(segments)), 0, 0, 0, 0]),
        with_table(segments[::-1]),
    ]
    for first in range(4):
        for moved in (-1, 1, 4):
            lying = lengths.copy()
            lying[first] -= moved
            lying[first + 1] += moved
            forged.append(with_table(segments, lying))
    for number, payload in enumerate(forged):
        assert outcome(pack_file(HEADER, payload)) is None, number


@pytest.mark.parametrize("segmented", [False, True], ids=["one stream", "segments"])
def test_damaged_payloads_are_refused_or_decoded_alike(
    segmented: bool, rng: np.random.Generator
) -> None:
    runs = small_runs(rng)
    if segmented:
        payload = with_table([*(written(part, "natural") for part in runs), b""])
    else:
        payload = b"\0" + written([run for part in runs for run in part], "natural")
    refused = 0
    for _ in range(40):
        damaged = bytearray(payload)
        damaged[int(rng.integers(1, len(damaged)))] ^= 1 << int(rng.integers(8))
        refused += outcome(pack_file(HEADER, bytes(damaged))) is None
    for number in (-1, 1, 255):  # the last word of the last stream
        damaged = bytearray(payload)
        damaged[-1] = (damaged[-1] + number) % 256
        outcome(pack_file(HEADER, bytes(damaged)))
    assert refused > 0
    assert outcome(pack_file(HEADER, b"")) is None


def test_other_weights_are_refused() -> None:
    image = CollageImage.from_bytes(make_golden.NEURAL["natural"].read_bytes())
    for model in (ModelId("natural", bytes(8)), ModelId("another", b"a digest")):
        data = pack_file(replace(image.header, model=model), image.payload)
        with pytest.raises(nc.CheckpointError, match="needs the weights"):
            CollageImage.from_bytes(data).decode()
        with pytest.raises(ValueError, match="no weights"):
            decode(data)
