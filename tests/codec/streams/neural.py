"""Pictures through the neural codec, for tests."""

from typing import Any

import numpy as np
import pytest
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.base import Layer
from neural_collage.codec.streams import neural_encoder
from neural_collage.codec.streams.links import Links
from neural_collage.codec.weights import shipped_weights
from neural_collage.io.modes import Mode
from neural_collage.models.compression.codec_model import CodecModel
from tests.codec.streams.test_links import random_links

MODES: dict[Mode, int] = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
SIZES = [(1, 1), (1, 5), (5, 1), (17, 33), (70, 93), (1030, 20)]
LUMA = np.array([0.299, 0.587, 0.114]).reshape(3, 1, 1)


def encode(
    picture: Any, quality: int = 50, effort: int = 5, tune: str | None = None
) -> nc.CollageImage:
    return nc.encode(
        picture, codec="neural", graphics=False, quality=quality, effort=effort, tune=tune
    )


def network() -> CodecModel:
    return shipped_weights("natural").build(CodecModel)


def with_links(picture: Tensor, rng: np.random.Generator, **options: Any) -> nc.CollageImage:
    """A picture whose ranges are linked at random, whether that is any good or not."""

    def invented(planes: Tensor, *_: object) -> Links:
        return random_links(planes.shape[1] // 16, planes.shape[2] // 16, rng, **options)

    def no_layers(*_: object) -> tuple[Layer, ...]:
        return ()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neural_encoder, "_links", invented)
        patch.setattr(neural_encoder, "linked_layers", no_layers)
        patch.setattr(neural_encoder, "ITERATIONS", {})
        patch.setattr(neural_encoder, "SMALL_GRID", 0)
        return encode(picture, effort=6)
