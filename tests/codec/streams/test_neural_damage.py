"""What damage does to neural streams: a clear refusal, or other pixels, and never a crash."""

from dataclasses import replace

import numpy as np
import pytest

import neural_collage as nc
from neural_collage.codec.container import ColourSpace, Header
from neural_collage.codec.streams.neural import LINKED, PRECISE, SEGMENTED, decode
from neural_collage.codec.streams.neural_encoder import make_encoder
from neural_collage.io.modes import Mode
from tests.codec.streams.damage import check_truncations, forged
from tests.codec.streams.neural import MODES, encode, with_links
from tests.codec.streams.test_links import random_links
from tests.pictures import texture


@pytest.mark.parametrize(("mode", "size"), [("L", (20, 16)), ("LA", (6, 5))])
def test_every_truncation_is_refused_or_decodes(mode: Mode, size: tuple[int, int]) -> None:
    collage = encode(texture(*size, MODES[mode]), 40)
    check_truncations(collage, "the neural stream is empty")


def test_truncations_of_linked_pictures_are_refused_or_decode(rng: np.random.Generator) -> None:
    collage = with_links(texture(33, 50, 2), rng)
    assert isinstance(forged(collage.payload, collage.header), np.ndarray)
    for length in range(1, len(collage.payload), 11):
        forged(collage.payload[:length], collage.header)


def test_altered_payloads_are_refused_or_decode(rng: np.random.Generator) -> None:
    for collage in (encode(texture(50, 60, 1)), with_links(texture(33, 40, 2), rng)):
        whole, changed = collage.decode(), 0
        for _ in range(25):
            payload = bytearray(collage.payload)
            payload[int(rng.integers(len(payload)))] ^= 1 << int(rng.integers(8))
            result = forged(bytes(payload), collage.header)
            changed += isinstance(result, str) or not np.array_equal(result, whole)
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
            model=make_encoder().model,
        )
        payload = bytes([int(rng.integers(2))]) + rng.bytes(int(rng.integers(0, 900)))
        result = forged(payload, header)
        if isinstance(result, str):
            reasons.add(result.split(":")[0])
    assert reasons <= {"the neural stream is damaged", "the entropy-coded data is damaged"}


def test_random_links_are_refused_or_decode(rng: np.random.Generator) -> None:
    outcomes = set()
    for size in ((10, 20), (40, 16), (20, 20), (33, 50)):
        for channels, share in ((1, 1.0), (4, 0.2)):
            collage = with_links(texture(*size, channels), rng, share=share)
            result = forged(collage.payload, collage.header)
            if isinstance(result, str):
                assert min(size) <= 16
                assert "links in a picture that no domain fits into" in result
            else:
                assert all(layer.collage.contraction() < 1 for layer in collage.layers)
                for scale in (0.3, 1.5):
                    assert bool(np.isfinite(collage.decode(scale)).all())
            outcomes.add(type(result))
    assert np.ndarray in outcomes


def test_links_are_read_as_they_were_written(rng: np.random.Generator) -> None:
    """At the end of the stream, those of the colours before those of alpha."""
    collage = with_links(texture(40, 60, 4), rng)
    expected = np.random.default_rng(0)
    for layer in collage.layers:
        links = random_links(3, 4, expected)
        np.testing.assert_array_equal(layer.collage.weights[0, :, 0] * 8, links.contrast.ravel())
        np.testing.assert_array_equal(layer.collage.isometries[:, 0], links.isometry.ravel())


def test_unknown_parameters_are_refused() -> None:
    header = encode(texture(8, 12)).header
    for byte in range((LINKED | SEGMENTED | PRECISE) + 1, 256):
        with pytest.raises(nc.CollageFormatError, match=f"unknown parameters {byte:#04x}"):
            decode(bytes([byte]) + b"stream", header)


def test_bytes_after_the_stream_are_refused() -> None:
    collage = encode(texture(20, 30))
    result = forged(collage.payload + bytes(range(1, 17)), collage.header)
    assert result == "the entropy-coded data is damaged: it is too long"


def test_another_colour_space_is_refused() -> None:
    collage = encode(texture(8, 12))
    head = replace(collage.header, colour_space=ColourSpace.YCBCR)
    assert "codec neural has no colour space YCBCR" in str(forged(collage.payload, head))
