"""Files of the shipped models decode to the pixels they always had."""

import numpy as np
import pytest
from PIL import Image

import neural_collage as nc
from neural_collage.codec.weights import weights_of
from neural_collage.io.writing import to_pil
from tests.codec.make_golden import NEURAL


@pytest.mark.parametrize("model", NEURAL)
def test_golden_files_decode_to_the_pixels_they_had(model: str) -> None:
    collage = nc.load(NEURAL[model])
    assert collage.header.model is not None
    assert weights_of(collage.header.model).name == model  # whatever it was called
    expected = np.asarray(Image.open(NEURAL[model].with_suffix(".png")))
    assert np.array_equal(np.asarray(to_pil(collage.decode())), expected)
