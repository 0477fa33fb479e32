from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter


@pytest.fixture
def photo(rng: np.random.Generator) -> Image.Image:
    """A picture of 64 x 48 pixels with smooth blobs and fine grain, which codes like a photo."""
    noise = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    smooth = np.asarray(noise.filter(ImageFilter.GaussianBlur(4)), dtype=float)
    return Image.fromarray(
        np.clip(6 * (smooth - 128) + 128 + np.asarray(noise) / 16, 0, 255).astype(np.uint8)
    )


@pytest.fixture
def folder(photo: Image.Image, tmp_path: Path) -> Path:
    """A folder with two pictures of different sizes and a text file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo.save(folder / "b.png")
    photo.crop((0, 0, 40, 48)).save(folder / "a.PNG")
    (folder / "notes.txt").write_text("not a picture")
    return folder
