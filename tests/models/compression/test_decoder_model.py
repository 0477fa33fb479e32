"""What decoding needs of a model, from the tensors of its file alone."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neural_collage.codec.weights import Weights
from neural_collage.models.arrays_file import read_arrays, read_config, unpack_arrays
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.decoder_model import DecoderModel
from neural_collage.models.compression.integer_entropy import N_SCALES, Pass
from neural_collage.models.compression.integer_layers import IntArray
from neural_collage.training.export.codec_weights import codec_model_to_bytes
from tests.models.compression.codecs import SMALL, lively_compressor

Tensors = dict[str, npt.NDArray[Any]]
NOT_NEEDED = ("compressor.analysis.", "compressor.entropy.side_analysis.", "compressor.step_shape.")


@pytest.fixture(scope="module")
def file() -> bytes:
    return codec_model_to_bytes(CodecModel.finish(lively_compressor()))


@pytest.fixture
def tensors(file: bytes) -> Tensors:
    return unpack_arrays(read_arrays(file))


def needed(tensors: Tensors) -> list[str]:
    return [name for name in tensors if not name.startswith(NOT_NEEDED)]


class Drawn:
    """A `SymbolSource` of random symbols."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def side(self, scales: IntArray) -> IntArray:
        return np.where(scales > 0, self._rng.integers(-3, 4, scales.shape), 0)

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        return self.side(scales)


def decoded(model: DecoderModel, quality: int) -> npt.NDArray[np.int16]:
    return model.amplitudes(model.entropy.run(Drawn(), quality, 3, 4), quality)


def test_it_is_that_of_the_model_that_was_written(file: bytes) -> None:
    of_network = Weights("x", file).build(CodecModel).decoder
    of_file = Weights("x", file).decoder()
    for quality in (1, 50, 100):
        amplitudes = decoded(of_file, quality)
        np.testing.assert_array_equal(amplitudes, decoded(of_network, quality), strict=True)
        assert amplitudes.any()
    np.testing.assert_array_equal(of_file.counts, of_network.counts, strict=True)
    np.testing.assert_array_equal(of_file.bank.patches, of_network.bank.patches, strict=True)
    assert of_file.groups == of_network.groups == SMALL.groups
    assert of_file.n_patches == SMALL.n_patches


def test_it_needs_nothing_of_the_encoder(tensors: Tensors, file: bytes) -> None:
    some = {name: tensors[name] for name in needed(tensors)}
    assert len(some) < len(tensors)
    groups = read_config(file)["config"]["groups"]
    whole, part = DecoderModel(tensors, groups), DecoderModel(some, groups)
    np.testing.assert_array_equal(decoded(part, 70), decoded(whole, 70), strict=True)


def test_missing_tensors_are_named(tensors: Tensors) -> None:
    for name in needed(tensors):
        less = {other: value for other, value in tensors.items() if other != name}
        with pytest.raises(ValueError, match=f"missing tensors {name.split('entropy.')[-1]}$"):
            DecoderModel(less, SMALL.groups)


@pytest.mark.parametrize("groups", [(4, 11), (4,), (4, 12, 1)], ids=str)
def test_groups_that_do_not_fit_are_refused(groups: tuple[int, ...], tensors: Tensors) -> None:
    with pytest.raises(ValueError, match=r"of shape|missing tensors"):
        DecoderModel(tensors, groups)


@pytest.mark.parametrize("value", [65.0, -65.0])
def test_weights_too_large_to_be_exact_are_refused(value: float, tensors: Tensors) -> None:
    for name in needed(tensors):
        if not name.startswith("compressor.entropy."):
            continue
        altered = tensors[name].copy()
        altered.flat[0] = value
        with pytest.raises(ValueError, match="too large to be exact"):
            DecoderModel(tensors | {name: altered}, SMALL.groups)


@pytest.mark.parametrize("axis", [0, 1])
def test_tensors_of_other_shapes_are_refused(axis: int, tensors: Tensors) -> None:
    """When the model is made, not when the first file is decoded."""
    with pytest.raises(ValueError, match=r"."):
        DecoderModel(tensors, (sum(SMALL.groups),))
    accepted = []
    for name in needed(tensors):
        if tensors[name].ndim <= axis:
            continue
        shorter = np.delete(tensors[name], 0, axis)
        try:
            DecoderModel(tensors | {name: shorter}, SMALL.groups)
        except ValueError:
            continue
        accepted.append(name)
    assert len(tensors["counts"]) == N_SCALES
    assert not accepted
