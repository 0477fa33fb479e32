"""Files above their size: detail on and off, channels, attractors, fractal files."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image

import neural_collage as nc
from neural_collage.codec.image import Detail
from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.octaves import Octaves
from neural_collage.core.scales import Window
from tests.core.arrays.pictures import carpet, triangle
from tests.core.arrays.test_octaves import octaves_of, whole
from tests.pictures import photo_crop, psnr, texture

DETAILS: tuple[Detail, ...] = ("none", "links", "full")
MODES = [1, 2, 3, 4]


@cache
def soft(channels: int, codec: str = "neural") -> nc.CollageImage:
    """33 x 40 pixels well inside [0, 1]."""
    picture = 0.3 + 0.4 * texture(33, 40, channels)
    return nc.encode(picture, codec=codec, graphics=False, quality=60, effort=2)


def exact_file(picture: PixelArray, mode: str = "L") -> nc.CollageImage:
    """The file of a picture (1, h, w) of few colours, which a graphics layer holds exactly."""
    grey = Image.fromarray((255 * picture[0]).round().astype(np.uint8))
    image = grey.convert(mode.removesuffix("A"))
    if mode.endswith("A"):
        image.putalpha(grey.point(lambda value: 128 + value // 4))
    collage = nc.encode(image, quality=100)
    assert collage.graphics is not None
    assert np.array_equal(np.asarray(collage.to_pil()), np.asarray(image))
    return collage


def bicubic(image: nc.CollageImage, factor: int) -> PixelArray:
    grey = torch.from_numpy(image.decode())[None]
    larger = torch.nn.functional.interpolate(grey, scale_factor=factor, mode="bicubic")
    clipped: PixelArray = larger[0].clamp(0, 1).numpy()
    return clipped


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("codec", ["neural", "fractal"])
def test_every_octave_averages_to_the_picture(channels: int, detail: Detail, codec: str) -> None:
    image = soft(channels, codec)
    once = image.decode()
    for factor in (2, 4):
        larger = image.decode(factor, detail=detail)
        assert 0 < larger.min() < larger.max() < 1  # nothing was clipped
        np.testing.assert_allclose(pool(larger, factor), once, atol=2e-6, rtol=0, strict=True)


@pytest.mark.parametrize("channels", MODES)
def test_without_detail_a_picture_is_average_interpolation(channels: int) -> None:
    image = soft(channels)
    plain = octaves_of(image.decode())
    for octave in (1, 2):
        expected = whole(plain, (33, 40), octave)
        for detail in DETAILS[:2]:  # a photo has no links
            larger = image.decode(2**octave, detail=detail)
            np.testing.assert_allclose(larger, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("channels", MODES)
def test_alpha_has_no_detail_and_colours_have(channels: int) -> None:
    image = soft(channels)
    full, none = image.decode(4), image.decode(4, detail="none")
    colours = channels if channels % 2 else channels - 1
    np.testing.assert_allclose(full[colours:], none[colours:], atol=1e-6, rtol=0)
    assert all(np.abs(full[n] - none[n]).max() > 1e-3 for n in range(colours))


def test_grey_has_the_detail_of_equal_colours() -> None:
    grey = photo_crop(40).mean(0, keepdim=True)
    images = (
        nc.encode(picture, codec="neural", graphics=False, quality=60)
        for picture in (grey, grey.expand(3, -1, -1))
    )
    one, three = (image.decode(2) - image.decode(2, detail="none") for image in images)
    np.testing.assert_allclose(three.mean(0), one[0], atol=0.005, rtol=0)
    assert np.corrcoef(three.mean(0).ravel(), one.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
@pytest.mark.parametrize("quality", [5, 50, 100])
def test_flat_pictures_stay_flat(
    detail: Detail, colour: tuple[int, int, int], quality: int
) -> None:
    image = nc.encode(Image.new("RGB", (24, 17), colour), quality=quality)
    once = image.decode()
    assert np.ptp(once, (1, 2)).max() == 0
    larger = image.decode(8, detail=detail)
    np.testing.assert_allclose(larger, once.repeat(8, 1).repeat(8, 2), atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 300)])
@pytest.mark.parametrize("detail", DETAILS)
def test_pictures_of_few_pixels(size: tuple[int, int], detail: Detail) -> None:
    image = nc.encode(texture(*size, 3), quality=70)
    larger = image.decode(3, detail=detail)
    assert larger.shape == (3, 3 * size[0], 3 * size[1])
    x, y = 3 * size[1] - 2, 3 * size[0] - 2
    part = image.decode(3, (x, y, 2, 1), detail=detail)
    np.testing.assert_allclose(part, larger[:, y : y + 1, x:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("detail", DETAILS)
def test_pixelated_has_no_detail(detail: Detail) -> None:
    image = soft(3)
    larger = image.decode(2, pixelated=True, detail=detail)
    assert np.array_equal(larger, image.decode().repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("scale", [0.5, 1])
def test_up_to_the_original_size_there_is_no_detail(scale: float) -> None:
    image = soft(3)
    assert np.array_equal(image.decode(scale), image.decode(scale, detail="none"))


def test_all_ways_to_decode_pass_it_on() -> None:
    image = soft(3)
    for detail in DETAILS:
        decoded = image.decode(2, detail=detail)
        assert np.array_equal(nc.decompress(image.to_bytes(), scale=2, detail=detail), decoded)
        pixels = np.asarray(image.to_pil(2, detail=detail)).transpose(2, 0, 1)
        assert np.abs(pixels - 255 * decoded).max() <= 0.501


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("detail", ["links", "full"])
def test_the_triangle_is_continued(mode: str, detail: Detail) -> None:
    truth = triangle(9)
    image = exact_file(pool(truth, 4), mode)
    larger = image.decode(4, detail=detail)
    channels = len(larger) - mode.endswith("A")
    for plane, base in zip(larger[:channels], bicubic(image, 4)[:channels], strict=True):
        assert psnr(plane, truth[0]) > psnr(base, truth[0]) + 8
    smooth = image.decode(4, detail="none")
    np.testing.assert_allclose(larger[channels:], smooth[channels:], atol=1e-6, rtol=0)


def test_the_carpet_is_continued() -> None:
    truth = carpet(6)
    image = exact_file(pool(truth, 3))
    assert psnr(image.decode(3), truth) > psnr(bicubic(image, 3), truth) + 3


def test_a_deep_zoom_into_an_attractor_takes_no_long_time() -> None:
    """And shows what lies there: of the triangle, its corner again and again."""
    image = exact_file(pool(triangle(9), 2))
    corner = image.decode(1, (0, 0, 64, 64))
    for octave in (1, 5, 12):
        deep = image.decode(2**octave, (0, 0, 64, 64))
        assert np.corrcoef(deep.ravel(), corner.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    "picture", [photo_crop(64).numpy(), np.random.default_rng(0).random((3, 64, 64), np.float32)]
)
@pytest.mark.parametrize("quality", [10, 60, 100])
def test_ten_octaves_down_nothing_blows_up(picture: PixelArray, quality: int) -> None:
    image = nc.encode(picture.transpose(1, 2, 0), quality=quality, graphics=False, codec="neural")
    octaves: Octaves = image._octaves("full")
    largest = _steps(image.decode())
    for y, x in ((30, 30), (0, 0), (21, 50)):
        for octave in range(1, 11):
            side = min(4 << octave, 64)
            window = octaves.window(octave, Window(y << octave, x << octave, side, side))
            assert -1 < window.min() < window.max() < 2
            assert _steps(window) < (1.3 if octave < 3 else 2) * largest


def _steps(image: PixelArray) -> float:
    """The largest difference between neighbouring pixels."""
    return float(max(np.abs(np.diff(image, axis=axis)).max() for axis in (1, 2)))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "picture", [pool(triangle(8), 2), pool(carpet(6), 3)], ids=["triangle", "carpet"]
)
def test_fractal_files_that_are_attractors_continue_themselves(
    picture: PixelArray, mode: str
) -> None:
    soft_levels = 60 + 140 * picture[0]
    image = Image.fromarray(soft_levels.round().astype(np.uint8)).convert(mode)
    collage = nc.encode(image, codec="fractal", graphics=False, quality=70, effort=9)
    assert all(layer.continues for layer in collage.layers)
    octave = collage.layers[0].octave  # 2 or 3, as domains are reduced
    once, larger = collage.decode(), collage.decode(octave)
    unclipped = ((larger > 0) & (larger < 1)).all(0).reshape(len(once[0]), octave, -1, octave)
    inside = unclipped.all((1, 3))
    assert inside.mean() > 0.1
    averages = pool(larger, octave)
    np.testing.assert_allclose(averages[:, inside], once[:, inside], atol=1e-5, rtol=0)
    assert np.array_equal(larger, collage.decode(octave, detail="none"))
    if mode == "L":
        (layer,) = collage.layers
        mapped = layer.window(Fraction(octave), Window(0, 0, *larger.shape[1:]))
        np.testing.assert_allclose(larger, mapped.clip(0, 1), atol=1e-6, rtol=0)


def test_the_fractal_file_of_a_photo_is_enlarged_from_its_size() -> None:
    photo = (0.1 + 0.8 * photo_crop(128)).numpy()
    half = pool(photo, 2)
    collage = nc.encode(
        torch.from_numpy(half), codec="fractal", graphics=False, quality=80, effort=5
    )
    assert any(layer.collage.domains_per_range for layer in collage.layers)
    assert not all(layer.continues for layer in collage.layers)
    once, twice = collage.decode(), collage.decode(2)
    np.testing.assert_allclose(pool(twice, 2), once, atol=1e-5, rtol=0)
    smooth = collage.decode(2, detail="none")
    np.testing.assert_allclose(smooth, whole(octaves_of(once), (64, 64), 1), atol=1e-6, rtol=0)
    assert psnr(twice, photo) >= psnr(smooth, photo)
