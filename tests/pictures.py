"""Small pictures with edges, gradients and texture, made on the fly, and crops of a real photo."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from skimage.data import astronaut
from torch import Tensor

Samples = Tensor | npt.NDArray[Any]


def texture(height: int, width: int, channels: int = 1, seed: int = 0) -> Float[Tensor, "c h w"]:
    """A ramp, a disc, stripes that change their period, and a little noise, in [0, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    planes = []
    for _ in range(channels):
        a, b, c, d = rng.random(4)
        plane = 0.25 + 0.3 * (a * y + b * x)
        plane = plane + 0.25 * ((y - c / 2) ** 2 + (x - d / 2) ** 2 < 0.04)
        plane = plane + 0.1 * np.sin((30 + 40 * x) * (y + a * x)) * (y > x)
        planes.append(plane + rng.normal(0, 0.01, plane.shape))
    return torch.from_numpy(np.stack(planes)).float().clamp(0, 1)


@lru_cache(maxsize=1)
def _photo() -> Tensor:
    return torch.from_numpy(astronaut()).permute(2, 0, 1) / 255


def photo_crop(size: int, top: int = 100, left: int = 180) -> Float[Tensor, "3 s s"]:
    """A square of a real photo; by default a part of the face, the hair and the background."""
    return _photo()[:, top : top + size, left : left + size].contiguous()


def squared_error(a: Samples, b: Samples) -> float:
    """Summed over all samples, in units of 1/255."""
    return float(np.square(255 * (_double(a) - _double(b))).sum())


def psnr(decoded: Samples, image: Samples) -> float:
    """In dB, of samples that were not rounded; infinite if they are equal."""
    error = float(np.square(_double(decoded) - _double(image)).mean())
    return -10 * math.log10(error) if error else math.inf


def _double(samples: Samples) -> npt.NDArray[np.float64]:
    return np.asarray(samples, np.float64)
