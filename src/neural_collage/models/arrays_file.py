"""Safetensors files with a config in their metadata, read as arrays: all that decoding needs."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

WEIGHTS_FILE = "model.safetensors"
SCALE = ".scale"
"""The end of the name of a scale per row, half precision, of the int8 tensor named before it."""
PATCHES = "compressor.patches"
"""The tensor that is packed in two parts: the first patches are more precise than the others."""
_CONFIG = "config"  # the key of the metadata
_LENGTH_BYTES = 8  # of the JSON header that follows
_TYPES = {
    **{f"F{8 * n}": f"<f{n}" for n in (2, 4, 8)},
    **{f"I{8 * n}": f"<i{n}" for n in (1, 2, 4, 8)},
    **{f"U{8 * n}": f"<u{n}" for n in (1, 2, 4, 8)},
    "BOOL": "?",
}
Array = npt.NDArray[Any]


def canonical_json(config: Mapping[str, Any]) -> str:
    """A config as text, the same for equal configs."""
    return json.dumps(config, sort_keys=True)


def metadata_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The metadata that `read_config` reads.

    config: the arguments of a model's `__init__`, as JSON values.
    """
    return {_CONFIG: canonical_json(config)}


def read_config(data: bytes) -> dict[str, Any]:
    """The config in the header of a file; its tensors are not read.

    Raises:
        ValueError: it has none, or is no such file.
    """
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    try:
        header = json.loads(data[_LENGTH_BYTES:][:length])
        config = json.loads(header["__metadata__"][_CONFIG])
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"no config in the metadata: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"the config is no JSON object, but {config!r}")
    return config


def read_arrays(data: bytes) -> dict[str, Array]:
    """The tensors of a file; those in bfloat16 become float32.

    Raises:
        ValueError: damaged, no such file, or tensors of a type that weights do not have.
    """
    try:
        stored = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ValueError(f"damaged, or no safetensors file: {error}") from error
    return {name: _array(name, **view) for name, view in stored}


def _array(name: str, dtype: str, shape: list[int], data: bytes | bytearray) -> Array:
    if dtype == "BF16":
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    if dtype not in _TYPES:
        raise ValueError(f"{name} is of type {dtype}, which weights do not have")
    return np.frombuffer(data, _TYPES[dtype]).reshape(shape)


def unpack_arrays(packed: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors that `packing.pack_state` packed, in single precision; others as they are.

    Products of int8 and half precision are exact in single precision, so unpacked weights are the
    same on every machine. Raises ValueError for parts that are missing or do not fit each other.
    """
    try:
        return _unpacked(packed)
    except (LookupError, ValueError) as error:  # of numpy, for shapes
        raise ValueError(f"packed tensors do not fit each other: {error}") from error


def _unpacked(packed: Mapping[str, Array]) -> dict[str, Array]:
    state: dict[str, Array] = {}
    for name, value in packed.items():
        if name.endswith(SCALE):
            continue
        scale = packed.get(name + SCALE)
        if scale is not None:
            rows = scale.astype(np.float32).reshape(-1, *(1,) * (value.ndim - 1))
            if len(rows) != len(value):
                raise ValueError(f"{len(value)} rows of {name}, {len(rows)} scales")
            value = value.astype(np.float32) * rows
        is_float = np.issubdtype(value.dtype, np.floating)
        state[name] = value.astype(np.float32, copy=False) if is_float else value
    if f"{PATCHES}.0" in state:
        state[PATCHES] = np.concatenate([state.pop(f"{PATCHES}.{n}") for n in (0, 1)])
    return state


def check_finite(arrays: Mapping[str, Array]) -> None:
    """Raise ValueError if an array holds NaN or infinite numbers."""
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")
