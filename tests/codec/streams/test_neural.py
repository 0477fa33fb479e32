"""Whole pictures through the neural codec: fidelity, sizes, regions, effort, and models."""

import io
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.container import ColourSpace, ModelId, pack_file
from neural_collage.codec.streams import device_copies, neural_encoder
from neural_collage.codec.streams.linked import find_links
from neural_collage.codec.streams.links import Links
from neural_collage.codec.streams.neural_encoder import NeuralEncoder
from neural_collage.codec.weights import shipped_weights
from neural_collage.core import blocks
from neural_collage.core.arrays import averages
from neural_collage.core.arrays.averages import pool
from neural_collage.io.picture import Picture
from neural_collage.io.writing import to_pil
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import bits_per_squared_error
from tests.codec.streams.damage import forged
from tests.codec.streams.neural import LUMA, MODES, SIZES, encode, with_links
from tests.pictures import photo_crop, psnr, texture


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
        else:  # planes of independent noise are unlike photos
            luma = ((np.asarray(p)[:3] * LUMA).sum(0) for p in (decoded, picture))
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
    invisible = channels == 4 and level == 0  # where colours are not kept
    assert float(np.abs(decoded - picture.numpy())[-1 if invisible else 0 :].max()) < 8 / 255
    assert float(decoded.std((1, 2)).max()) < 2 / 255
    assert len(collage.payload) < 150


@pytest.mark.parametrize("kind", ["even", "black and white"])
def test_size_and_fidelity_of_noise_rise_with_quality(kind: str) -> None:
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
    picture[3, 20:44, 8:40] = 1 / 255  # colours under alpha 0 are not kept
    with_alpha, without = encode(picture, 80).decode(), encode(picture[:3], 80).decode()
    assert np.array_equal(with_alpha[:3], without)
    assert psnr(with_alpha[3:], picture[3:]) > 22


def test_rate_and_psnr_rise_with_quality() -> None:
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
        np.testing.assert_allclose(pool(larger, scale), once, atol=1e-4, rtol=0)


@pytest.mark.parametrize("scale", [0.5, 1, 1.5, 3, 10])
def test_a_region_is_a_crop(linked: nc.CollageImage, scale: float) -> None:
    for collage in (linked, encode(texture(33, 40, 2))):
        whole = collage.decode(scale)
        height, width = whole.shape[1:]
        assert [height, width] == [int(n * scale + 0.5) for n in (collage.height, collage.width)]
        assert bool(np.isfinite(whole).all())
        for x, y, w, h in (
            (0, 0, 7, 5),
            (width - 6, height - 9, 6, 9),
            (width // 3, height // 2, 12, 1),
            (width // 2 + 1, height // 3, 1, 11),
        ):
            part = collage.decode(scale, (x, y, w, h))
            np.testing.assert_allclose(
                part, whole[:, y : y + h, x : x + w], atol=1e-4, rtol=0, strict=True
            )


@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_strips_of_a_large_picture_are_the_picture(
    linked: nc.CollageImage, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = linked.decode(scale)
    monkeypatch.setattr(averages, "_STRIP_PIXELS", 300)
    np.testing.assert_allclose(linked.decode(scale), whole, atol=1e-5, rtol=0, strict=True)


# Effort


def cost(picture: Tensor, collage: nc.CollageImage, quality: int) -> float:
    """Bits and errors, as the encoder weighs them."""
    (layer,) = collage.layers
    error = float((layer.collage.decode() - picture).double().square().sum())
    return 8 * len(collage.payload) + bits_per_squared_error(quality) * error


@pytest.mark.parametrize("quality", [30, 95])
def test_effort_lowers_the_cost(quality: int) -> None:
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
    refined = cost(picture, encode(picture, 90, tune="psnr"), 90)
    monkeypatch.setattr(neural_encoder, "SMALL_GRID", 0)
    assert refined < cost(picture, encode(picture, 90, tune="psnr"), 90)


def test_links_of_a_picture_are_those_of_its_file() -> None:
    """On fine patterns, which links encode at a lower rate than patches."""
    picture = torch.rand(3, 64, 64)
    picture = torch.cat([picture, blocks.pool(picture, 2).repeat(1, 2, 2)], 2)
    found: list[Links] = []

    def recorded(*arguments: Any) -> Links:
        found.append(find_links(*arguments))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neural_encoder, "find_links", recorded)
        collage = encode(picture, 90, 6)
    (links,) = found
    assert collage.payload[0] == bool(links)
    weights = collage.layers[0].collage.weights
    expected = torch.from_numpy(links.contrast).view(1, -1, 1)[..., : int(bool(links))] / 8
    assert torch.equal(weights, expected)


# Models


def test_a_file_names_its_model() -> None:
    collage = encode(texture(8, 12))
    with pytest.raises(nc.CollageFormatError, match="it does not name its model"):
        nc.decompress(pack_file(replace(collage.header, model=None), collage.payload))


@pytest.mark.parametrize("name", ["natural", "aerial", "poli2022", "mine", "a/b/c", "weights ü"])
def test_weights_that_are_not_here_are_named(name: str) -> None:
    collage = encode(texture(8, 12))
    head = replace(collage.header, model=ModelId(name, bytes(range(8))))
    with pytest.raises(nc.CheckpointError) as caught:
        nc.decompress(pack_file(head, collage.payload))
    message = str(caught.value)
    assert f"{name!r} of hash 0001020304050607" in message
    assert "--model" in message
    assert len(message.splitlines()) == 1
    if name in ("natural", "aerial"):
        assert shipped_weights(name).model.digest.hex() in message


def test_shipped_models_differ() -> None:
    picture = photo_crop(64)
    natural, aerial = (
        nc.encode(picture, codec="neural", graphics=False, model=model)
        for model in ("natural", "aerial")
    )
    assert natural.header.model == nc.encode(picture, codec="neural", graphics=False).header.model
    assert natural.header.model != aerial.header.model
    assert aerial.header.model is not None
    assert aerial.header.model.name == "aerial"
    assert psnr(nc.decompress(aerial.to_bytes()), picture) > 20
    mistaken = forged(natural.payload, aerial.header)
    assert isinstance(mistaken, str) or not np.array_equal(mistaken, natural.decode())


def test_it_is_the_default_for_photos() -> None:
    picture = photo_crop(64)
    assert nc.compress(picture) == encode(picture).to_bytes()


@pytest.mark.parametrize("effort", [5, 6])
def test_the_encoder_knows_what_its_payload_decodes_to(effort: int) -> None:
    collage = encode(texture(40, 50, 4), effort=effort)
    assert np.array_equal(collage.decode(), nc.decompress(collage.to_bytes()))


def test_the_network_is_copied_to_a_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []

    def counted(network: CodecModel) -> CodecModel:
        copies.append(network)
        return deepcopy(network)

    monkeypatch.setattr(device_copies, "deepcopy", counted)
    encoder = NeuralEncoder(shipped_weights("natural"))
    picture = Picture(texture(16, 20, 4), "RGBA")
    payloads = {
        encoder.encode(picture, quality=50, effort=5, device=device)
        for device in ("cpu", "cpu:0", "cpu:0")
    }
    assert (len(payloads), len(copies)) == (1, 1)


def test_the_integer_entropy_model_leaves_the_network_where_it_is() -> None:
    network = shipped_weights("aerial").build(CodecModel)
    before = {name: value.data_ptr() for name, value in network.state_dict().items()}
    assert network.decoder.groups == network.decoder.entropy.groups == network.config.groups
    assert {name: value.data_ptr() for name, value in network.state_dict().items()} == before
