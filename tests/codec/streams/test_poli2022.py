"""The paper's compressor as a codec; payloads of untrained networks, files of the shipped one."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.base import Layer
from neural_collage.codec.container import ColourSpace, Header, ModelId, pack_file
from neural_collage.codec.planes import to_triples
from neural_collage.codec.streams.poli2022 import (
    Poli2022Streams,
    cut_tiles,
    make_encoder,
    picture_collage,
    tile_symbols,
    write_symbols,
)
from neural_collage.codec.weights import shipped_weights
from neural_collage.core.blocks import stitch
from neural_collage.fractal.statistics import chunks, update
from neural_collage.io.modes import Mode
from neural_collage.io.picture import Picture
from neural_collage.models.poli2022 import TileCompressor, TileCompressorConfig, estimated_bits
from tests.pictures import photo_crop, texture

MODES: dict[Mode, int] = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
SMALL = TileCompressorConfig(range_size=4, n_patches=3, embedding=4, depth=1)
SIZES = [(1, 1), (1, 37), (41, 1), (8, 16), (13, 22)]


@pytest.fixture
def codec() -> Poli2022Streams:
    """An untrained one of small tiles, whose parameters take all kinds of values."""
    compressor = TileCompressor(SMALL).eval()
    with torch.no_grad():
        compressor.encoder.head.mul_(20)
    return Poli2022Streams(compressor, ModelId("untrained", b"12345678"))


def header(codec: Poli2022Streams, mode: Mode, height: int, width: int) -> Header:
    return Header(
        codec=3,
        width=width,
        height=height,
        mode=mode,
        quality=50,
        colour_space=ColourSpace.RGB,
        model=codec.model,
    )


def encoded(codec: Poli2022Streams, pixels: Tensor) -> tuple[bytes, Header]:
    mode = list(MODES)[len(pixels) - 1]
    payload = codec.encode(Picture(pixels, mode), quality=50, effort=5, device="cpu")
    return payload, header(codec, mode, *pixels.shape[1:])


def layers_of(codec: Poli2022Streams, pixels: Tensor) -> tuple[Layer, ...]:
    return codec.decode(*encoded(codec, pixels))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_picture_decodes_to_the_tiles_of_the_operator(
    codec: Poli2022Streams, mode: Mode, size: tuple[int, int]
) -> None:
    pixels = texture(*size, MODES[mode])
    layers = layers_of(codec, pixels)
    assert len(layers) == len(to_triples(pixels)) == (2 if MODES[mode] % 2 == 0 else 1)
    for layer, planes in zip(layers, to_triples(pixels), strict=True):
        partition = layer.collage.partition
        assert (layer.collage.height, layer.collage.width) == size
        with torch.no_grad():
            tiles = codec.compressor(cut_tiles(planes, 8))[0].transpose(0, 1)
        whole = stitch(tiles, partition.canvas_height, partition.canvas_width)
        expected = whole[:, : size[0], : size[1]]
        torch.testing.assert_close(layer.collage.decode(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", MODES)
def test_files_of_every_mode_come_back(mode: Mode) -> None:
    pixels = texture(45, 83, MODES[mode])
    collage = nc.encode(pixels, codec="poli2022")
    assert (collage.header.mode, collage.codec) == (mode, "poli2022")
    assert collage.header.colour_space == ColourSpace.RGB
    assert collage.header.model == shipped_weights("poli2022").model
    decoded = nc.decompress(collage.to_bytes())
    assert decoded.shape == pixels.shape
    error = (torch.from_numpy(decoded) - pixels).square().mean((1, 2))
    assert float(error.max()) < float(pixels.var((1, 2)).min())


def test_all_scales_are_one_image() -> None:
    collage = nc.encode(photo_crop(60), codec="poli2022")
    planes = collage.layers[0].collage
    once, tenfold = planes.decode(), planes.decode(10)
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(tenfold, 10), once, atol=1e-4, rtol=0)
    region = (231, 117, 50, 40)
    window, whole = collage.decode(10, region), collage.decode(10)
    np.testing.assert_allclose(window, whole[:, 117:157, 231:281], atol=1e-5, rtol=0, strict=True)


@pytest.mark.parametrize("channel", [0, 1])
def test_grey_and_alpha_are_the_average_of_their_planes(channel: int) -> None:
    collage = nc.encode(texture(40, 40, 2), codec="poli2022")
    planes = collage.layers[channel].collage.decode()
    assert not torch.equal(planes[0], planes[1])
    expected = planes.mean(0).clamp(0, 1)
    torch.testing.assert_close(torch.from_numpy(collage.decode()[channel]), expected)


def test_symbols_come_back_and_bytes_repeat(codec: Poli2022Streams) -> None:
    pixels = texture(30, 45, 3)
    payload, head = encoded(codec, pixels)
    assert encoded(codec, pixels)[0] == payload  # tables start anew for every picture
    collage = codec.decode(payload, head)[0].collage
    symbols = tile_symbols(codec.compressor, pixels)
    patches = codec.compressor.operator.patches
    assert patches is not None
    assert collage.patches is not None
    assert torch.equal(collage.patches, patches)
    again = picture_collage(SMALL, symbols, 30, 45, patches.detach())
    assert torch.equal(collage.weights, again.weights)
    assert torch.equal(collage.bias, again.bias)
    assert torch.equal(collage.domains % 8, torch.zeros_like(collage.domains))


def test_the_length_of_a_payload_matches_the_information_content(codec: Poli2022Streams) -> None:
    """Within a word of the ideal code length, counted here a second time."""
    pixels = photo_crop(120)
    symbols = tile_symbols(codec.compressor, pixels)
    counts = codec.compressor.counts.numpy().astype(np.int64)
    values = symbols.numpy().ravel() + SMALL.levels
    tables = np.arange(15).reshape(1, 3, 1, 5).repeat(len(symbols), 0).repeat(4, 2).ravel()
    bits = 0.0
    for piece in chunks(len(values)):
        rows = counts[tables[piece]]
        chosen = rows[np.arange(len(rows)), values[piece]]
        bits += float(np.log2(rows.sum(1) / chosen).sum())
        update(counts, tables[piece], values[piece])
    assert 8 * len(encoded(codec, pixels)[0]) == pytest.approx(bits, abs=64, rel=1e-3)


def test_a_file_is_smaller_than_the_published_estimate() -> None:
    pixels = photo_crop(200)
    collage = nc.encode(pixels, codec="poli2022")
    estimate = estimated_bits(tile_symbols(make_encoder().compressor, pixels))
    assert 0.3 * estimate < 8 * len(collage.to_bytes()) < 0.9 * estimate


def test_the_bytes_of_symbols_never_change(codec: Poli2022Streams) -> None:
    """From whole numbers alone: no weights, the same on every machine."""
    n = torch.arange(7 * 3 * 4 * 5)
    symbols = ((n * n * 31 + 7 * n) % 181 - 90).where(n % 3 == 0, n % 5 - 2).view(7, 3, 4, 5)
    payload = write_symbols(codec.compressor, [symbols])
    digest = hashlib.sha256(payload).hexdigest()
    assert (len(payload), digest[:16]) == (264, "6ce5b717a5aad7b6")
    collage = codec.decode(payload, header(codec, "RGB", 8, 56))[0].collage
    again = picture_collage(SMALL, symbols, 8, 56, collage.patches)
    assert collage.patch_weights is not None
    assert again.patch_weights is not None
    assert torch.equal(collage.patch_weights, again.patch_weights)
    assert torch.equal(collage.bias, again.bias)


def test_shipped_tables_are_whole_positive_numbers() -> None:
    compressor = make_encoder().compressor
    assert compressor.counts.dtype == torch.int32
    assert compressor.counts.shape == (36, 201)
    assert int(compressor.counts.min()) >= 1
    assert int(compressor.counts.max()) > 1000  # counted
    before = compressor.counts.clone()
    nc.compress(photo_crop(50), codec="poli2022")
    assert torch.equal(make_encoder().compressor.counts, before)


def test_other_weights_are_named() -> None:
    collage = nc.encode(photo_crop(40), codec="poli2022")
    assert collage.header.model is not None
    digest = collage.header.model.digest
    for model, named in (
        (ModelId("poli2022", b"\0" * 8), "needs the weights poli2022 0000000000000000"),
        (None, "needs the weights of no model"),
    ):
        forgery = pack_file(replace(collage.header, model=model), collage.payload)
        with pytest.raises(nc.CollageFormatError, match=named) as caught:
            nc.decompress(forgery)
        assert digest.hex() in str(caught.value)


def test_another_colour_space_is_refused() -> None:
    collage = nc.encode(photo_crop(40), codec="poli2022")
    head = replace(collage.header, colour_space=ColourSpace.YCBCR)
    with pytest.raises(nc.CollageFormatError, match="poli2022 has no colour space YCBCR"):
        nc.decompress(pack_file(head, collage.payload))
    fractal = nc.encode(photo_crop(40), codec="fractal", graphics=False, effort=0)
    head = replace(fractal.header, colour_space=ColourSpace.RGB)
    with pytest.raises(nc.CollageFormatError, match="fractal has no colour space RGB"):
        nc.decompress(pack_file(head, fractal.payload))


def test_damaged_payloads_are_refused_or_decode(
    codec: Poli2022Streams, rng: np.random.Generator
) -> None:
    payload, head = encoded(codec, texture(20, 30, 4))
    damaged = [payload[:length] for length in range(0, len(payload), 7)]
    for _ in range(40):
        altered = bytearray(payload)
        altered[int(rng.integers(len(altered)))] ^= int(rng.integers(1, 256))
        damaged.append(bytes(altered))
    reasons = []
    for attempt in damaged:
        try:
            for layer in codec.decode(attempt, head):
                assert bool(torch.isfinite(layer.collage.decode()).all())
        except nc.CollageFormatError as error:
            reasons.append(str(error).split(":")[0])
    assert len(reasons) > 10
    assert set(reasons) <= {"the stream is damaged", "the entropy-coded data is damaged"}
    with pytest.raises(nc.CollageFormatError, match="damaged: it is too long"):
        codec.decode(payload + bytes(range(1, 17)), head)


def test_weights_that_do_not_contract_are_refused(codec: Poli2022Streams) -> None:
    symbols = torch.zeros(1, 3, 4, 5, dtype=torch.int64)
    symbols[0, 1, 2, 0] = -91
    payload = write_symbols(codec.compressor, [symbols])
    with pytest.raises(nc.CollageFormatError, match="a weight of 91 hundredths is beyond"):
        codec.decode(payload, header(codec, "RGB", 8, 8))


@pytest.mark.parametrize("argument", [{"quality": 50}, {"effort": 5}])
def test_there_is_no_quality_to_choose(argument: dict[str, int]) -> None:
    with pytest.raises(nc.CollageError, match="single rate: leave out quality and effort"):
        nc.compress(photo_crop(40), codec="poli2022", **argument)  # type: ignore[arg-type]
