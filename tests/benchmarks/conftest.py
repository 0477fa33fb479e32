from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def file(rng: np.random.Generator, tmp_path: Path) -> Path:
    """A picture of 24 x 16 pixels."""
    path = tmp_path / "noise.png"
    Image.fromarray(rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)).save(path)
    return path
