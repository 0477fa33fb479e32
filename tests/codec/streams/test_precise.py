"""Neural files with a precision layer: near-lossless, cut anywhere, refused where they lie."""

import numpy as np
import pytest
import torch

import neural_collage as nc
from neural_collage.codec.streams import neural_streams, tiles
from neural_collage.codec.streams.neural import LINKED, PRECISE, SEGMENTED
from neural_collage.codec.streams.precise import Precision, shown_channels
from neural_collage.codec.streams.segments import read_segments, write_segments
from neural_collage.io.modes import Mode
from tests.codec.streams.damage import forged
from tests.codec.streams.neural import MODES, encode
from tests.codec.streams.segmented import again
from tests.pictures import photo_crop, psnr, texture
from tests.threads import threads

GROUPS = 5


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> nc.CollageImage:
    """Of six tiles."""
    monkeypatch.setattr(tiles, "TILE", 3)
    return encode(photo_crop(112)[:, :, :80], 97)


def start_of(image: nc.CollageImage) -> bytes:
    return image.payload[: 1 + Precision.SIZE]


def segments_of(image: nc.CollageImage, count: int) -> list[bytes]:
    """The segments of a file of one picture and so many tiles."""
    read = read_segments(image.payload[1 + Precision.SIZE :], (GROUPS + 1) * count + 1)
    return [segment for segment in read if segment is not None]


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (70, 93)])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_and_size_comes_back(mode: Mode, size: tuple[int, int]) -> None:
    picture = texture(*size, MODES[mode])
    image = encode(picture, 100)
    decoded = again(image).decode()
    np.testing.assert_array_equal(decoded, image.decode())
    assert psnr(torch.from_numpy(decoded), picture) > 42


def test_quality_90_has_no_layer_and_100_is_near_lossless() -> None:
    picture = photo_crop(96)
    assert not encode(picture, 90).payload[0] & PRECISE
    sizes, fidelities = [], []
    for quality in (90, 93, 96, 98, 100):
        image = encode(picture, quality)
        sizes.append(len(image.payload))
        fidelities.append(psnr(torch.from_numpy(image.decode()), picture))
    assert sizes == sorted(sizes)
    assert fidelities == sorted(fidelities)
    assert fidelities[-1] > 44.5  # grain costs most


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_layer_that_adds_nothing_is_left_out(channels: int) -> None:
    image = encode(torch.full((channels, 32, 32), 0.5), 95)
    assert not image.payload[0] & PRECISE


def test_small_files_are_one_stream_and_others_have_segments() -> None:
    assert encode(photo_crop(48), 95).payload[0] == PRECISE
    assert encode(photo_crop(144), 100).payload[0] == PRECISE | SEGMENTED


@pytest.mark.parametrize("effort", [0, 7])
def test_the_encoder_knows_what_its_payload_decodes_to(effort: int) -> None:
    image = encode(photo_crop(60), 96, effort)
    np.testing.assert_array_equal(again(image).decode(), image.decode())


def test_the_layer_is_a_part_of_the_collage() -> None:
    image = encode(texture(40, 50, 3), 98)
    decoded = image.layers[0].collage.decode().numpy()[:, :40, :50]
    np.testing.assert_allclose(decoded.clip(0, 1), image.decode(), atol=1e-5)


def test_it_is_decoded_alike_by_more_threads(image: nc.CollageImage) -> None:
    expected = again(image).decode()
    with threads(3):
        np.testing.assert_array_equal(again(image).decode(), expected)


@pytest.mark.parametrize("scale", [1, 1 / 2, 1 / 4, 1 / 8, 2])
def test_windows_are_crops(scale: float, image: nc.CollageImage) -> None:
    full = again(image).decode(scale)
    side = int(40 * scale)
    region = (side // 2, side, side, side)
    x, y = region[:2]
    window = again(image).decode(scale, region)
    np.testing.assert_allclose(window, full[:, y : y + side, x : x + side], atol=1e-6)


def test_a_window_reads_the_tiles_that_it_shows(image: nc.CollageImage) -> None:
    segments = segments_of(image, 6)
    segments[-1] = b"\xff" * 40  # of the last tile
    damaged = nc.CollageImage(image.header, start_of(image) + write_segments(segments))
    expected = image.decode(1, (0, 0, 48, 40))
    np.testing.assert_array_equal(again(damaged).decode(1, (0, 0, 48, 40)), expected)
    with pytest.raises(nc.CollageFormatError, match="damaged"):
        again(damaged).decode()
    again(damaged).decode(1 / 8)  # does not show the layer


@pytest.mark.parametrize("scale", [1 / 2, 1 / 4])
@pytest.mark.parametrize("segmented", [False, True])
def test_smaller_pictures_are_averages(
    scale: float, segmented: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neural_streams, "SEGMENTED_BYTES", 0 if segmented else 1 << 20)
    picture = 0.25 + photo_crop(64) / 2  # so that nothing is clipped
    image = encode(picture, 97)
    factor = int(1 / scale)
    full = image.decode().astype(np.float64)
    expected = full.reshape(3, 64 // factor, factor, 64 // factor, factor).mean((2, 4))
    np.testing.assert_allclose(again(image).decode(scale), expected, atol=1e-6)


def test_a_file_that_breaks_off_in_the_layer_shows_the_base(image: nc.CollageImage) -> None:
    segments, data = segments_of(image, 6), image.to_bytes()
    behind = sum(map(len, segments[6 * GROUPS + 1 :])) + 4
    cut = nc.CollageImage.from_bytes(data[: len(data) - behind], partial=True)
    base = encode(photo_crop(112)[:, :, :80], 90)
    np.testing.assert_array_equal(cut.decode(), base.decode())
    more = nc.CollageImage.from_bytes(data[:-5], partial=True).decode()
    np.testing.assert_array_equal(more[:, :96], image.decode()[:, :96])
    np.testing.assert_array_equal(more[:, 96:, 48:], base.decode()[:, 96:, 48:])


@pytest.mark.parametrize("start", [b"", b"\0\1\0", b"\x65\1\0", b"\x5a\0\0", b"\x5a\1"])
def test_invalid_parameters_are_refused(start: bytes) -> None:
    image = encode(texture(20, 30, 3), 95)
    payload = bytes([PRECISE]) + start
    payload += image.payload[4:] if len(start) == Precision.SIZE else b""
    assert forged(payload, image.header) == (
        "the neural stream is damaged: its precision layer is invalid"
    )


def test_links_under_a_layer_are_refused() -> None:
    image = encode(texture(20, 30, 3), 95)
    payload = bytes([PRECISE | LINKED]) + image.payload[1:]
    assert "links" in str(forged(payload, image.header))


def test_bytes_after_the_layer_are_refused() -> None:
    image = encode(texture(20, 30, 3), 95)
    assert "too long" in str(forged(image.payload + bytes(range(1, 17)), image.header))


def test_every_truncation_is_refused_or_decodes() -> None:
    image = encode(texture(20, 30, 3), 95)
    for length in range(0, len(image.payload), 7):
        forged(image.payload[:length], image.header)


def test_altered_payloads_are_refused_or_decode(rng: np.random.Generator) -> None:
    image = encode(texture(20, 30, 4), 97)
    for _ in range(60):
        altered = bytearray(image.payload)
        altered[rng.integers(len(altered))] ^= 1 << rng.integers(8)
        forged(bytes(altered), image.header)


def test_grey_and_alpha_have_one_colour() -> None:
    assert [shown_channels(n) for n in (1, 2, 3, 4)] == [(1,), (1, 1), (3,), (3, 1)]
