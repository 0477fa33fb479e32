from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image

import neural_collage as nc
from neural_collage.codec import registry
from neural_collage.codec.container import pack_file
from neural_collage.core.arrays.averages import pool
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.scales import Region
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop, texture

SCALES = [1 / 4, 1 / 2, 1, 1.5, 2, 3, 10]
MODES = [1, 2, 3, 4]


@cache
def collage(channels: int = 3, quality: int = 60) -> nc.CollageImage:
    """69 x 50 pixels, with domains, all pixels well inside [0, 1]."""
    picture = 0.3 + 0.4 * texture(50, 69, channels)
    return nc.encode(picture, codec="fractal", graphics=False, quality=quality, effort=5)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("channels", [2, 3])
def test_the_size_follows_the_scale(channels: int, scale: float) -> None:
    decoded = collage(channels).decode(scale)
    assert decoded.shape == (channels, int(50 * scale + 0.5), int(69 * scale + 0.5))
    assert bool(((decoded >= 0) & (decoded <= 1)).all())
    mean = collage(channels).decode().mean()
    assert float(decoded.mean()) == pytest.approx(float(mean), abs=0.01)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("quality", [60, 80])  # chroma at half size, and at full
def test_a_region_is_cut_out_of_the_whole(scale: float, quality: int) -> None:
    image = collage(quality=quality)
    whole = image.decode(scale)
    _, height, width = whole.shape
    regions: list[Region] = [
        (0, 0, width, height),
        (width - 1, height - 1, 1, 1),
        (width // 3, height // 5, width // 2, height // 2),
        (0, height // 2, 3, 2),
    ]
    for x, y, w, h in regions:
        part = image.decode(scale, (x, y, w, h))
        np.testing.assert_allclose(
            part, whole[:, y : y + h, x : x + w], atol=1e-5, rtol=0, strict=True
        )


@pytest.mark.parametrize("quality", [60, 80])
@pytest.mark.parametrize("channels", [1, 4])
def test_averaging_the_doubled_image_gives_the_image(channels: int, quality: int) -> None:
    image = collage(channels, quality)
    once, twice, fourfold = (image.decode(scale) for scale in (1, 2, 4))
    assert float(once.min()) > 0
    assert float(once.max()) < 1  # nothing was clipped
    np.testing.assert_allclose(pool(twice, 2), once, atol=1e-5, rtol=0, strict=True)
    inside = ((fourfold > 0) & (fourfold < 1)).all()
    assert bool(inside)
    np.testing.assert_allclose(pool(fourfold, 4), once, atol=1e-5, rtol=0, strict=True)


def test_halving_averages_but_for_odd_edges() -> None:
    half, once = collage().decode(0.5), collage().decode()
    whole = torch.from_numpy(once)[None]
    rows = torch.nn.functional.interpolate(whole, size=half.shape[1:], mode="area")[0]
    assert half.shape == (3, 25, 35)
    assert float(np.abs(half - rows.numpy()).mean()) < 0.01


def test_a_photo_is_clipped_to_the_range_of_pixels() -> None:
    photo = photo_crop(64, 0, 300)
    decoded = nc.encode(photo, codec="neural", graphics=False, quality=30, effort=4).decode(2)
    assert (float(decoded.min()) >= 0, float(decoded.max()) <= 1) == (True, True)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), 1e-9])
def test_a_scale_without_pixels_is_refused(scale: float) -> None:
    with pytest.raises(nc.CollageError, match="scale"):
        collage().decode(scale)


def test_a_scale_beyond_counting_is_refused() -> None:
    with pytest.raises(nc.CollageError, match="more pixels than can be counted"):
        collage().decode(1e15, (0, 0, 1, 1))


@pytest.mark.parametrize(
    "region",
    [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 0, 5), (0, 0, 5, 0), (65, 0, 5, 5), (0, 46, 5, 5)],
)
def test_a_region_outside_is_refused(region: Region) -> None:
    with pytest.raises(nc.CollageError, match="does not lie inside the 69x50 pixels"):
        collage().decode(1, region)
    assert collage().decode(2, (65, 46, 5, 5)).shape == (3, 5, 5)


def test_a_deep_window_is_decoded_without_the_image_around_it() -> None:
    window = collage().decode(4096, (100_000, 90_000, 24, 16))
    assert window.shape == (3, 16, 24)
    assert bool(np.isfinite(window).all())
    whole = collage().decode()[:, 90_000 // 4096, 100_000 // 4096]
    assert float(np.abs(window.mean((1, 2)) - whole).max()) < 0.3


def test_a_pillow_image_has_the_size_the_mode_and_the_profile() -> None:
    for channels, mode in zip(MODES, ("L", "LA", "RGB", "RGBA"), strict=True):
        image = collage(channels).to_pil(2, (3, 4, 30, 20))
        assert (image.size, image.mode) == ((30, 20), mode)
        assert "icc_profile" not in image.info
    profiled = nc.encode(to_pil(texture(9, 12, 3), b"profile"), effort=0)
    assert profiled.to_pil(3).info["icc_profile"] == b"profile"


def test_a_pillow_image_is_the_decoded_one_rounded() -> None:
    pixels = np.asarray(collage().to_pil()).transpose(2, 0, 1) / 255
    assert np.abs(pixels - collage().decode()).max() <= 0.5 / 255 + 1e-6


def test_the_properties_are_those_of_the_header() -> None:
    image = collage(4)
    assert (image.width, image.height, image.channels) == (69, 50, 4)
    assert (image.quality, image.codec) == (60, "fractal")
    assert len(image.layers) == 4
    assert image.layers is image.layers


def test_images_are_equal_if_their_files_are() -> None:
    image = collage()
    image.decode()  # fills a cache that does not count
    again = nc.CollageImage.from_bytes(image.to_bytes())
    assert again == image
    assert hash(again) == hash(image)
    assert again != collage(quality=80)
    assert np.array_equal(again.decode(), image.decode())
    assert "payload" not in repr(image)


def test_decoding_again_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = nc.CollageImage.from_bytes(collage().to_bytes())
    first = image.decode(2)
    monkeypatch.setattr(registry, "CODECS", {})  # the payload is not read twice
    assert np.array_equal(image.decode(2), first)
    image.decode(1.5, (2, 3, 4, 5))
    assert np.array_equal(image.decode(2), first)


def test_a_damaged_payload_shows_when_it_is_needed() -> None:
    image = nc.CollageImage.from_bytes(pack_file(collage().header, b"\xff"))
    assert image.width == 69
    with pytest.raises(nc.CollageFormatError, match="unknown parameters 0xff"):
        image.decode()


def test_errors_inside_the_decoder_are_not_taken_for_those_of_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a fault of the program")

    monkeypatch.setattr(PyramidDecoder, "window", fail)
    with pytest.raises(ValueError, match="a fault of the program") as caught:
        collage().decode()
    assert not isinstance(caught.value, nc.CollageError)
    for arguments in [(0,), (1, (0, 0, 70, 1)), (1, (0, 0, 0, 1))]:
        with pytest.raises(nc.ScaleError):
            collage().decode(*arguments)  # type: ignore[arg-type]


def test_pictures_above_the_pixel_limit_are_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    image = collage()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    assert image.decode().shape[1:] == (50, 69)  # as large as it is: it has been accepted
    assert image.decode(64, (0, 0, 40, 40)).shape[1:] == (40, 40)
    with pytest.raises(nc.ScaleError, match="138 x 100 pixels are above the limit of 4000"):
        image.decode(2)
