import hashlib

import pytest
import torch

from neural_collage.codec.weights import Weights, shipped_weights
from neural_collage.core.errors import CheckpointError
from neural_collage.models.neural_collage import NeuralCollage
from neural_collage.models.poli2022 import CompressorConfig, TileCompressor
from neural_collage.training.compressor_weights import weights_file

SMALL = CompressorConfig(range_size=4, n_patches=3, embedding=4, depth=1)


def test_weights_are_known_by_their_bytes() -> None:
    data = weights_file(TileCompressor(SMALL))
    model = Weights("small", data).model
    assert (model.name, model.digest) == ("small", hashlib.sha256(data).digest()[:8])
    assert Weights("small", data + b" ").model != model


def test_a_model_is_built_with_its_config() -> None:
    compressor = TileCompressor(SMALL)
    built = Weights("small", weights_file(compressor)).build(TileCompressor)
    assert built.config == SMALL
    state = compressor.state_dict()
    for name, value in built.state_dict().items():
        torch.testing.assert_close(value, state[name], atol=1e-3, rtol=1e-3)


def test_shipped_weights_are_those_of_the_paper() -> None:
    weights = shipped_weights("poli2022")
    assert weights.build(TileCompressor).config == CompressorConfig()
    assert len(weights.data) < 2_000_000


@pytest.mark.parametrize("damage", ["empty", "cut", "no safetensors", "no config", "another model"])
def test_damaged_weights_are_refused(damage: str) -> None:
    data = weights_file(TileCompressor(SMALL))
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
    weights = Weights("small", weights_file(TileCompressor(SMALL)))
    with pytest.raises(CheckpointError, match="unknown keys config"):
        weights.build(NeuralCollage)
