"""Pictures above their size: averages, windows, borders, with and without detail and links."""

from fractions import Fraction

import numpy as np
import pytest

from neural_collage.core.arrays import octaves as octaves_module
from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.detail_links import DetailLinks
from neural_collage.core.arrays.interpolation import enlarged_window
from neural_collage.core.arrays.octaves import DetailTerm, Octaves, is_octave
from neural_collage.core.scales import Window
from tests.core.arrays.pictures import Slopes, links_of_anything
from tests.pictures import texture

SIZES = [(1, 1), (1, 2), (3, 1), (5, 7), (300, 3), (33, 40)]
TERMS = [None, Slopes()]


def reader(picture: PixelArray) -> octaves_module.Reader:
    _, height, width = picture.shape

    def read(window: Window) -> PixelArray:
        top, left = window.top, window.left
        assert min(top, left) >= 0
        assert top + window.height <= height
        assert left + window.width <= width
        return picture[:, top : top + window.height, left : left + window.width]

    return read


def octaves_of(
    picture: PixelArray, term: DetailTerm | None = None, links: DetailLinks | None = None
) -> Octaves:
    return Octaves(reader(picture), picture.shape[1:], term, links)


def whole(octaves: Octaves, size: tuple[int, int], octave: int) -> PixelArray:
    return octaves.window(octave, Window(0, 0, size[0] << octave, size[1] << octave))


def cut(picture: PixelArray, window: Window) -> PixelArray:
    rows = slice(window.top, window.top + window.height)
    return picture[:, rows, window.left : window.left + window.width]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("linked", [False, True])
def test_the_average_of_every_octave_is_the_one_below(
    size: tuple[int, int], term: DetailTerm | None, linked: bool
) -> None:
    picture = texture(*size, 3).numpy()
    octaves = octaves_of(picture, term, links_of_anything(*size) if linked else None)
    below = picture
    for octave in (1, 2, 3):
        above = whole(octaves, size, octave)
        assert above.dtype == np.float32
        np.testing.assert_allclose(pool(above, 2), below, atol=1e-6, rtol=0, strict=True)
        below = above


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("kept", [0, 1 << 22])
def test_windows_are_cut_out_of_the_whole(
    size: tuple[int, int],
    term: DetailTerm | None,
    linked: bool,
    kept: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = texture(*size, 2).numpy()
    links = links_of_anything(*size) if linked else None
    complete = octaves_of(picture, term, links)
    wholes = [whole(complete, size, octave) for octave in range(4)]
    monkeypatch.setattr(octaves_module, "_CACHED_PIXELS", kept)
    octaves = octaves_of(picture, term, links)
    rng = np.random.default_rng(1)
    for octave in (3, 1, 2, 0):
        height, width = (side << octave for side in size)
        windows = [Window(height - 1, width - 1, 1, 1), Window(0, width // 2, height, 1)]
        for _ in range(6):
            (top, bottom), (left, right) = (
                np.sort(rng.choice(side + 1, 2, replace=False)).tolist() for side in (height, width)
            )
            windows.append(Window(top, left, bottom - top, right - left))
        for window in windows:
            expected = cut(wholes[octave], window)
            part = octaves.window(octave, window)
            np.testing.assert_allclose(part, expected, atol=1e-6, rtol=0, strict=True)


def test_without_terms_an_octave_is_average_interpolation() -> None:
    picture = texture(11, 6, 3).numpy()
    once = enlarged_window(reader(picture), (11, 6), Window(0, 0, 22, 12))
    twice = enlarged_window(reader(once), (22, 12), Window(0, 0, 44, 24))
    octaves = octaves_of(picture)
    assert np.array_equal(whole(octaves, (11, 6), 1), once)
    assert np.array_equal(whole(octaves, (11, 6), 2), twice)


def test_a_term_is_added_to_the_interpolation_and_sees_the_edge_repeated() -> None:
    picture = texture(11, 6, 3).numpy()
    framed = np.pad(picture, ((0, 0), (3, 3), (3, 3)), mode="edge")
    smooth = whole(octaves_of(picture), (11, 6), 1)
    detailed = whole(octaves_of(picture, Slopes()), (11, 6), 1)
    np.testing.assert_allclose(detailed - smooth, Slopes().details(framed), atol=1e-6, rtol=0)
    assert np.abs(detailed - smooth).max() > 0.01


@pytest.mark.parametrize("channels", [3, 4])
def test_links_change_the_colours_of_what_they_link_alone(channels: int) -> None:
    size = 43, 60
    picture, links = texture(*size, channels).numpy(), links_of_anything(*size)
    plain = whole(octaves_of(picture, Slopes()), size, 1)
    alpha = whole(octaves_of(picture), size, 1)[3:]  # has no term, either
    found = whole(octaves_of(picture, Slopes(), links), size, 1)
    linked = np.zeros((86, 120), bool)
    linked[:80, :112] = (links.reduction > 0).repeat(16, 0).repeat(16, 1)
    assert 0.2 < linked.mean() < 0.8
    np.testing.assert_allclose(found[:3, ~linked], plain[:3, ~linked], atol=1e-6, rtol=0)
    np.testing.assert_allclose(found[3:], alpha, atol=1e-6, rtol=0)
    assert np.abs(found[:3, linked] - plain[:3, linked]).mean() > 1e-3


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_flat_pictures_stay_flat(value: float) -> None:
    flat = np.full((3, 24, 40), value, np.float32)
    octaves = octaves_of(flat, Slopes(), links_of_anything(24, 40))
    np.testing.assert_allclose(whole(octaves, (24, 40), 3), value, atol=1e-6, rtol=0)


def test_a_deep_window_reads_a_few_pixels() -> None:
    asked: list[Window] = []
    picture = texture(64, 64).numpy()

    def read(window: Window) -> PixelArray:
        asked.append(window)
        return reader(picture)(window)

    octaves = Octaves(read, (64, 64), Slopes())
    octaves.window(20, Window(33 << 20, 17 << 20, 50, 30))
    (window,) = asked
    assert max(window.height, window.width) <= 2 * 6 + 2  # twice the reach of all octaves together


def test_octaves_are_powers_of_two_from_one() -> None:
    scales = (Fraction(1), Fraction(2), Fraction(3), Fraction(1, 2), Fraction(64), Fraction(5, 4))
    assert [is_octave(scale) for scale in scales] == [True, True, False, False, True, False]
