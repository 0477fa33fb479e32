"""Pictures hold bytes where the source does, and floats are made of the part that is read."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from neural_collage.io.reading import read_picture


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (np.zeros((3, 5, 4), np.uint8), torch.uint8),
        (torch.zeros(2, 3, 5, dtype=torch.uint8), torch.uint8),
        (np.ones((3, 5), bool), torch.uint8),
        (Image.new("P", (5, 3)), torch.uint8),
        (Image.new("CMYK", (5, 3)), torch.uint8),
        (np.zeros((3, 5), np.uint16), torch.float32),
        (np.zeros((3, 5), np.float16), torch.float32),
        (np.zeros((3, 5)), torch.float32),
        (Image.new("I;16", (5, 3)), torch.float32),
    ],
    ids=lambda value: str(getattr(value, "dtype", getattr(value, "mode", value))),
)
@pytest.mark.filterwarnings("ignore:.*CMYK")
def test_eight_bits_stay_bytes_and_more_are_floats(source: Any, kind: torch.dtype) -> None:
    picture = read_picture(source)
    assert picture.samples.dtype == kind
    assert picture.pixels.dtype == torch.float32
    assert picture.levels.dtype == np.uint8


def test_windows_are_parts_of_all_pixels(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 256, (300, 5, 3), dtype=np.uint8)
    deep = levels.astype(np.uint16) * 257 + (levels < 255).astype(np.uint16) * 100
    for source in (levels, deep):
        picture = read_picture(source)
        part = picture.window(slice(7, 290), slice(1, None))
        assert torch.equal(part, picture.pixels[:, 7:290, 1:])
        assert torch.equal(torch.from_numpy(picture.levels), (picture.pixels * 255).round().byte())
    assert (read_picture(levels).levels.transpose(1, 2, 0) == levels).all()
    exact = torch.from_numpy(levels.transpose(2, 0, 1).astype(np.float32)) / 255
    assert torch.equal(read_picture(levels).pixels, exact)


def test_a_lack_of_memory_is_not_called_a_damaged_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", fail)
    with pytest.raises(MemoryError):
        read_picture(Image.new("RGB", (5, 3)))
