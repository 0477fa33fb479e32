from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, features

from neural_collage.evaluation import peers
from neural_collage.evaluation.metrics import psnr
from neural_collage.evaluation.peers import PEERS

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow built without AVIF")


def _each(*names: str) -> list[object]:
    return [
        pytest.param(name, marks=needs_avif if PEERS[name].format == "AVIF" else ())
        for name in names
    ]


@pytest.mark.parametrize("name", _each(*PEERS))
def test_rate_and_psnr_rise_with_quality(name: str, photo: Image.Image) -> None:
    codec = PEERS[name]
    original = np.asarray(photo)
    worst, best = (codec.encode(photo, codec.qualities[index]) for index in (0, -1))
    assert len(worst) < len(best)
    assert psnr(original, codec.decode(worst)) < psnr(original, codec.decode(best))


@pytest.mark.parametrize("name", PEERS)
def test_qualities_rise_and_suffice_for_a_curve(name: str) -> None:
    qualities = PEERS[name].qualities
    assert list(qualities) == sorted(set(qualities))
    assert len(qualities) >= 8


def test_jpeg2000_files_have_the_given_rate(rng: np.random.Generator) -> None:
    picture = Image.fromarray(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8))
    data = PEERS["jpeg2000"].encode(picture, 2.0)
    assert 8 * len(data) / 128**2 == pytest.approx(2.0, rel=0.1)


def _stripe_contrast(name: str) -> float:
    """What is left at the best quality of stripes of one pixel, red and blue."""
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, 0::2] = (200, 60, 60)
    stripes[:, 1::2] = (60, 60, 200)
    codec = PEERS[name]
    decoded = codec.decode(codec.encode(Image.fromarray(stripes), codec.qualities[-1])).astype(int)
    red_over_blue = decoded[..., 0] - decoded[..., 2]
    return float(np.mean(red_over_blue[:, 0::2] - red_over_blue[:, 1::2]) / 280)


@pytest.mark.parametrize("name", _each(*(name for name in PEERS if "444" in name)))
def test_files_named_444_have_full_chroma(name: str) -> None:
    assert _stripe_contrast(name) > 0.9


@needs_avif
def test_the_default_of_avif_has_half_the_chroma() -> None:
    assert _stripe_contrast("avif") < 0.1


@pytest.mark.parametrize(
    ("one", "other", "quality"),
    [
        ("jxl", "jxl-e9", 50),
        ("heic-444", "heic-444-psnr", 30),
        pytest.param("avif-444", "avif-444-psnr", 50, marks=needs_avif),
        pytest.param("avif-444-psnr", "avif-444-slow", 50, marks=needs_avif),
    ],
)
def test_options_that_tell_peers_apart_change_their_files(
    one: str, other: str, quality: float, photo: Image.Image
) -> None:
    assert PEERS[one].encode(photo, quality) != PEERS[other].encode(photo, quality)


def test_the_preset_of_heic_changes_its_files(photo: Image.Image) -> None:
    slow = PEERS["heic-444"]
    fast = replace(slow, options={**slow.options, "enc_params": {"preset": "ultrafast"}})
    assert slow.encode(photo, 30) != fast.encode(photo, 30)


def test_encoding_leaves_the_options_as_they_are(photo: Image.Image) -> None:
    peer = PEERS["heic-444"]
    before = str(peer.options)
    assert peer.encode(photo, 20) == peer.encode(photo, 20)
    assert str(peer.options) == before


def test_what_a_peer_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert PEERS["jpeg"].missing is None
    assert PEERS["jxl"].missing is not None
    assert "pillow-jxl-plugin is not installed: pip install" in PEERS["jxl"].missing
    monkeypatch.setattr(Image, "SAVE", {})
    assert PEERS["jpeg"].missing == "this build of Pillow cannot write JPEG: leave out jpeg"
