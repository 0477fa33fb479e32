"""Pictures with a graphics layer at all scales."""

import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

import neural_collage as nc
from neural_collage.codec.container import Header
from neural_collage.codec.graphics.composition import Composition
from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    MIRRORED_ROWS,
    PAINTED,
    SHIFT,
)
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import write_layer
from neural_collage.codec.ids import codec_number
from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.scales import Region, Window
from tests.codec.graphics.layers import random_layer
from tests.core.arrays.test_octaves import octaves_of, whole
from tests.pictures import texture

SCALES = [0.5, 1, 1.5, 2, 3, 4]


def over(layer: GraphicsLayer, base: nc.CollageImage | None) -> nc.CollageImage:
    """The file of a layer over a picture."""
    modes = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
    quality = 0 if base is None else base.quality
    stream = write_layer(layer, quality)
    if base is not None:
        return nc.CollageImage(replace(base.header, graphics=stream), base.payload)
    header = Header(
        codec=codec_number("fractal"),
        width=layer.width,
        height=layer.height,
        mode=modes[layer.palette.shape[1]],  # type: ignore[arg-type]
        quality=50,
        graphics=stream,
    )
    return nc.CollageImage(header, b"")


@cache
def base_image(channels: int) -> nc.CollageImage:
    """44 x 53 pixels well inside [0, 1]."""
    picture = 0.3 + 0.4 * texture(44, 53, channels)
    return nc.encode(picture, codec="fractal", graphics=False, quality=60, effort=2)


@cache
def layer_of(channels: int, owned: float = 0.6) -> GraphicsLayer:
    """Of soft colours, so that no interpolated pixel leaves [0, 1]."""
    rng = np.random.default_rng(channels)
    layer = random_layer(44, 53, channels, 8, rng, owned=owned)
    return replace(layer, palette=layer.palette // 4 + np.uint8(96))


@cache
def composed(channels: int = 3, owned: float = 0.6) -> nc.CollageImage:
    base = base_image(channels) if owned < 1 else None
    return over(layer_of(channels, owned), base)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_at_scale_one_ranges_replace_the_base(channels: int) -> None:
    layer = layer_of(channels)
    decoded = composed(channels).decode()
    base = base_image(channels).decode()
    np.testing.assert_array_equal(decoded, layer.compose(base), strict=True)
    is_base = layer.pixel_modes == BASE
    assert np.array_equal(decoded[:, is_base], base[:, is_base])
    painted = layer.pixel_modes == PAINTED
    np.testing.assert_array_equal(
        (255 * decoded[:, painted]).round(), layer.palette[layer.indices[painted]].T
    )


@pytest.mark.parametrize("owned", [0.6, 1.0])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_average_of_a_larger_picture_is_the_picture(factor: int, owned: float) -> None:
    once, larger = composed(3, owned).decode(), composed(3, owned).decode(factor)
    assert float(larger.min()) > 0
    assert float(larger.max()) < 1  # nothing was clipped
    np.testing.assert_allclose(pool(larger, factor), once, atol=2e-5, rtol=0)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("owned", [0.6, 1.0])
def test_a_region_is_cut_out_of_the_whole(owned: float, scale: float) -> None:
    image = composed(3, owned)
    _, height, width = image.decode(scale).shape
    assert (height, width) == (int(44 * scale + 0.5), int(53 * scale + 0.5))
    regions: list[Region] = [
        (0, 0, width, height),
        (width - 1, height - 1, 1, 1),
        (width // 3, height // 5, width // 2, height // 2),
        (0, height // 2, 3, 2),
        (width // 2, 0, 7, 1),
    ]
    for pixelated in (False, True):
        larger = image.decode(scale, pixelated=pixelated)
        for x, y, w, h in regions:
            part = image.decode(scale, (x, y, w, h), pixelated=pixelated)
            np.testing.assert_allclose(part, larger[:, y : y + h, x : x + w], atol=1e-5, rtol=0)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_pixelated_repeats_pixels(factor: int) -> None:
    for image in (composed(), base_image(3)):
        once = image.decode()
        larger = image.decode(factor, pixelated=True)
        np.testing.assert_array_equal(larger, once.repeat(factor, 1).repeat(factor, 2))
        assert image.to_pil(factor, pixelated=True).size == (53 * factor, 44 * factor)


def test_pixelated_between_whole_scales_takes_the_nearest_pixels() -> None:
    once = composed().decode()
    larger = composed().decode(1.5, pixelated=True)
    rows, columns = ((np.arange(n) + 0.5) * side / n for n, side in ((66, 44), (80, 53)))
    assert np.array_equal(larger, once[:, rows.astype(int)[:, None], columns.astype(int)])


@pytest.mark.parametrize("scale", [1, 0.5, 0.3])
def test_pixelated_changes_nothing_up_to_scale_one(scale: float) -> None:
    assert np.array_equal(composed().decode(scale, pixelated=True), composed().decode(scale))


@pytest.mark.parametrize("owned", [0.6, 1.0])
def test_a_smaller_picture_is_the_average(owned: float) -> None:
    once = composed(3, owned).decode()
    half = composed(3, owned).decode(0.5)  # 22 x 27 of 53 columns
    rows = once.reshape(3, 22, 2, 53).mean(2)
    np.testing.assert_allclose(half.mean((1, 2)), rows.mean((1, 2)), atol=2e-3, rtol=0)
    exact = torch.nn.functional.interpolate(
        torch.from_numpy(rows)[None], size=(22, 27), mode="area"
    )[0]
    assert float(np.abs(half - exact.numpy()).mean()) < 0.02
    even = GraphicsLayer.empty(32, 48, 3)
    painted = np.add.outer(np.arange(32), np.arange(48)) % 2
    even = replace(
        even,
        modes=np.full_like(even.modes, PAINTED),
        palette=np.array([[0, 0, 0], [255, 128, 10]], np.uint8),
        indices=painted,
    )
    image = over(even, None)
    np.testing.assert_allclose(image.decode(0.5), pool(image.decode(), 2), atol=1e-6, rtol=0)
    np.testing.assert_allclose(image.decode(0.25), pool(image.decode(), 4), atol=1e-6, rtol=0)


@pytest.mark.parametrize("owned", [0.6, 1.0])
def test_a_larger_picture_is_enlarged_from_the_composed_one(owned: float) -> None:
    """From all of its pixels at once: no edge of a range shows where soft colours meet the base."""
    image = composed(3, owned)
    plain = octaves_of(image.decode())
    for octave in (1, 2):
        larger = image.decode(2**octave, detail="none")
        np.testing.assert_allclose(larger, whole(plain, (44, 53), octave), atol=1e-6, rtol=0)
    assert np.abs(image.decode(2) - image.decode(2, detail="none")).max() > 1e-3


def test_a_layer_that_owns_nothing_changes_nothing() -> None:
    image = over(GraphicsLayer.empty(44, 53, 3), base_image(3))
    for scale in (0.5, 1, 1.5, 2):
        expected = base_image(3).decode(scale)
        np.testing.assert_allclose(image.decode(scale), expected, atol=1e-6, rtol=0)


def test_a_payload_that_nothing_shows_is_refused() -> None:
    image = composed(3, 1.0)
    with pytest.raises(nc.CollageFormatError, match="a payload that nothing shows"):
        nc.CollageImage(image.header, b"payload").decode()


def test_a_base_is_rendered_once_and_only_where_it_shows() -> None:
    modes = np.array([[PAINTED, BASE, PAINTED]])
    is_base = np.arange(24) // 8 == 1
    layer = replace(
        GraphicsLayer.empty(8, 24, 1),
        block=8,
        modes=modes,
        palette=np.array([[9]], np.uint8),
        indices=np.where(is_base, -1, 0)[None].repeat(8, 0),
    )
    asked: list[Window] = []

    def base(window: Window) -> PixelArray:
        asked.append(window)
        return np.full((1, window.height, window.width), 0.5, np.float32)

    composition = Composition(layer, base)
    part = composition.window(Window(2, 6, 3, 11))
    expected = np.where(is_base, 0.5, 9 / 255)[None, 6:17].repeat(3, 0)[None]
    np.testing.assert_allclose(part, expected, rtol=1e-6)
    np.testing.assert_allclose(composition.window(Window(0, 20, 8, 4)), 9 / 255, rtol=1e-6)
    assert asked == [Window(0, 0, 8, 8)]  # of the base, which is as large as what shows it


def chain(side: int) -> nc.CollageImage:
    """One pixel painted range, and all others copies of their neighbours; a reflection, too."""
    layer = GraphicsLayer.empty(side, side, 3)
    rows = side // 4
    modes = np.full((rows, rows), FIRST_COPY)
    modes[:, 0] = FIRST_COPY + 1
    modes[rows // 2 :, rows // 2] = FIRST_COPY + 2
    modes[0, 0] = PAINTED
    indices = np.full((side, side), -1)
    indices[:4, :4] = np.arange(16).reshape(4, 4)
    layer = replace(
        layer,
        block=4,
        modes=modes,
        copies=np.array([[SHIFT, 0, -4], [SHIFT, -4, 0], [MIRRORED_ROWS, side - 1, 0]]),
        palette=np.arange(48, dtype=np.uint8).reshape(16, 3),
        indices=indices,
    )
    return over(layer, None)


def test_long_chains_of_copies_take_no_long_time() -> None:
    image = nc.CollageImage.from_bytes(chain(1024).to_bytes())
    assert len(image.to_bytes()) < 400
    started = time.process_time()
    decoded = image.decode()
    assert time.process_time() - started < 10
    tile = decoded[:, :4, :4]
    assert np.array_equal(decoded[:, 500:504, :512], np.tile(tile, (1, 1, 128)))
    flipped = decoded[:, 512:, 512:516][:, ::-1]
    assert np.array_equal(flipped, decoded[:, :512, 512:516])


def test_a_base_is_a_picture_of_the_window_that_shows_it() -> None:
    """Here of the middle of a picture, which is painted around it."""
    modes = np.full((5, 6), PAINTED)
    modes[1, 2] = modes[3, 3] = BASE
    layer = replace(
        GraphicsLayer.empty(37, 46, 3),
        block=8,
        modes=modes,
        palette=np.array([[90, 120, 150]], np.uint8),
    )
    layer = replace(layer, indices=np.where(layer.pixel_modes == PAINTED, 0, -1))
    assert layer.base_window == Window(8, 16, 24, 16)
    picture = 0.3 + 0.4 * texture(24, 16, 3)
    base = nc.encode(picture, codec="fractal", graphics=False, quality=60, effort=0)
    header = replace(base.header, width=46, height=37, graphics=write_layer(layer, 60))
    image = nc.CollageImage(header, base.payload)
    once, shown = image.decode(), base.decode()
    np.testing.assert_allclose(once[:, 8:16, 16:24], shown[:, :8, :8], atol=1e-6, rtol=0)
    np.testing.assert_allclose(once[:, 24:32, 24:32], shown[:, 16:, 8:], atol=1e-6, rtol=0)
    for scale in (1, 2, 4):
        larger = image.decode(scale)
        np.testing.assert_allclose(pool(larger, scale), once, atol=2e-6, rtol=0)
        for x, y, w, h in ((0, 0, 5, 5), (14, 6, 20, 20), (23, 15, 9, 9), (30, 10, 16, 27)):
            part = image.decode(scale, (x * scale, y * scale, w, h))
            expected = larger[:, y * scale : y * scale + h, x * scale : x * scale + w]
            np.testing.assert_allclose(part, expected, atol=1e-6, rtol=0)


def test_a_layer_that_owns_all_has_no_window_of_a_base() -> None:
    window = layer_of(3, 1.0).base_window
    assert window.height * window.width == 0
    assert GraphicsLayer.empty(30, 70, 1).base_window == Window(0, 0, 30, 70)
