import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import huggingface_hub
import jaxtyping
import numpy as np
import pytest
import torch
from huggingface_hub.errors import HFValidationError
from safetensors.torch import load, save
from torch import Tensor

import neural_collage as nc
from neural_collage.codec import weights as weights_module
from neural_collage.codec.container import ModelId
from neural_collage.codec.weights import Weights, find_weights, shipped_weights, weights_of
from neural_collage.errors import CheckpointError
from neural_collage.models.autoencoding.neural_collage import NeuralCollage
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.poli2022 import TileCompressor, TileCompressorConfig
from neural_collage.training.export import codec_weights
from neural_collage.training.export.poli2022_weights import tile_compressor_to_bytes
from tests.models.compression.codecs import SMALL as SMALL_CODEC
from tests.models.compression.codecs import lively_compressor
from tests.pictures import texture

SMALL = TileCompressorConfig(range_size=4, n_patches=3, embedding=4, depth=1)


def test_weights_are_known_by_their_bytes() -> None:
    data = tile_compressor_to_bytes(TileCompressor(SMALL))
    model = Weights("small", data).model
    assert (model.name, model.digest) == ("small", hashlib.sha256(data).digest()[:8])
    assert Weights("small", data + b" ").model != model


def test_a_model_is_built_with_its_config() -> None:
    compressor = TileCompressor(SMALL)
    built = Weights("small", tile_compressor_to_bytes(compressor)).build(TileCompressor)
    assert built.config == SMALL
    state = compressor.state_dict()
    for name, value in built.state_dict().items():
        torch.testing.assert_close(value, state[name], atol=1e-3, rtol=1e-3)


def test_shipped_weights_are_those_of_the_paper() -> None:
    weights = shipped_weights("poli2022")
    assert weights.build(TileCompressor).config == TileCompressorConfig()
    assert len(weights.data) < 2_000_000


@pytest.mark.parametrize("damage", ["empty", "cut", "no safetensors", "no config", "another model"])
def test_damaged_weights_are_refused(damage: str) -> None:
    data = tile_compressor_to_bytes(TileCompressor(SMALL))
    damaged = {
        "empty": b"",
        "cut": data[:-1],
        "no safetensors": b"\x20" * 100,
        "no config": data.replace(b"__metadata__", b"__somethin__"),
        "another model": data.replace(b"range_size", b"range_sizf"),
    }[damage]
    with pytest.raises(CheckpointError, match="the weights small are damaged or of another model"):
        Weights("small", damaged).build(TileCompressor)


def test_weights_of_one_class_are_not_those_of_another() -> None:
    weights = Weights("small", tile_compressor_to_bytes(TileCompressor(SMALL)))
    with pytest.raises(CheckpointError, match="unknown keys config"):
        weights.build(NeuralCollage)


# Weights of the neural codec, of a user's own


@pytest.fixture
def data() -> bytes:
    """A file of weights of a small compressor."""
    return codec_weights.codec_model_to_bytes(CodecModel.finish(lively_compressor()))


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts every test without weights from another one."""
    weights_module.forget_weights()


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without checks of types, which ask a codec for its model and hide what that raises."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def with_config(data: bytes, config: str) -> bytes:
    """The same tensors, another config."""
    return save(load(data), metadata={"config": config})


def altered(data: bytes, change: Callable[[dict[str, Tensor]], object]) -> bytes:
    """The same config, other tensors."""
    tensors = load(data)
    change(tensors)
    return save(tensors, metadata={"config": json.dumps({"config": asdict(SMALL_CODEC)})})


def test_weights_are_found_in_a_file_or_a_folder(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("other.safetensors", "mine/model.safetensors"):
        (tmp_path / name).write_bytes(data)
    for given, name in (
        ("other.safetensors", "other"),
        ("mine", "mine"),
        ("mine/", "mine"),
        ("mine/model.safetensors", "mine"),
    ):
        weights = find_weights(f"{tmp_path}/{given}")
        assert weights == Weights(name, data)
        assert weights.build(CodecModel).config == SMALL_CODEC


@pytest.mark.parametrize("given", [".", "model.safetensors", "./model.safetensors"])
def test_weights_of_the_current_folder_have_a_name(
    given: str, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(data)
    model = find_weights(given).model
    assert model.name
    assert model.digest == Weights("x", data).model.digest


def test_a_folder_that_save_pretrained_wrote_is_found(tmp_path: Path) -> None:
    model = CodecModel.finish(lively_compressor())
    model.save_pretrained(tmp_path / "mine")
    weights = find_weights(str(tmp_path / "mine"))
    assert weights.name == "mine"
    built = weights.build(CodecModel)
    for name, value in model.state_dict().items():
        assert torch.equal(built.state_dict()[name], value)
    picture = texture(20, 30, 3)
    collage = nc.encode(picture, codec="neural", graphics=False, model=str(tmp_path / "mine"))
    assert nc.decompress(collage.to_bytes()).shape == picture.shape


@pytest.mark.parametrize("name", ["natural", "natural-psnr", "aerial"])
def test_shipped_weights_are_found_by_name(name: str) -> None:
    weights = find_weights(name)
    assert weights is shipped_weights(name)
    assert weights.build(CodecModel).config.n_patches > 0
    assert weights_of(weights.model) is weights


@pytest.mark.parametrize(
    "name",
    ["missing", "missing.safetensors", "a/missing.safetensors", "/nowhere/at/all", "poli2022"],
)
def test_missing_weights_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        find_weights(name)
    message = str(caught.value)
    assert repr(name) in message or name in message
    assert "natural, natural-psnr, aerial" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("name", ["x" * 300, "~nobody_of_this_name/x", "a\0b"])
def test_names_that_no_file_can_have_are_refused(name: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_weights(name)
    assert repr(name) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_empty_folder_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights"):
        find_weights(str(tmp_path))


@pytest.mark.parametrize("error", [OSError("offline"), OSError(), HFValidationError("bad name")])
def test_weights_that_the_hub_has_not_are_named(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def refuse(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(CheckpointError, match="no weights 'someone/something' here, and none on"):
        find_weights("someone/something")


def test_weights_on_the_hub_are_found_by_name(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cached").write_bytes(data)
    asked = []

    def download(*arguments: str, local_files_only: bool) -> str:
        asked.append((*arguments, local_files_only))
        return str(tmp_path / "cached")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    picture = texture(20, 30, 3)
    file = nc.compress(picture, codec="neural", graphics=False, model="someone/something")
    weights_module.forget_weights()
    collage = nc.CollageImage.from_bytes(file)
    assert collage.header.model == ModelId("someone/something", Weights("x", data).model.digest)
    assert collage.decode().shape == picture.shape
    # what a user names may be downloaded, what a file names must be there
    wanted = ("someone/something", "model.safetensors")
    assert set(asked) == {(*wanted, False), (*wanted, True)}
    (tmp_path / "cached").write_bytes(data + b" ")  # replaced by others
    weights_module.forget_weights()
    with pytest.raises(CheckpointError, match="'someone/something' of hash"):
        nc.decompress(file)


def test_a_file_is_decoded_with_the_weights_that_are_named(data: bytes, tmp_path: Path) -> None:
    path, other = tmp_path / "mine.safetensors", tmp_path / "other.safetensors"
    path.write_bytes(data)
    change = altered(data, lambda tensors: tensors["steps"].add_(1))
    other.write_bytes(change)
    picture = texture(40, 50, 3)
    collage = nc.encode(picture, codec="neural", graphics=False, model=str(path), quality=90)
    pixels, file = collage.decode(), collage.to_bytes()
    assert collage.header.model == Weights("mine", data).model
    weights_module.forget_weights()
    with pytest.raises(CheckpointError, match=r"needs the weights 'mine' of hash .*model="):
        nc.decompress(file)
    with pytest.raises(CheckpointError, match="needs the weights 'mine'"):
        nc.decompress(file, model=str(other))
    with pytest.raises(CheckpointError, match="no weights 'nowhere'"):
        nc.decompress(file, model="nowhere")
    path.rename(tmp_path / "renamed.safetensors")
    assert np.array_equal(nc.decompress(file, model=str(tmp_path / "renamed.safetensors")), pixels)
    assert np.array_equal(nc.decompress(file), pixels)  # from now on
    weights_module.forget_weights()
    (tmp_path / "x.clg").write_bytes(file)
    loaded = nc.load(tmp_path / "x.clg", model=str(tmp_path / "renamed.safetensors"))
    assert np.array_equal(loaded.decode(), pixels)


def test_a_name_of_the_package_does_not_make_weights_those_of_the_package(
    data: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "natural.safetensors"
    path.write_bytes(data)
    picture = texture(20, 30, 3)
    file = nc.compress(picture, codec="neural", graphics=False, model=str(path))
    weights_module.forget_weights()
    ours = shipped_weights("natural").model.digest.hex()
    with pytest.raises(CheckpointError, match=f"needs the weights 'natural' .* here are {ours}"):
        nc.decompress(file)
    assert nc.decompress(file, model=str(path)).shape == picture.shape


@pytest.mark.usefixtures("unchecked")
def test_weights_of_another_codec_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "natural.safetensors"
    path.write_bytes(shipped_weights("poli2022").data)
    with pytest.raises(CheckpointError, match="the weights natural are damaged or of another"):
        nc.compress(texture(8, 8, 3), codec="neural", graphics=False, model=str(path))


@pytest.mark.parametrize(
    "name",
    ["compressor.analysis.head.weight", "compressor.analysis.linear.weight",
     "compressor.entropy.log_scale.rungs", "compressor.patches.0"],
)  # fmt: skip
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(name: str, value: float, data: bytes) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        part = name if tensors[name].is_floating_point() else f"{name}.scale"
        tensors[part].view(-1)[-1] = value

    broken = Weights("mine", altered(data, spoil))
    with pytest.raises(CheckpointError, match=r"the weights mine .* not finite"):
        broken.build(CodecModel)


def test_packed_tensors_that_do_not_fit_each_other_are_refused(data: bytes) -> None:
    def narrowed(tensors: dict[str, Tensor]) -> None:
        tensors["compressor.patches.0"] = tensors["compressor.patches.0"][..., :1].contiguous()

    for change in (lambda tensors: tensors.pop("compressor.patches.1"), narrowed):
        with pytest.raises(CheckpointError, match="packed tensors do not fit each other"):
            Weights("mine", altered(data, change)).build(CodecModel)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("count", [0, -1])
def test_tables_that_cannot_escape_are_refused(count: int, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(altered(data, lambda tensors: tensors["counts"][3:4, -1:].fill_(count)))
    with pytest.raises(CheckpointError, match="the weights mine are damaged"):
        nc.compress(texture(8, 8, 3), codec="neural", graphics=False, model=str(path))


@pytest.mark.usefixtures("unchecked")
def test_extreme_weights_are_refused_or_used(data: bytes, tmp_path: Path) -> None:
    """As large as half precision can be: no other error."""

    def spoil(tensors: dict[str, Tensor]) -> None:
        for tensor in tensors.values():
            if tensor.is_floating_point():
                tensor.fill_(60_000)

    path = tmp_path / "mine.safetensors"
    path.write_bytes(altered(data, spoil))
    try:
        file = nc.compress(texture(20, 30, 3), codec="neural", graphics=False, model=str(path))
    except CheckpointError as error:
        assert "the weights mine" in str(error)  # noqa: PT017
    else:
        assert bool(np.isfinite(nc.decompress(file)).all())


CONFIGS = [
    "no json", "[]", "{}", '""', "null", "3", '{"config": null}', '{"config": 3}',
    '{"config": []}', '{"config": {}}', '{"config": {"groups": []}}',
    '{"config": {"groups": "abc"}}', '{"config": {"groups": [4.5]}}',
    '{"config": {"groups": null}}', '{"config": {"widths": [8]}}', '{"config": {"rungs": 1}}',
    '{"config": {"state": -3}}', '{"config": {"depths": [0.5, 1]}}', '{"config": {"unknown": 1}}',
    '{"other": 1}',
]  # fmt: skip


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("config", CONFIGS)
def test_invalid_configs_are_refused(config: str, data: bytes) -> None:
    with pytest.raises(CheckpointError, match="the weights mine are damaged or of another model"):
        Weights("mine", with_config(data, config)).build(CodecModel)


def test_the_reason_of_a_refusal_is_short(data: bytes) -> None:
    """Not a list of all tensors that differ."""
    with pytest.raises(CheckpointError) as caught:
        Weights("mine", with_config(data, '{"config": {}}')).build(CodecModel)
    assert len(str(caught.value)) < 1000
