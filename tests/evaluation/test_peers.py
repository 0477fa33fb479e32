import numpy as np
import pytest
from PIL import Image, features

from neural_collage.errors import CollageError
from neural_collage.evaluation.metrics import psnr
from neural_collage.evaluation.peers import PEERS, BenchmarkCodec, benchmark_codecs
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow built without AVIF")
PEER_NAMES = [
    pytest.param(name, marks=needs_avif if name == "avif" else ()) for name in sorted(PEERS)
]


@pytest.mark.parametrize("name", ["fractal", *PEER_NAMES])
def test_rate_and_psnr_rise_with_quality(name: str, photo: Image.Image) -> None:
    (codec,) = benchmark_codecs([name], effort=0)
    original = np.asarray(photo)
    worst, best = (codec.encode(photo, codec.qualities[index]) for index in (0, -1))
    assert len(worst) < len(best)
    assert psnr(original, codec.decode(worst)) < psnr(original, codec.decode(best))


@pytest.mark.parametrize("name", ["fractal", *PEER_NAMES])
def test_qualities_rise(name: str) -> None:
    (codec,) = benchmark_codecs([name])
    assert list(codec.qualities) == sorted(set(codec.qualities))


def test_jpeg2000_files_have_the_given_rate(rng: np.random.Generator) -> None:
    picture = Image.fromarray(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8))
    data = PEERS["jpeg2000"].encode(picture, 2.0)
    assert 8 * len(data) / 128**2 == pytest.approx(2.0, rel=0.1)


def test_qualities_and_effort_apply_to_our_codecs_alone() -> None:
    ours, jpeg = benchmark_codecs(["fractal", "jpeg"], qualities=[70, 20], effort=2)
    assert list(ours.qualities) == [20, 70]
    assert ours.options == {"effort": 2}
    assert jpeg is PEERS["jpeg"]


def test_a_codec_named_twice_is_measured_once() -> None:
    codecs: list[BenchmarkCodec] = benchmark_codecs(["jpeg", "webp", "jpeg"])
    assert [codec.name for codec in codecs] == ["jpeg", "webp"]


def test_an_unknown_codec_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CollageError, match=r"unknown codec 'gif'.*fractal, poli2022, jpeg, webp"):
        benchmark_codecs(["jpeg", "gif"])


def test_a_codec_of_a_single_rate_has_one_quality_and_no_options() -> None:
    (codec,) = benchmark_codecs(["poli2022"], qualities=[10, 90], effort=9)
    assert (list(codec.qualities), dict(codec.options)) == ([50], {})
    picture = to_pil(photo_crop(60))
    decoded = codec.decode(codec.encode(picture, codec.qualities[0]))
    assert 15 < psnr(np.asarray(picture), decoded) < 50
