from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neural_collage as nc
from neural_collage.codec.container import Header, pack_file
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil


@pytest.fixture
def picture(rng: np.random.Generator) -> torch.Tensor:
    """RGB, 12 wide, 8 high, in even shades that every codec can keep close to."""
    return torch.from_numpy(rng.integers(0, 2, (3, 1, 1)) * 0.5 + 0.25).float().expand(3, 8, 12)


def test_compress_and_decompress_are_inverse_up_to_the_codecs_loss(picture: torch.Tensor) -> None:
    decoded = nc.decompress(nc.compress(picture, quality=90, effort=0))
    assert decoded.shape == picture.shape
    assert float(np.abs(decoded - picture.numpy()).max()) < 0.05


def test_encode_gives_what_compress_writes(picture: torch.Tensor) -> None:
    collage = nc.encode(picture, quality=30, effort=0)
    assert (collage.width, collage.height, collage.channels, collage.quality) == (12, 8, 3, 30)
    assert collage.to_bytes() == nc.compress(picture, quality=30, effort=0)


def test_a_saved_collage_is_loaded_the_same(picture: torch.Tensor, tmp_path: Path) -> None:
    collage = nc.encode(picture, effort=0)
    nc.save(collage, tmp_path / "x.clg")
    assert list(tmp_path.iterdir()) == [tmp_path / "x.clg"]
    assert nc.load(str(tmp_path / "x.clg")).to_bytes() == collage.to_bytes()


def test_the_profile_travels_with_the_picture(picture: torch.Tensor) -> None:
    image = to_pil(picture, b"a profile")
    collage = nc.CollageImage.from_bytes(nc.compress(image, effort=0))
    assert collage.to_pil().info["icc_profile"] == b"a profile"
    assert read_picture(collage.to_pil()).icc_profile == b"a profile"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"quality": 0}, "quality must be a whole number from 1 to 100, not 0"),
        ({"quality": 101}, "quality"),
        ({"quality": True}, "quality"),
        ({"effort": -1}, "effort must be a whole number from 0 to 9, not -1"),
        ({"effort": 10}, "effort"),
        ({"codec": "jpeg"}, "unknown codec 'jpeg'"),
        ({"device": "toaster"}, "device 'toaster' cannot be used on this machine: try cpu"),
        ({"device": "cuda:99"}, "cannot be used"),
    ],
)
def test_arguments_out_of_range_are_refused(
    picture: torch.Tensor, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(nc.CollageError, match=reason):
        nc.encode(picture, **arguments)


def test_pixels_are_an_array_of_single_precision(picture: torch.Tensor) -> None:
    for scale in (0.5, 1, 3):
        decoded = nc.decompress(nc.compress(picture, effort=0), scale=scale)
        assert type(decoded) is np.ndarray
        assert decoded.dtype == np.float32


@pytest.mark.parametrize("content", [b"", b"\x89CLG\x01", b"text, not a collage"])
def test_loading_something_else_names_the_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.clg").write_bytes(content)
    with pytest.raises(nc.CollageFormatError, match=r"x\.clg: "):
        nc.load(tmp_path / "x.clg")
    with pytest.raises(nc.ImageError, match=r"missing\.clg: no such file"):
        nc.load(tmp_path / "missing.clg")


@pytest.mark.parametrize("payload", [b"", b"\0", b"\xff" * 100, bytes(range(256)), b"\0" * 999])
def test_a_forged_payload_decodes_to_something_or_is_refused(payload: bytes) -> None:
    header = Header(codec=1, width=12, height=8, mode="RGBA", quality=50)
    try:
        decoded = nc.decompress(pack_file(header, payload))
    except nc.CollageFormatError as error:
        assert str(error)  # noqa: PT017
    else:
        assert decoded.shape == (4, 8, 12)
        assert bool(((decoded >= 0) & (decoded <= 1)).all())
