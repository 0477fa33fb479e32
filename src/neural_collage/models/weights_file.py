"""Models as safetensors files with their config in the metadata: writing, reading, loading.

The weights of the package, those that users export and those of `save_pretrained` are such files.
"""

import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

_CONFIG = "config"  # the key of the metadata
_LENGTH_BYTES = 8  # of the JSON header that follows


def weights_to_bytes(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> bytes:
    """The complete file.

    config: the arguments of the model's `__init__`, as JSON values.
    """
    return save(dict(tensors), metadata={_CONFIG: canonical_json(config)})


def canonical_json(config: Mapping[str, Any]) -> str:
    """A config as text, the same for equal configs."""
    return json.dumps(config, sort_keys=True)


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


def read_tensors(data: bytes) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        ValueError: damaged, or no such file.
    """
    try:
        return load(data)
    except SafetensorError as error:
        raise ValueError(f"damaged, or no safetensors file: {error}") from error


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError if a tensor holds NaN or infinite numbers."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} holds numbers that are not finite")


def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load all weights of a model; names of one shared tensor count as one.

    Raises:
        ValueError: names or shapes do not fit.
    """
    try:
        missing, unknown = model.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:  # shapes, one a line
        raise ValueError(" ".join(str(error).split())) from error
    own = model.state_dict(keep_vars=True)
    loaded = {own[name].data_ptr() for name in state if name in own}
    missing = [name for name in missing if own[name].data_ptr() not in loaded]
    problems = [
        f"{what} {', '.join(names)}"
        for what, names in (("missing tensors", missing), ("unknown tensors", unknown))
        if names
    ]
    if problems:
        raise ValueError("; ".join(problems))
