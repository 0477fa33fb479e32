"""Whole pictures through the neural codec: fidelity, bytes, and what damage does to them."""

import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import neural_collage as nc
from neural_collage.codec import image as image_module
from neural_collage.codec import neural_stream, tiles
from neural_collage.codec.container import ColourSpace, Header, Mode, ModelId, pack
from neural_collage.codec.entropy import FixedTables, SymbolWriter
from neural_collage.codec.neural_stream import NeuralCodec
from neural_collage.codec.neural_symbols import Writing
from neural_collage.codec.picture import to_pil
from neural_collage.codec.weights import shipped_weights
from neural_collage.core.blocks import pool
from neural_collage.fractal.geometry import IntArray
from neural_collage.fractal.links import Links, find_links
from neural_collage.models.codec_model import LARGEST_SYMBOL, CodecModel, logistic_counts
from neural_collage.models.compressor import CENTRE, lagrangian
from neural_collage.models.ladder import level_of
from tests.codec.test_fractal_stream import forged, psnr
from tests.fractal.test_links import random_links
from tests.pictures import photo_crop, texture
from tests.threads import threads

MODES: dict[Mode, int] = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
SIZES = [(1, 1), (1, 5), (5, 1), (17, 33), (70, 93), (1030, 20)]
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


def encode(picture: Any, quality: int = 50, effort: int = 5) -> nc.CollageImage:
    return nc.encode(picture, codec="neural", quality=quality, effort=effort)


def network() -> CodecModel:
    return shipped_weights("natural").build(CodecModel)


def with_links(picture: Tensor, rng: np.random.Generator, **options: Any) -> nc.CollageImage:
    """A picture whose ranges are linked at random, whether that is any good or not."""

    def invented(planes: Tensor, *_: object) -> Links:
        return random_links(planes.shape[1] // 16, planes.shape[2] // 16, rng, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neural_stream, "find_links", invented)
        patch.setattr(neural_stream, "linked_collage", lambda *_: None)
        patch.setattr(neural_stream, "ITERATIONS", {})
        patch.setattr(neural_stream, "SMALL", 0)
        return encode(picture, effort=6)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_mode_and_size_comes_back(size: tuple[int, int]) -> None:
    for mode, channels in MODES.items():
        picture = texture(*size, channels)
        collage = encode(picture, quality=80)
        assert (collage.codec, collage.header.mode) == ("neural", mode)
        assert collage.header.colour_space == ColourSpace.RGB
        assert collage.header.model == shipped_weights("natural").model
        decoded = nc.decompress(collage.to_bytes())
        assert decoded.shape == picture.shape
        assert bool(((decoded >= 0) & (decoded <= 1)).all())
        if min(size) == 1:
            assert psnr(decoded, picture) > 15
        elif channels < 3:
            assert psnr(decoded, picture) > 28
        else:  # nothing in a photo is like planes that know nothing of each other
            luma = ((p[:3] * LUMA).sum(0) for p in (decoded, picture))
            assert psnr(*luma) > 26


def test_grey_of_16_bits_comes_back() -> None:
    picture = texture(40, 50)
    deep = (picture[0] * 65535).round().to(torch.int32).numpy().astype(np.uint16)
    decoded = nc.decompress(encode(deep, quality=80).to_bytes())
    assert decoded.shape == (1, 40, 50)
    assert psnr(decoded, picture) > 30


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_one_colour_stays_one_colour(channels: int, level: float) -> None:
    picture = torch.full((channels, 37, 50), level)
    collage = encode(picture, quality=90)
    decoded = collage.decode()
    assert float((decoded - picture).abs().max()) < 8 / 255
    assert float(decoded.std((1, 2)).max()) < 2 / 255
    assert len(collage.payload) < 150


@pytest.mark.parametrize("kind", ["even", "black and white"])
def test_noise_comes_back_as_far_as_there_are_patches(kind: str) -> None:
    noise = torch.rand(3, 48, 40)
    noise = noise if kind == "even" else (noise > 0.5).float()
    sizes, fidelities = [], []
    for quality in (1, 50, 100):
        collage = encode(noise, quality)
        sizes.append(len(collage.payload))
        fidelities.append(psnr(collage.decode(), noise))
    assert sizes == sorted(set(sizes))
    assert sizes[-1] < noise.numel() * 2
    assert fidelities == sorted(fidelities)


def test_alpha_is_coded_by_itself() -> None:
    picture = torch.cat([photo_crop(64), torch.ones(1, 64, 64)])
    picture[3, 20:44, 8:40] = 0
    with_alpha, without = encode(picture, 80).decode(), encode(picture[:3], 80).decode()
    assert torch.equal(with_alpha[:3], without)
    assert psnr(with_alpha[3:], picture[3:]) > 22


def test_quality_buys_fidelity_with_bytes() -> None:
    image = photo_crop(144, 60, 140)
    sizes, fidelities = [], []
    for quality in (1, 10, 25, 50, 75, 100):
        data = encode(image, quality).to_bytes()
        sizes.append(len(data))
        fidelities.append(psnr(nc.decompress(data), image))
    assert sizes == sorted(set(sizes))
    assert fidelities == sorted(set(fidelities))
    assert sizes[-1] > 10 * sizes[0]
    assert fidelities[-1] - fidelities[0] > 10


def test_it_is_better_than_jpeg_of_the_same_size() -> None:
    image = photo_crop(256, 0, 100)
    data = encode(image).to_bytes()
    for quality in range(1, 96):
        buffer = io.BytesIO()
        to_pil(image).save(buffer, "jpeg", quality=quality, optimize=True)
        if buffer.tell() >= len(data):
            break
    with Image.open(buffer) as frame:
        jpeg = torch.from_numpy(np.array(frame)).permute(2, 0, 1) / 255
    assert psnr(nc.decompress(data), image) > psnr(jpeg, image)


# The same pixels everywhere

DIGESTS = """
import hashlib, sys, torch
from pathlib import Path
import neural_collage as nc
torch.set_num_threads(2)
for path in sorted(Path(sys.argv[1]).glob("*.clg")):
    for scale in (1, 1.5)[: 1 + (path.stem == "linked")]:
        print(path.stem, hashlib.sha256(nc.load(path).decode(scale).numpy().tobytes()).hexdigest())
"""


def test_files_decode_alike_in_another_process_with_more_threads(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    modes = [*MODES, *MODES]  # other sizes of each mode are in the tests above
    collages = {
        f"{mode} {height}x{width}": encode(texture(height, width, MODES[mode]), 70)
        for mode, (height, width) in zip(modes, SIZES, strict=False)
    }
    deep = (texture(30, 40)[0] * 65535).to(torch.int32).numpy().astype(np.uint16)
    collages["deep"] = encode(deep)
    collages["flat"] = encode(torch.full((3, 20, 20), 0.4))
    collages["noise"] = encode(torch.rand(3, 40, 40), 95)
    collages["linked"] = with_links(texture(70, 93, 4), rng)
    for name, collage in collages.items():
        nc.save(collage, tmp_path / f"{name}.clg")
    here = [
        f"{name} {hashlib.sha256(collages[name].decode(scale).numpy().tobytes()).hexdigest()}"
        for name in sorted(collages)
        for scale in (1, 1.5)[: 1 + (name == "linked")]
    ]
    command = [sys.executable, "-W", "error", "-c", DIGESTS, str(tmp_path)]
    patient = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # threads that spin slow busy machines
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=patient).stdout
    assert there.splitlines() == here


def test_pixels_do_not_depend_on_threads(rng: np.random.Generator) -> None:
    data = with_links(photo_crop(40), rng).to_bytes()
    once = nc.decompress(data)
    with threads(2):
        assert torch.equal(nc.decompress(data), once)


def test_tiles_of_the_decoder_are_those_of_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 2)
    collage = encode(photo_crop(70))
    pixels = collage.decode()
    assert psnr(pixels, photo_crop(70)) > 25
    monkeypatch.setattr(tiles, "TILE", 3)
    result = forged(collage.payload, collage.header)
    assert isinstance(result, str) or not torch.equal(result, pixels)


# Real bytes against estimates


class Tally(SymbolWriter):
    """Adds up what the tables of a model say that symbols cost."""

    counts_of_tables: IntArray
    bits = 0.0

    def fixed(self, tables: FixedTables, which: IntArray, values: IntArray) -> None:
        super().fixed(tables, which, values)
        counts = self.counts_of_tables
        column = np.clip(values, -LARGEST_SYMBOL, LARGEST_SYMBOL) + LARGEST_SYMBOL
        chosen = counts[which, column]
        known = (chosen > 0) & (np.abs(values) <= LARGEST_SYMBOL)
        chosen = np.where(known, chosen, counts[which, -1])
        Tally.bits += float(np.log2(counts.sum(1)[which] / chosen).sum())
        numbers = np.where(values < 0, -2 * values, 2 * values + 1)[~known]
        Tally.bits += float((np.log2(24) + np.floor(np.log2(numbers))).sum())


@pytest.mark.parametrize("quality", [5, 50, 95])
def test_a_file_takes_what_its_tables_say(quality: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Tally, "counts_of_tables", network().counts.numpy().astype(np.int64), raising=False
    )
    monkeypatch.setattr(Tally, "bits", 0.0)
    monkeypatch.setattr(neural_stream, "SymbolWriter", Tally)
    collage = encode(photo_crop(160), quality)
    assert 8 * len(collage.payload) == pytest.approx(Tally.bits, rel=0.01, abs=64)


@pytest.mark.parametrize("quality", [20, 50, 80])
def test_bytes_are_what_the_network_that_learned_expects(quality: int) -> None:
    """With logistic tables, as the float model has them."""
    model, picture = network(), photo_crop(160, 60, 140)
    writer = SymbolWriter()
    tables = FixedTables(logistic_counts().numpy().astype(np.int64))
    with torch.inference_mode():
        values = model.values(picture[None], quality)[0]
        expected = model.compressor(picture[None], torch.tensor([level_of(quality)]), decide=True)
    source = Writing(writer, tables, model, values, quality)
    quantised = model.entropy.run(source, quality, 10, 10)
    image = model.texture(model.amplitudes(quantised, quality)).canvas(Fraction(1)) + CENTRE
    bits = float(expected.bits + expected.side_bits)
    assert 8 * len(writer.finish()) == pytest.approx(bits, rel=0.01, abs=64)
    error, expected_error = ((x - picture).square().mean() for x in (image, expected.image[0]))
    assert float(error) == pytest.approx(float(expected_error), rel=0.02)


# Sizes and regions


@pytest.fixture
def linked(rng: np.random.Generator) -> nc.CollageImage:
    """A picture of two layers with links, well inside the range of pixels."""
    return with_links(0.3 + 0.4 * texture(40, 50, 4), rng, strongest=3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_larger_pictures_average_to_the_picture(linked: nc.CollageImage, scale: int) -> None:
    for collage in (linked, encode(0.3 + 0.4 * photo_crop(40))):
        once, larger = collage.decode(), collage.decode(scale)
        assert float(larger.min()) > 0
        assert float(larger.max()) < 1
        torch.testing.assert_close(pool(larger, scale), once, atol=1e-4, rtol=0)


@pytest.mark.parametrize("scale", [0.5, 1, 1.5, 3, 10])
def test_a_region_is_a_crop(linked: nc.CollageImage, scale: float) -> None:
    for collage in (linked, encode(texture(33, 40, 2))):
        whole = collage.decode(scale)
        height, width = whole.shape[1:]
        assert [height, width] == [int(n * scale + 0.5) for n in (collage.height, collage.width)]
        assert bool(whole.isfinite().all())
        for x, y, w, h in (
            (0, 0, 7, 5),
            (width - 6, height - 9, 6, 9),
            (width // 3, height // 2, 12, 1),
            (width // 2 + 1, height // 3, 1, 11),
        ):
            part = collage.decode(scale, (x, y, w, h))
            torch.testing.assert_close(part, whole[:, y : y + h, x : x + w], atol=1e-4, rtol=0)


@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_strips_of_a_large_picture_are_the_picture(
    linked: nc.CollageImage, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = linked.decode(scale)
    monkeypatch.setattr(image_module, "_PIXELS_AT_ONCE", 100)
    monkeypatch.setattr(image_module, "_STRIP_PIXELS", 3000)
    torch.testing.assert_close(linked.decode(scale), whole, atol=1e-5, rtol=0)


# Effort


def cost(picture: Tensor, collage: nc.CollageImage, quality: int) -> float:
    """Bits and errors, as the encoder weighs them."""
    (layer,) = collage.layers
    error = float((layer.collage.decode() - picture).double().square().sum())
    worth = float(lagrangian(torch.tensor(level_of(quality)))) * 255**2 / 3
    return 8 * len(collage.payload) + worth * error


@pytest.mark.parametrize("quality", [30, 95])
def test_effort_pays(quality: int) -> None:
    picture = photo_crop(80)
    costs = {e: cost(picture, encode(picture, quality, e), quality) for e in (0, 5, 7, 9)}
    assert costs[0] == costs[5]
    assert costs[7] < 1.002 * costs[5]
    assert costs[9] < 1.002 * min(costs[5], costs[7])


def test_the_most_thorough_search_repeats_itself() -> None:
    first, again = (encode(texture(48, 64, 3), 90, 9).to_bytes() for _ in range(2))
    assert first == again


def test_small_pictures_are_refined_whatever_the_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = photo_crop(48)
    refined = cost(picture, encode(picture, 90), 90)
    monkeypatch.setattr(neural_stream, "SMALL", 0)
    assert refined <= cost(picture, encode(picture, 90), 90)


def test_links_of_a_picture_are_those_of_its_file() -> None:
    """Fine patterns everywhere, which no texture says as cheaply."""
    picture = torch.rand(3, 64, 64)
    picture = torch.cat([picture, pool(picture, 2).repeat(1, 2, 2)], 2)
    found: list[Links] = []

    def recorded(*arguments: Any) -> Links:
        found.append(find_links(*arguments))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neural_stream, "find_links", recorded)
        collage = encode(picture, 100, 6)
    (links,) = found
    assert collage.payload[0] == bool(links)
    weights = collage.layers[0].collage.weights
    expected = links.contrast.view(1, -1, 1)[..., : int(bool(links))] / 8
    assert torch.equal(weights, expected)


# Damage


@pytest.mark.parametrize(("mode", "size"), [("L", (20, 16)), ("LA", (6, 5))])
def test_every_truncation_is_refused_or_decodes(mode: Mode, size: tuple[int, int]) -> None:
    collage = encode(texture(*size, MODES[mode]), 40)
    whole = collage.decode()
    for length in range(len(collage.payload)):
        result = forged(collage.payload[:length], collage.header)
        if length == 0:
            assert result == "the neural stream is empty"
    assert isinstance(result := forged(collage.payload, collage.header), Tensor)
    assert torch.equal(result, whole)


def test_truncations_of_linked_pictures_are_refused_or_decode(rng: np.random.Generator) -> None:
    collage = with_links(texture(33, 50, 2), rng)
    assert isinstance(forged(collage.payload, collage.header), Tensor)
    for length in range(1, len(collage.payload), 11):
        forged(collage.payload[:length], collage.header)


def test_altered_payloads_are_refused_or_decode(rng: np.random.Generator) -> None:
    for collage in (encode(texture(50, 60, 1)), with_links(texture(33, 40, 2), rng)):
        whole, changed = collage.decode(), 0
        for _ in range(25):
            payload = bytearray(collage.payload)
            payload[int(rng.integers(len(payload)))] ^= 1 << int(rng.integers(8))
            result = forged(bytes(payload), collage.header)
            changed += isinstance(result, str) or not torch.equal(result, whole)
        assert changed == 25


def test_random_payloads_are_refused_or_decode(rng: np.random.Generator) -> None:
    reasons = set()
    for _ in range(40):
        width, height = (int(n) for n in rng.integers(1, 60, 2))
        header = Header(
            codec=2,
            width=width,
            height=height,
            mode=rng.choice(list(MODES)),
            quality=int(rng.integers(1, 101)),
            colour_space=ColourSpace.RGB,
            model=NeuralCodec().model,
        )
        payload = bytes([int(rng.integers(2))]) + rng.bytes(int(rng.integers(0, 900)))
        result = forged(payload, header)
        if isinstance(result, str):
            reasons.add(result.split(":")[0])
    assert reasons <= {"the neural stream is damaged", "the entropy-coded data is damaged"}


def test_invented_links_are_refused_or_decode(rng: np.random.Generator) -> None:
    outcomes = set()
    for size in ((10, 20), (40, 16), (20, 20), (33, 50)):
        for channels, share in ((1, 1.0), (4, 0.2)):
            collage = with_links(texture(*size, channels), rng, share=share)
            result = forged(collage.payload, collage.header)
            if isinstance(result, str):
                assert min(size) <= 16  # no domain fits in
                assert result.startswith("the neural stream is damaged: a domain reaches beyond")
            else:
                assert all(layer.collage.contraction() < 1 for layer in collage.layers)
                for scale in (0.3, 1.5):
                    assert bool(collage.decode(scale).isfinite().all())
            outcomes.add(type(result))
    assert Tensor in outcomes


def test_links_are_read_as_they_were_written(rng: np.random.Generator) -> None:
    """At the end of the stream, those of the colours before those of alpha."""
    collage = with_links(texture(40, 60, 4), rng)
    expected = np.random.default_rng(0)
    for layer in collage.layers:
        links = random_links(3, 4, expected)
        assert torch.equal(layer.collage.weights[0, :, 0] * 8, links.contrast.flatten().float())
        assert torch.equal(layer.collage.isometries[:, 0], links.isometry.flatten())


def test_unknown_parameters_are_refused() -> None:
    header = encode(texture(8, 12)).header
    for byte in range(2, 256):
        with pytest.raises(nc.CollageFormatError, match=f"unknown parameters {byte:#04x}"):
            NeuralCodec().layers(bytes([byte]) + b"stream", header)


def test_what_follows_the_stream_is_refused() -> None:
    collage = encode(texture(20, 30))
    result = forged(collage.payload + bytes(range(1, 17)), collage.header)
    assert result == "the entropy-coded data is damaged: it is too long"


def test_another_colour_space_is_refused() -> None:
    collage = encode(texture(8, 12))
    head = replace(collage.header, colour_space=ColourSpace.YCBCR)
    assert "codec neural has no colour space YCBCR" in str(forged(collage.payload, head))


# Models


def test_a_file_names_its_model() -> None:
    collage = encode(texture(8, 12))
    with pytest.raises(nc.CollageFormatError, match="it does not name its model"):
        nc.decompress(pack(replace(collage.header, model=None), collage.payload))


@pytest.mark.parametrize("name", ["natural", "aerial", "poli2022", "mine", "a/b/c", "weights ü"])
def test_weights_that_are_not_here_are_named(name: str) -> None:
    collage = encode(texture(8, 12))
    head = replace(collage.header, model=ModelId(name, bytes(range(8))))
    with pytest.raises(nc.CheckpointError) as caught:
        nc.decompress(pack(head, collage.payload))
    message = str(caught.value)
    assert f"{name!r} of hash 0001020304050607" in message
    assert "--model" in message
    assert len(message.splitlines()) == 1
    if name in ("natural", "aerial"):
        assert shipped_weights(name).model.digest.hex() in message


def test_shipped_models_differ() -> None:
    picture = photo_crop(64)
    natural, aerial = (
        nc.encode(picture, codec="neural", model=model) for model in ("natural", "aerial")
    )
    assert natural.header.model == nc.encode(picture, codec="neural").header.model
    assert natural.header.model != aerial.header.model
    assert aerial.header.model is not None
    assert aerial.header.model.name == "aerial"
    assert psnr(nc.decompress(aerial.to_bytes()), picture) > 20
    mistaken = forged(natural.payload, aerial.header)
    assert isinstance(mistaken, str) or not torch.equal(mistaken, natural.decode())


def test_it_is_the_default() -> None:
    picture = texture(16, 20, 3)
    assert nc.compress(picture) == encode(picture).to_bytes()
