"""Weights are looked up once in a process, and no more of them are kept than fit."""

import os
from pathlib import Path

import huggingface_hub
import pytest

import neural_collage as nc
from neural_collage.codec import weights as weights_module
from neural_collage.codec.weights import find_weights, weights_of
from neural_collage.errors import CheckpointError
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.training.export.codec_weights import codec_model_to_bytes
from tests.models.compression.codecs import lively_compressor
from tests.pictures import texture


@pytest.fixture
def data() -> bytes:
    """A file of weights of a small compressor."""
    return codec_model_to_bytes(CodecModel.finish(lively_compressor()))


@pytest.fixture
def other() -> bytes:
    """The same with other steps."""
    model = CodecModel.finish(lively_compressor())
    model.steps += 1
    return codec_model_to_bytes(model)


@pytest.fixture(autouse=True)
def _without_kept_weights() -> None:
    weights_module.forget_weights()


def test_a_file_of_weights_is_read_once_and_again_when_it_changes(
    data: bytes, other: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(data)
    reads = []
    read_bytes = Path.read_bytes

    def counted(file: Path) -> bytes:
        reads.append(file)
        return read_bytes(file)

    monkeypatch.setattr(Path, "read_bytes", counted)
    picture = texture(20, 30, 3)
    files = {
        nc.compress(picture, codec="neural", graphics=False, model=str(path)) for _ in range(3)
    }
    assert (len(files), reads) == (1, [path])
    path.write_bytes(other)
    os.utime(path, ns=(0, 0))
    files.add(nc.compress(picture, codec="neural", graphics=False, model=str(path)))
    assert (len(files), reads) == (2, [path, path])


def test_the_hub_is_asked_once(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cached").write_bytes(data)
    asked = []

    def download(*arguments: str, **_: object) -> str:
        asked.append(arguments)
        return str(tmp_path / "cached")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    for _ in range(3):
        nc.compress(texture(20, 30, 3), codec="neural", graphics=False, model="someone/something")
    assert len(asked) == 1


def test_a_process_keeps_a_bounded_number_of_weights(data: bytes, tmp_path: Path) -> None:
    models = []
    for number in range(weights_module.KEPT + 2):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(data + b" " * number)
        models.append(find_weights(str(path)).model)
    assert weights_of(models[-1]).model == models[-1]
    assert weights_of(models[2]).model == models[2]
    with pytest.raises(CheckpointError, match="needs the weights '0'"):
        weights_of(models[0])
