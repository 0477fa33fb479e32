"""Pictures with errors that people know."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from neural_collage.io.writing import to_pil


def as_jpeg(picture: Tensor, quality: int) -> Tensor:
    """A picture (3, h, w) as JPEG shows it."""
    file = io.BytesIO()
    to_pil(picture).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255
