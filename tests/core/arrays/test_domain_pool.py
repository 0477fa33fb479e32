"""Domain pools: what they hold, and pictures that they continue."""

import numpy as np
import pytest

from neural_collage.core.arrays import domain_pool
from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.domain_pool import GROUPS, DomainPool, local_contrasts
from neural_collage.core.arrays.octaves import CONTINUED, DetailTerm, Octaves
from neural_collage.core.scales import Window
from tests.core.arrays.pictures import Slopes
from tests.core.arrays.test_octaves import cut, octaves_of, reader, whole
from tests.pictures import photo_crop

PHOTO: PixelArray = photo_crop(128).numpy()


def pool_of(picture: PixelArray) -> DomainPool | None:
    return DomainPool.of(reader(picture), (picture.shape[1], picture.shape[2]))


def continued(
    picture: PixelArray, octave: int = CONTINUED, term: DetailTerm | None = None
) -> Octaves:
    """Octaves of a picture that a pool of the photo continues."""
    size = picture.shape[1], picture.shape[2]
    return Octaves(reader(picture), size, term, domains=lambda: pool_of(PHOTO), continued=octave)


@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("size", [(24, 41), (5, 7), (1, 1), (1, 30)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_average_of_every_octave_is_the_one_below(
    first: int, size: tuple[int, int], channels: int
) -> None:
    picture = np.concatenate([PHOTO, PHOTO[:1, ::-1]])[:channels, : size[0], : size[1]]
    octaves = continued(picture, first, Slopes())
    below = picture
    for octave in range(1, 6 if min(size) < 10 else 5):
        above = whole(octaves, size, octave)
        assert above.dtype == np.float32
        np.testing.assert_allclose(pool(above, 2), below, atol=1e-6, rtol=0, strict=True)
        below = above


def test_windows_are_cut_out_of_the_whole_bit_by_bit() -> None:
    picture = PHOTO[:, 40:75, 30:71]
    size = 35, 41
    wholes = [whole(continued(picture, term=Slopes()), size, octave) for octave in range(6)]
    octaves = continued(picture, term=Slopes())
    rng = np.random.default_rng(1)
    for octave in (5, 3, 4):
        height, width = (side << octave for side in size)
        windows = [Window(height - 1, width - 1, 1, 1), Window(0, width // 2, height, 1)]
        for _ in range(6):
            (top, bottom), (left, right) = (
                np.sort(rng.choice(side + 1, 2, replace=False)).tolist() for side in (height, width)
            )
            windows.append(Window(top, left, bottom - top, right - left))
        for window in windows:
            assert np.array_equal(octaves.window(octave, window), cut(wholes[octave], window))


def test_what_a_pool_continues_has_the_alpha_of_interpolation() -> None:
    picture = np.concatenate([PHOTO[:, :20, :20], PHOTO[:1, 20:40, :20]])
    found, plain = (whole(one, (20, 20), 4) for one in (continued(picture), octaves_of(picture)))
    assert np.array_equal(found[3], plain[3])
    assert np.abs(found[:3] - plain[:3]).mean() > 1e-3


def contrast(window: PixelArray) -> float:
    """Mean over squares of 8 x 8 pixels of the standard deviation of luma."""
    luma = window.mean(0)
    rows, columns = (side // 8 for side in luma.shape)
    return float(luma.reshape(rows, 8, columns, 8).std((1, 3)).mean())


def test_local_contrast_stays_where_interpolation_is_smooth() -> None:
    smooth, alive = octaves_of(PHOTO), continued(PHOTO)
    found: dict[int, list[float]] = {octave: [] for octave in (1, 6, 8, 10)}
    lost = []
    contrasts = local_contrasts(np.pad(PHOTO, ((0, 0), (2, 1), (2, 1)), mode="edge"))
    inside = contrasts[20:108, 20:108]
    places = np.argwhere(inside > np.quantile(inside, 0.75))
    for row, column in places[:: len(places) // 12] + 20:
        for octave, contrasts_found in found.items():
            side = 24 if octave == 1 else 64
            top, left = ((int(n) << octave) - side // 2 for n in (row, column))
            window = Window(top, left, side, side)
            contrasts_found.append(contrast(alive.window(octave, window)))
        lost.append(contrast(smooth.window(octave, window)))
    at_2x = np.mean(found[1])
    assert np.mean(lost) < 0.05 * at_2x
    for octave in (6, 8, 10):
        assert 0.5 < np.mean(found[octave]) / at_2x < 2


def test_colours_stay_inside_where_they_are_inside() -> None:
    picture = np.clip(3 * PHOTO[:, 30:60, 30:60] - 1, 0, 1)
    assert (picture == 0).any()
    assert (picture == 1).any()
    octaves = continued(picture, 1)
    for octave in (1, 3, 5):
        found = whole(octaves, (30, 30), octave)
        assert -1e-5 < found.min() < found.max() < 1 + 1e-5


def test_flat_pictures_stay_flat_and_have_no_pool() -> None:
    flat = np.full((3, 40, 40), 0.3, np.float32)
    np.testing.assert_allclose(whole(continued(flat), (40, 40), 4), 0.3, atol=1e-6, rtol=0)
    assert pool_of(flat) is None


@pytest.mark.parametrize("size", [(1, 1), (7, 128), (24, 24)])
def test_small_pictures_have_no_pool_and_are_interpolated(size: tuple[int, int]) -> None:
    picture = PHOTO[:, : size[0], : size[1]]
    assert pool_of(picture) is None
    octaves = Octaves(reader(picture), size, domains=lambda: pool_of(picture))
    plain = octaves_of(picture)
    assert np.array_equal(whole(octaves, size, 3), whole(plain, size, 3))


def test_a_pool_is_made_when_it_is_needed_and_once() -> None:
    asked = []

    def find() -> DomainPool | None:
        asked.append(1)
        return pool_of(PHOTO)

    octaves = Octaves(reader(PHOTO), (128, 128), domains=find)
    octaves.window(CONTINUED - 1, Window(0, 0, 9, 9))
    assert not asked
    for octave in (CONTINUED, CONTINUED + 1):
        octaves.window(octave, Window(0, 0, 9, 9))
    assert len(asked) == 1


def test_of_large_pictures_four_parts_are_read() -> None:
    asked: list[Window] = []

    def read(window: Window) -> PixelArray:
        asked.append(window)
        return np.resize(PHOTO, (3, window.height, window.width))

    assert DomainPool.of(read, (3000, 40_000)) is not None
    assert len(set(asked)) == 4
    assert sum(window.height * window.width for window in asked) <= 1 << 20
    for window in asked:
        assert 0 <= window.top <= 3000 - window.height
        assert 0 <= window.left <= 40_000 - window.width


def test_isometries_of_a_pattern_have_one_orientation() -> None:
    square = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    turned = [np.rot90(one, k) for one in (square, square.T) for k in range(4)]
    patterns = np.array([one.ravel() for one in turned])
    _, oriented = domain_pool._oriented(patterns)
    assert (oriented == oriented[0]).all()


def test_reduced_domains_have_their_detail_again() -> None:
    """A range that is a reduced domain of the picture finds it, or one that is more similar."""
    found = pool_of(PHOTO)
    assert found is not None
    domains = found.patterns.transpose(0, 2, 1)[3, :20] / np.float32(127)
    groups = np.full(20, 3)
    chosen, similarity = found._search(domains, groups)
    assert np.array_equal(chosen % GROUPS, groups)
    assert (similarity > 0.98).all()
    np.testing.assert_allclose(found.details.reshape(-1, 4, 2, 4, 2).mean((2, 4)), 0, atol=1e-5)
