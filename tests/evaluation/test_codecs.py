from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neural_collage.errors import CheckpointError, CollageError, MissingExtraError
from neural_collage.evaluation import peers
from neural_collage.evaluation.codecs import (
    BenchmarkCodec,
    benchmark_codecs,
    is_ours,
    missing_peers,
)
from neural_collage.evaluation.metrics import psnr
from neural_collage.evaluation.peers import PEERS
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop
from tests.root import ROOT

AERIAL = ROOT / "src/neural_collage/weights/aerial.safetensors"


def test_rate_and_psnr_of_ours_rise_with_quality(photo: Image.Image) -> None:
    (codec,) = benchmark_codecs(["fractal"], effort=0)
    assert list(codec.qualities) == sorted(set(codec.qualities))
    original = np.asarray(photo)
    worst, best = (codec.encode(photo, codec.qualities[index]) for index in (0, -1))
    assert len(worst) < len(best)
    assert psnr(original, codec.decode(worst)) < psnr(original, codec.decode(best))


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


def test_one_run_can_hold_several_of_our_models(photo: Image.Image) -> None:
    names = ["neural", "neural:aerial", f"neural:{AERIAL}", "fractal"]
    with pytest.raises(CollageError, match=r"would both be neural:aerial.*rename"):
        benchmark_codecs(names)
    natural, aerial, fractal = benchmark_codecs(names[:2] + names[3:], model="natural")
    assert [natural.name, aerial.name, fractal.name] == ["neural", "neural:aerial", "fractal"]
    assert natural.options == {"effort": 5, "model": "natural"}
    assert aerial.options == {"effort": 5, "model": "aerial"}
    assert fractal.options == {"effort": 5}
    assert natural.encode(photo, 50) != aerial.encode(photo, 50)
    assert natural.revision != aerial.revision


def test_a_model_file_is_named_without_its_folder(tmp_path: Path) -> None:
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(AERIAL.read_bytes())
    (codec,) = benchmark_codecs([f"neural:{copy}"])
    assert codec.name == "neural:mine"
    assert codec.options == {"effort": 5, "model": "mine.safetensors"}


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("fractal:natural", CollageError, "fractal has no models"),
        ("neural:none.safetensors", CheckpointError, "none"),
        ("jpeg:natural", CollageError, "unknown codec"),
    ],
)
def test_models_that_cannot_be_are_refused(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        benchmark_codecs([name])


def test_ours_are_told_from_peers() -> None:
    assert all(map(is_ours, ("auto", "neural", "neural:aerial", "fractal", "poli2022")))
    assert not any(map(is_ours, PEERS))


def test_peers_stand_for_all_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["fractal", "peers"]
    installed = {name for name, peer in PEERS.items() if peer.missing is None}
    assert {codec.name for codec in benchmark_codecs(names)} == {"fractal", *installed}
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    left_out = missing_peers(names)
    assert {"jxl", "jxl-e9", "heic-444", "heic-444-psnr"} <= left_out.keys()
    assert "pillow-heif is not installed: pip install" in left_out["heic-444"]
    found = {codec.name for codec in benchmark_codecs(names)}
    assert found == {"fractal", *PEERS} - left_out.keys()
    assert missing_peers(["fractal", "jpeg"]) == {}


def test_a_peer_that_was_named_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"jxl: pillow-jxl-plugin.*neural-collage\[bench\]"):
        benchmark_codecs(["jpeg", "jxl"])
