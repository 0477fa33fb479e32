"""Arrays and tensors as pictures: which shapes and types they may have, and what those mean."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.errors import ImageError
from neural_collage.io.modes import MODE_OF_CHANNELS
from neural_collage.io.picture import WHITE, Picture, check_size

_WHITE_OF_16_BITS = 65535
_ROUNDING = 1e-5
"""How far floats may lie outside of [0, 1]: less than a level of 16 bits."""


def from_array(
    array: npt.NDArray[Any], name: str = "the array", max_pixels: int | None = None
) -> Picture:
    """A picture from an array (h, w) or (h, w, c) of bool, uint8, uint16 or floats in [0, 1].

    Raises:
        ImageError: another shape or type, or values out of range; the message calls it `name`.
    """
    if array.ndim not in (2, 3) or array.dtype.kind not in "buf" or array.dtype.itemsize > 8:
        raise ImageError(
            f"{name}: expected (h, w) or (h, w, c) of bool, uint8, uint16 or floats, not "
            f"{array.shape} of {array.dtype}"
        )
    planes = array[..., None] if array.ndim == 2 else array
    if planes.shape[2] not in MODE_OF_CHANNELS:
        hint = ""
        if planes.shape[0] in MODE_OF_CHANNELS:
            hint = ": move the channels to the end, or give a tensor (c, h, w)"
        raise ImageError(
            f"{name}: expected 1 to 4 channels as the last dimension, not {array.shape}{hint}"
        )
    native = planes.astype(planes.dtype.newbyteorder("="), copy=False)
    tensor = torch.from_numpy(np.array(native.transpose(2, 0, 1), order="C"))
    return from_tensor(tensor, name, max_pixels)


def from_tensor(tensor: Tensor, name: str = "the tensor", max_pixels: int | None = None) -> Picture:
    """A picture from a tensor (h, w) or (c, h, w) of bool, uint8, uint16 or floats in [0, 1].

    Floats outside by no more than rounding leaves are clamped. Bytes stay bytes, and bools become
    some; what has more bits becomes floats in single precision. Where nothing has to be converted
    the picture shares the memory of the tensor.

    Raises:
        ImageError: another shape or type, or values out of range; the message calls it `name`.
    """
    if tensor.layout is not torch.strided or tensor.is_meta:
        kind = "meta" if tensor.is_meta else str(tensor.layout).removeprefix("torch.")
        raise ImageError(f"{name}: expected a dense tensor with values, not a {kind} tensor")
    planes = tensor[None] if tensor.ndim == 2 else tensor
    if planes.ndim != 3 or planes.shape[0] not in MODE_OF_CHANNELS:
        raise ImageError(
            f"{name}: expected (h, w) or (c, h, w) with 1 to 4 channels, not {tuple(tensor.shape)}"
        )
    check_size(planes.shape[2], planes.shape[1], name, max_pixels)
    planes = planes.detach().cpu()
    samples = planes
    if planes.dtype == torch.bool:
        samples = planes.byte().mul_(WHITE)
    elif planes.dtype == torch.uint16:
        samples = planes.float().div_(_WHITE_OF_16_BITS)
    elif planes.is_floating_point():
        samples = _checked_floats(planes.float(), name)
    elif planes.dtype != torch.uint8:
        raise ImageError(
            f"{name}: expected bool, uint8, uint16 or floats in [0, 1], not {tensor.dtype}"
        )
    return Picture(samples, MODE_OF_CHANNELS[len(samples)])


def _checked_floats(pixels: Float[Tensor, "c h w"], name: str) -> Float[Tensor, "c h w"]:
    if not bool(pixels.isfinite().all()):
        raise ImageError(f"{name}: holds NaN or infinite values")
    low, high = (float(bound) for bound in pixels.aminmax())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ImageError(
            f"{name}: samples from {low:.4g} to {high:.4g} of full scale, outside 0 to 1: rescale"
        )
    return pixels if low >= 0 and high <= 1 else pixels.clamp(0, 1)
