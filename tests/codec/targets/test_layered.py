"""What `encode` makes of pictures: a graphics layer, a base, or both."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.encoding.promises import promised_psnr
from neural_collage.codec.graphics.copying import BASE
from tests.codec.graphics.drawings import (
    checkerboard,
    gradient_bars,
    one_colour,
    pixel_art,
    text,
)
from tests.pictures import photo_crop, psnr

DRAWINGS: dict[str, Callable[[], Tensor]] = {
    "text": text,
    "checkerboard": checkerboard,
    "bars": gradient_bars,
    "art": pixel_art,
    "most colours": lambda: pixel_art(64, 80, n_colours=256),
}
CODECS = ["auto", "neural", "fractal"]


def is_exact(image: nc.CollageImage, picture: Tensor, first_column: int = 0) -> bool:
    """Whether a file decodes to a picture, in 8 bits, from a column on."""
    decoded, wanted = nc.decompress(image.to_bytes()), picture.numpy()
    levels = [np.rint(255 * p[..., first_column:]) for p in (decoded, wanted)]
    return np.array_equal(levels[0], levels[1])


def noise(size: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(256, (channels, size, size), generator=generator) / 255


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", DRAWINGS)
def test_quality_100_is_exact_for_drawings(name: str, codec: str) -> None:
    picture = DRAWINGS[name]()
    image = nc.encode(picture, codec=codec, quality=100)
    assert image.payload == b""
    assert image.layers == ()
    assert is_exact(image, picture)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_every_mode_is_exact(channels: int, mode: str) -> None:
    drawing = text(40, 90)
    planes = [drawing[:1], torch.ones(1, 40, 90)] if channels < 3 else [drawing, drawing[:1] / 2]
    picture = torch.cat(planes)[:channels]
    picture[-1, :, :20] = 1  # visible
    image = nc.encode(picture, quality=100)
    assert image.header.mode == mode
    assert is_exact(image, picture)


@pytest.mark.parametrize("quality", [1, 50, 100])
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 700), (700, 1), (5, 3), (64, 64), (333, 217)], ids=str
)
def test_one_colour_takes_few_bytes_and_is_exact(size: tuple[int, int], quality: int) -> None:
    picture = one_colour(*size, (17, 230, 99))
    image = nc.encode(picture, quality=quality)
    assert len(image.to_bytes()) <= 60
    assert is_exact(image, picture)


def test_a_large_picture_of_one_colour_takes_few_bytes() -> None:
    image = nc.encode(one_colour(3000, 2000, (17, 230, 99)))
    assert len(image.to_bytes()) <= 60
    assert image.graphics is not None
    assert image.graphics.palette.tolist() == [[17, 230, 99]]
    assert image.graphics.owned_share() == 1


def test_a_photograph_has_no_layer() -> None:
    for quality in (25, 60, 85):
        photo = photo_crop(96)
        image = nc.encode(photo, quality=quality)
        assert image.graphics is None
        assert image == nc.encode(photo, codec="neural", graphics=False, quality=quality)


def red_and_blue(size: int, deviation: float) -> Tensor:
    """Checkers whose luma differs little, with noise."""
    generator = torch.Generator().manual_seed(1)
    square = torch.arange(size) // 4
    odd = (square[:, None] + square) % 2
    picture = torch.stack([odd, torch.zeros(size, size), 1 - odd])
    picture = picture + deviation * torch.randn(picture.shape, generator=generator)
    return (255 * picture.clamp(0, 1)).round() / 255


def stripes(size: int) -> Tensor:
    """The same without any change along rows."""
    return red_and_blue(size, 0.05)[:, :, :1].expand(-1, -1, size)


HARD: dict[str, Callable[[], Tensor]] = {
    "noise": lambda: noise(48),
    "more noise": lambda: noise(80),
    "grey noise": lambda: noise(48, 1),
    "checkers": lambda: red_and_blue(64, 0.05),
    "noisy checkers": lambda: red_and_blue(72, 0.2),
    "rows beside a photograph": lambda: torch.cat([photo_crop(64), stripes(64)], 2),
    "photograph": lambda: photo_crop(64),
    "another": lambda: photo_crop(96, 0, 300),
    "art": lambda: pixel_art(48, 48, 200),
}


@pytest.mark.parametrize("quality", [50, 75, 100])
@pytest.mark.parametrize("name", HARD)
def test_auto_keeps_what_the_quality_promises(name: str, quality: int) -> None:
    picture = HARD[name]()
    for graphics in (True, False):
        image = nc.encode(picture, quality=quality, effort=0, graphics=graphics)
        assert image.quality == quality
        decoded = nc.decompress(image.to_bytes())
        assert psnr(decoded, picture) >= promised_psnr(quality)


@pytest.mark.parametrize("quality", [1, 25, 50, 75, 90])
def test_the_fallback_spends_no_more_than_its_promise_takes(quality: int) -> None:
    picture = noise(96)
    image = nc.encode(picture, quality=quality)
    assert image.codec == "fractal"
    assert 0 <= psnr(image.decode(), picture) - promised_psnr(quality) < 0.8


def test_no_fallback_is_needed_where_a_precision_layer_keeps_the_promise() -> None:
    picture = noise(96)
    image = nc.encode(picture, quality=100)
    assert image.codec == "neural"
    assert psnr(image.decode(), picture) >= promised_psnr(100)


def test_promises_rise_with_quality() -> None:
    promises = [promised_psnr(quality) for quality in range(1, 101)]
    assert promises == sorted(set(promises))


def with_hidden(visible: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """A picture whose alpha is 0 but in a corner, and which of its pixels are visible."""
    size = visible.shape[1]
    alpha = torch.zeros(1, *hidden.shape[1:])
    alpha[:, :size, :size] = 1
    alpha[:, size - 8 : size, :size] = 0.5
    colours = hidden.clone()
    colours[:, :size, :size] = visible
    return torch.cat([colours, alpha]), alpha[0] > 0


@pytest.mark.parametrize(
    ("kind", "quality", "codec"),
    [
        ("photograph", 60, "auto"),
        ("photograph", 60, "neural"),
        ("photograph", 100, "fractal"),
        ("text", 60, "auto"),
        ("text", 100, "neural"),
        ("noise", 75, "auto"),
    ],
)
def test_invisible_pixels_change_no_byte(kind: str, quality: int, codec: str) -> None:
    pictures = {"photograph": photo_crop(48), "text": text(48, 48), "noise": noise(48)}
    files = set()
    for hidden in (torch.zeros(3, 90, 100), torch.rand(3, 90, 100).round()):
        picture, _ = with_hidden(pictures[kind], hidden)
        files.add(nc.compress(picture, codec=codec, quality=quality, effort=0))
    assert len(files) == 1


def test_promises_are_kept_where_pixels_are_visible() -> None:
    """Hidden noise does not hide what the base makes of the visible one."""
    picture, is_visible = with_hidden(noise(64), torch.rand(3, 192, 192).round())
    decoded = nc.encode(picture, quality=75, effort=0).decode()
    errors = np.square(decoded - picture.numpy())
    errors[:3] *= is_visible.numpy()
    assert -10 * np.log10(errors.mean()) >= promised_psnr(75)
    assert float(decoded[3, ~is_visible.numpy()].mean()) < 0.01


def test_a_picture_half_photograph_half_text_gets_both() -> None:
    picture = torch.cat([photo_crop(144, 20, 200), torch.cat([text(), text()], 1)], 2)
    image = nc.encode(picture, quality=60)
    assert image.graphics is not None
    assert image.payload
    owned = torch.from_numpy(image.graphics.pixel_modes != BASE)
    assert owned[:, 144:].float().mean() > 0.95
    assert owned[:, :144].float().mean() < 0.1
    assert is_exact(image, picture, first_column=152)
    without = nc.encode(picture, quality=60, graphics=False)
    assert len(image.to_bytes()) < len(without.to_bytes())
    assert psnr(image.decode(), picture) > psnr(without.decode(), picture)


@pytest.mark.parametrize("codec", ["neural", "fractal"])
def test_named_codecs_take_a_layer_or_not(codec: str) -> None:
    picture = torch.cat([photo_crop(72, 20, 200), text()], 2)
    with_layer = nc.encode(picture, codec=codec, quality=70, effort=0)
    without = nc.encode(picture, codec=codec, quality=70, effort=0, graphics=False)
    assert with_layer.codec == without.codec == codec
    assert with_layer.graphics is not None
    assert without.graphics is None
    assert without.header.graphics is None
    assert psnr(with_layer.decode(), picture) > psnr(without.decode(), picture)


def test_a_codec_that_takes_no_layer_gets_none() -> None:
    picture = text(16, 32)
    assert nc.encode(picture, codec="poli2022").graphics is None


def test_a_file_decodes_as_its_encoder_saw_it() -> None:
    """Encoders know the collages of their payloads, readers those that are written."""
    picture = torch.cat([photo_crop(72, 20, 200), text()], 2)
    for codec in ("neural", "fractal"):
        image = nc.encode(picture, codec=codec, quality=70, effort=0)
        again = nc.CollageImage.from_bytes(image.to_bytes())
        for scale in (1, 2):
            assert np.array_equal(again.decode(scale), image.decode(scale))


@pytest.mark.parametrize("quality", [50, 100])
def test_sixteen_bits_of_grey_are_kept_to_what_the_quality_promises(quality: int) -> None:
    ramp = np.linspace(0, 65535, 96 * 64).reshape(64, 96).astype(np.uint16)
    image = nc.encode(Image.fromarray(ramp), quality=quality, effort=0)
    assert image.header.mode == "L"
    exact = torch.from_numpy(ramp.astype(np.float32))[None] / 65535
    assert psnr(image.decode(), exact) >= promised_psnr(quality)
    steps = (ramp // 8192 * 8192).astype(np.uint16)
    coarse = nc.encode(Image.fromarray(steps), quality=quality, effort=0)
    error = 65535 * coarse.decode()[0] - steps
    assert np.abs(error).max() <= (129 if quality == 100 else 8192)  # half a step of 8 bits


def test_the_profile_stays() -> None:
    image = Image.fromarray((255 * text()).byte().permute(1, 2, 0).numpy())
    image.info["icc_profile"] = b"profile"
    assert nc.encode(image, quality=100).header.icc_profile == b"profile"
