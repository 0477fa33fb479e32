"""Weights as they are shipped: in half precision, or as int8 with a scale per row.

A matrix in int8 is stored as `name` and `name.scale` (half precision).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from neural_collage.models.arrays_file import PATCHES, SCALE, unpack_arrays

_LARGEST = 127
_IN_BYTES = ("compressor.analysis.", "compressor.entropy.side_analysis.")
_IN_HALVES = ("compressor.analysis.linear.",)
_PRECISE_PATCHES = 64  # large coefficients amplify the rounding errors of the first patches


def pack_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors to write for a state_dict of a model.

    Raises ValueError for numbers beyond half precision.
    """
    packed: dict[str, Tensor] = {}
    for name, value in state.items():
        if value.is_floating_point() and not bool(value.half().isfinite().all()):
            raise ValueError(f"{name} holds numbers that half precision cannot hold")
        if name == PATCHES:
            packed[f"{name}.0"] = value[:_PRECISE_PATCHES].half()
            packed |= _in_bytes(f"{name}.1", value[_PRECISE_PATCHES:])
        elif name.startswith(_IN_BYTES) and not name.startswith(_IN_HALVES) and value.ndim > 2:
            packed |= _in_bytes(name, value)
        else:
            packed[name] = value.half() if value.is_floating_point() else value
    return {name: value.contiguous() for name, value in packed.items()}


def unpack_state(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state_dict that was packed, rounded; tensors that are not packed stay as they are.

    Raises ValueError for parts that are missing or do not fit each other.
    """
    arrays = {name: value.detach().cpu().numpy() for name, value in packed.items()}
    return {name: torch.from_numpy(value) for name, value in unpack_arrays(arrays).items()}


def _in_bytes(name: str, value: Tensor) -> dict[str, Tensor]:
    peak = value.flatten(1).abs().amax(1) if value.numel() else value.new_zeros(len(value))
    scale = (peak / _LARGEST).clamp_min(2.0**-24).half()
    wide = scale.float().view(-1, *(1,) * (value.ndim - 1))
    numbers = (value / wide).round().clamp(-_LARGEST, _LARGEST).to(torch.int8)
    return {name: numbers, name + SCALE: scale}
