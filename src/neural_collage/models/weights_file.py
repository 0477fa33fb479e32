"""Models as safetensors files with their config in the metadata: writing and loading.

The weights of the package, those that users export and those of `save_pretrained` are such files.
"""

from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from neural_collage.models.arrays_file import metadata_of


def weights_to_bytes(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> bytes:
    """The complete file.

    config: the arguments of the model's `__init__`, as JSON values.
    """
    return save(dict(tensors), metadata=metadata_of(config))


def read_tensors(data: bytes) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        ValueError: damaged, or no such file.
    """
    try:
        return load(data)
    except SafetensorError as error:
        raise ValueError(f"damaged, or no safetensors file: {error}") from error


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
