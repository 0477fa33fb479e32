from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.data.crops import CropPlan, centre_crops, random_crops, tiles


def _plan(n: int, **options: Any) -> CropPlan:
    sizes = np.stack([np.arange(n) % 5 + 10, np.arange(n) % 3 + 12], 1)
    settings = {"per_image": 1, "batch": 4, "isometries": 8, "seed": 0, "epoch": 0} | options
    return random_crops(sizes, (10, 12), **settings)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 9), st.integers(0, 3))
def test_every_image_gives_its_crops_in_full_batches(
    n: int, per_image: int, batch: int, epoch: int
) -> None:
    plan = _plan(n, per_image=per_image, batch=batch, epoch=epoch)
    assert len(plan) % batch == 0
    assert 0 <= len(plan) - n * per_image < batch
    counts = np.bincount(plan.image, minlength=n)
    assert counts.min() >= per_image
    assert (counts > per_image).sum() <= n % batch  # only images of the last group give more


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 9))
def test_the_batches_of_an_image_are_consecutive(n: int, per_image: int, batch: int) -> None:
    plan = _plan(n, per_image=per_image, batch=batch)
    groups = [
        set(plan.image[start : start + batch * per_image])
        for start in range(0, len(plan), batch * per_image)
    ]
    assert sum(map(len, groups)) == n
    full = plan.image[: n // batch * batch * per_image].reshape(-1, batch)
    assert all(len(set(row)) == batch for row in full)  # and a batch has no image twice


def test_crops_stay_inside_the_image_and_reach_every_position() -> None:
    sizes = np.array([[12, 15]])
    plan = random_crops(sizes, (10, 12), per_image=500, batch=1, isometries=1, seed=0, epoch=0)
    assert sorted(set(plan.top)) == [0, 1, 2]
    assert sorted(set(plan.left)) == [0, 1, 2, 3]
    assert set(plan.isometry) == {0}


@pytest.mark.parametrize("isometries", [1, 2, 4, 8])
def test_isometries_are_equally_likely(isometries: int) -> None:
    counts = np.bincount(_plan(4000, isometries=isometries).isometry, minlength=8)
    np.testing.assert_allclose(counts[:isometries], 4000 / isometries, rtol=0.15)
    assert counts[isometries:].sum() == 0


def _same(a: CropPlan, b: CropPlan) -> bool:
    return all(
        np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True)
    )


def test_a_plan_depends_on_seed_and_epoch() -> None:
    assert _same(_plan(20), _plan(20))
    assert not np.array_equal(_plan(20, epoch=1).image, _plan(20).image)
    assert not np.array_equal(_plan(20, seed=1).image, _plan(20).image)
    assert not _same(_plan(20, seed=1, epoch=0), _plan(20, seed=0, epoch=1))


def test_centres() -> None:
    plan = centre_crops(np.array([[10, 12], [13, 20]]), (10, 12))
    assert (plan.image.tolist(), plan.top.tolist(), plan.left.tolist()) == ([0, 1], [0, 1], [0, 4])


@given(st.lists(st.tuples(st.integers(3, 20), st.integers(4, 20)), min_size=1, max_size=4))
def test_tiles_cover_every_pixel_and_no_more_tiles_than_needed(
    sizes: list[tuple[int, int]],
) -> None:
    plan = tiles(np.array(sizes), (3, 4))
    covered = [np.zeros(size, int) for size in sizes]
    for image, top, left in zip(plan.image, plan.top, plan.left, strict=True):
        assert top + 3 <= sizes[image][0]
        assert left + 4 <= sizes[image][1]
        covered[image][top : top + 3, left : left + 4] += 1
    assert all(cover.min() >= 1 for cover in covered)
    assert len(plan) == sum(-(-height // 3) * -(-width // 4) for height, width in sizes)
