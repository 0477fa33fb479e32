"""Detail links: where they are found, what they copy, and what has none."""

import numpy as np
import pytest

from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.detail_links import (
    LARGEST_CONTRAST,
    RANGE,
    REDUCTIONS,
    DetailLinks,
)
from neural_collage.core.scales import Window
from tests.core.arrays.pictures import carpet, links_of_anything, triangle
from tests.core.arrays.test_octaves import octaves_of, whole
from tests.pictures import photo_crop, psnr, texture

ATTRACTORS = {
    "triangle": (pool(triangle(8), 2), 2),
    "carpet": (pool(carpet(5), 3), 3),
}


@pytest.mark.parametrize("name", ATTRACTORS)
def test_ranges_of_attractors_are_copies_of_domains_inside(name: str) -> None:
    picture, factor = ATTRACTORS[name]
    links = DetailLinks.of(picture)
    assert links is not None
    rows, columns = links.reduction.shape
    assert (rows, columns) == tuple(side // RANGE for side in picture.shape[1:])
    assert set(np.unique(links.reduction)) <= {0, *REDUCTIONS}
    copied, uneven = 0, 0
    for row, column in np.argwhere(links.reduction):
        reduction = int(links.reduction[row, column])
        top, left = links.corners[row, column]
        domain = picture[:, top : top + RANGE * reduction, left : left + RANGE * reduction]
        assert min(top, left) >= 0
        assert domain.shape == (1, RANGE * reduction, RANGE * reduction)
        own = picture[:, row * RANGE :, column * RANGE :][:, :RANGE, :RANGE]
        contrast = links.contrast[row, column]
        assert 0 <= contrast <= LARGEST_CONTRAST
        assert (contrast > 0) == (own.var() > 0)
        reduced = pool(domain, reduction)
        error = (own - own.mean()) - contrast * (reduced - reduced.mean())
        assert np.square(error).mean() <= 0.021 * own.var()
        copied += reduction == factor and own.var() > 1e-3
        uneven += own.var() > 1e-3
    assert copied > 0.9 * uneven > 0


def test_an_octave_of_the_triangle_is_the_triangle() -> None:
    truth = triangle(9)
    picture = pool(truth, 4)
    octaves = octaves_of(picture, links=DetailLinks.of(picture))
    smooth = octaves_of(picture)
    for octave, exact in ((1, pool(truth, 2)), (2, truth)):
        linked = psnr(whole(octaves, (128, 128), octave), exact)
        assert linked > psnr(whole(smooth, (128, 128), octave), exact) + 8


@pytest.mark.parametrize(
    "picture",
    [
        photo_crop(128).numpy(),
        np.random.default_rng(0).random((3, 128, 128), np.float32),
        texture(96, 80, 3).numpy(),
        np.full((3, 64, 64), 0.5, np.float32),
        np.zeros((1, 1, 1), np.float32),
        triangle(3)[:, :7],
        triangle(3),
    ],
    ids=["photo", "noise", "texture", "flat", "pixel", "narrow", "small"],
)
def test_other_pictures_have_no_links(picture: PixelArray) -> None:
    assert DetailLinks.of(picture) is None


def test_a_part_copies_what_its_domain_has_beyond_averages() -> None:
    links = DetailLinks(np.array([[0, 3]]), np.array([[[0, 0], [0, 3]]]), np.array([[0.0, 0.5]]))
    (part,) = links.sources(2, Window(4, 20, 10, 30))
    assert links.gaps(2, Window(4, 20, 10, 30)) == [Window(4, 20, 10, 12)]
    assert part.place == Window(4, 32, 10, 18)  # the range has columns 32 to 64 at scale 4
    assert part.source == Window(6, 6, 15, 27)  # 4 rows down the range: 6 of the domain at scale 2
    domain = texture(15, 27, 2).numpy()
    detail = part.detail(domain)
    assert detail.shape == (2, 10, 18)
    np.testing.assert_allclose(pool(detail, 2), 0, atol=1e-6)
    fine = pool(domain.repeat(2, 1).repeat(2, 2), 3)
    beyond = fine - pool(fine, 2).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(detail, 0.5 * beyond, atol=1e-6, rtol=0)


@pytest.mark.parametrize("octave", [1, 2, 4])
def test_sources_lie_inside_the_picture_and_gaps_are_what_is_not_linked(octave: int) -> None:
    links = links_of_anything(67, 90)
    height, width = (side << octave for side in (67, 90))
    even = Window(0, 0, height, width)
    places, gaps = np.zeros((2, height, width), int)
    for part in links.sources(octave, even):
        place, source = part.place, part.source
        assert min(source.top, source.left) >= 0
        assert source.top + source.height <= height // 2
        assert source.left + source.width <= width // 2
        places[place.top :, place.left :][: place.height, : place.width] += 1
    side = RANGE << octave
    for gap in links.gaps(octave, even):
        gaps[gap.top :, gap.left :][: gap.height, : gap.width] += 1
    assert np.array_equal(gaps, 1 - places)
    linked = (links.reduction > 0).astype(int).repeat(side, 0).repeat(side, 1)
    assert np.array_equal(places[: len(linked), : linked.shape[1]], linked)
    assert places.sum() == linked.sum()
