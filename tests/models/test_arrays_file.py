"""Safetensors files read as arrays, as the library itself reads them as tensors."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save

from neural_collage.models.arrays_file import (
    canonical_json,
    check_finite,
    metadata_of,
    read_arrays,
    read_config,
    unpack_arrays,
)
from neural_collage.models.weights_file import weights_to_bytes

TYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool),
]
CONFIG = {"b": [1, 2.5], "a": {"x": "ü", "y": None}}


def sample() -> dict[str, torch.Tensor]:
    """Tensors of every type, with and without dimensions, empty ones, and extreme numbers."""
    rng = torch.Generator().manual_seed(0)
    tensors = {}
    for dtype in TYPES:
        name = str(dtype).removeprefix("torch.")
        values = 100 * torch.randn(3, 4, generator=rng)
        tensors[name] = values.to(dtype)
        tensors[f"{name}.scalar"] = values[0, 0].to(dtype)
        tensors[f"{name}.empty"] = values[:0].to(dtype)
        if dtype.is_floating_point:
            limits = torch.finfo(dtype)
            extreme = [limits.max, limits.min, limits.tiny, limits.smallest_normal / 4, 0.0, -0.0]
            tensors[f"{name}.extreme"] = torch.tensor(extreme, dtype=torch.float64).to(dtype)
    return {name: tensor.clone() for name, tensor in tensors.items()}  # each with its memory


def test_arrays_are_the_tensors_of_a_file() -> None:
    given = sample()
    read = read_arrays(save(given))
    assert read.keys() == given.keys()
    for name, tensor in given.items():
        expected = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        np.testing.assert_array_equal(read[name], expected.numpy(), name, strict=True)
        assert np.array_equal(np.signbit(read[name]), np.signbit(expected.numpy()))


def test_the_config_is_that_of_the_metadata() -> None:
    data = weights_to_bytes(sample(), CONFIG)
    assert read_config(data) == CONFIG
    assert read_config(save(sample(), metadata=metadata_of(CONFIG))) == CONFIG
    assert canonical_json(CONFIG) == canonical_json(dict(reversed(CONFIG.items())))


@pytest.mark.parametrize("config", ["", "no json", "[]", "3", "null", '"text"'])
def test_other_configs_are_refused(config: str) -> None:
    with pytest.raises(ValueError, match="config"):
        read_config(save(sample(), metadata={"config": config}))


@pytest.mark.parametrize("metadata", [None, {}, {"other": "{}"}])
def test_files_without_a_config_are_refused(metadata: dict[str, str] | None) -> None:
    with pytest.raises(ValueError, match="no config in the metadata"):
        read_config(save(sample(), metadata=metadata))


def test_damaged_files_are_refused_or_read(rng: np.random.Generator) -> None:
    data = weights_to_bytes(sample(), CONFIG)
    damaged = [data[:length] for length in (0, 1, 7, 8, 9, 100, len(data) - 1)]
    damaged += [b"\xff" * 8 + data[8:], b"\x20" * 100, b"\0" * 8 + b"{}"]
    for _ in range(200):
        altered = bytearray(data)
        altered[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        damaged.append(bytes(altered))
    refused = 0
    for attempt in damaged:
        for read in (read_arrays, read_config):
            try:
                read(attempt)
            except ValueError as error:
                assert str(error)  # noqa: PT017
                refused += 1
    assert refused > 50
    with pytest.raises(ValueError, match="damaged, or no safetensors file"):
        read_arrays(data[:-1])


def test_types_that_weights_do_not_have_are_refused() -> None:
    tensors = {"x": torch.zeros(3).to(torch.float8_e4m3fn)}
    with pytest.raises(ValueError, match="x is of type F8_E4M3, which weights do not have"):
        read_arrays(save(tensors))


def test_packed_numbers_are_single_precision_and_others_as_they_are() -> None:
    whole = np.array([[1, -127], [5, 0]], np.int8)
    scale = np.array([0.5, 0.001], np.float16)
    counts = np.array([3, 4], np.int32)
    unpacked = unpack_arrays(
        {"w": whole, "w.scale": scale, "half": scale, "double": scale.astype("f8"), "n": counts}
    )
    assert set(unpacked) == {"w", "half", "double", "n"}
    expected = whole.astype(np.float64) * scale.astype(np.float64)[:, None]
    np.testing.assert_array_equal(unpacked["w"].astype(np.float64), expected)
    assert {unpacked[name].dtype for name in ("w", "half", "double")} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(unpacked["n"], counts, strict=True)


@pytest.mark.parametrize(
    "packed",
    [
        {"w": np.zeros((3, 2), np.int8), "w.scale": np.zeros(2, np.float16)},
        {"compressor.patches.0": np.zeros((2, 3, 4, 4), np.float16)},
        {
            "compressor.patches.0": np.zeros((2, 3, 4, 4), np.float16),
            "compressor.patches.1": np.zeros((2, 3, 5, 5), np.float16),
        },
    ],
    ids=["another number of scales", "one part", "parts of two sizes"],
)
def test_parts_that_do_not_fit_are_refused(packed: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="packed tensors do not fit each other"):
        unpack_arrays(packed)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_named(value: float) -> None:
    arrays = {"fine": np.ones(3), "whole": np.ones(2, np.int64), "bad": np.array([[1.0, value]])}
    with pytest.raises(ValueError, match="bad holds numbers that are not finite"):
        check_finite(arrays)
    del arrays["bad"]
    check_finite(arrays)
    assert json.loads(canonical_json({"x": 1})) == {"x": 1}
