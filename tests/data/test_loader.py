from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.data.crops import CropPlan, centre_crops, random_crops
from neural_collage.data.images import Images
from neural_collage.data.loader import CropLoader, Share
from neural_collage.data.sources import open_images
from neural_collage.data.store import ImageStore, MemoryBudget
from neural_collage.errors import CheckpointError, DataError, ImageError
from tests.data.pictures import write_folder

CROP = (6, 6)
ALONE = Share()
SIZES = [(6 + i % 3, 8 + i % 2) for i in range(11)]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return open_images(str(write_folder(tmp_path_factory.mktemp("images") / "a", SIZES)))


class Reads:
    """Counts how often each image is decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: Counter[int] = Counter()
        original = Images.__getitem__

        def counted(images: Images, index: int) -> UInt8[ndarray, "c h w"]:
            self.counts[index] += 1
            return original(images, index)

        monkeypatch.setattr(Images, "__getitem__", counted)


def _store(images: Images, memory: int = 2**20, **options: int) -> ImageStore:
    budget = MemoryBudget(memory)
    return ImageStore(images, CROP, skip_small=False, budget=budget, **options)


def _loader(
    store: ImageStore,
    *,
    per_image: int = 1,
    batch_size: int = 4,
    share: Share = ALONE,
    workers: int = 0,
    **options: bool,
) -> CropLoader:
    def plan(epoch: int) -> CropPlan:
        return random_crops(
            store.sizes,
            CROP,
            per_image=per_image,
            batch=batch_size * share.world,
            isometries=8,
            seed=0,
            epoch=epoch,
        )

    return CropLoader(
        store,
        plan,
        CROP,
        batch_size=batch_size,
        rounds=per_image,
        share=share,
        num_workers=workers,
        **options,
    )


def _equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_batches_are_crops_under_the_isometries_of_core(images: Images) -> None:
    store, loader = _store(images), _loader(_store(images), per_image=3)
    plan = random_crops(store.sizes, CROP, per_image=3, batch=4, isometries=8, seed=0, epoch=0)
    batches = list(loader)
    assert len(batches) == len(loader) == 9
    for i, crop in enumerate(torch.cat(batches)):
        number, top, left = int(plan.image[i]), int(plan.top[i]), int(plan.left[i])
        window = store[number][:, top : top + 6, left : left + 6]
        expected = isometry.apply(torch.from_numpy(window / np.float32(255)), int(plan.isometry[i]))
        torch.testing.assert_close(crop, expected)


def test_epochs_differ_and_repeat(images: Images) -> None:
    loader = _loader(_store(images))
    first = list(loader)
    loader.set_epoch(1)
    second = list(loader)
    loader.sampler.set_epoch(0)  # as Lightning does
    assert not _equal(first, second)
    assert _equal(first, list(loader))


@pytest.mark.parametrize("memory", [0, 2**10, 2**20])
@pytest.mark.parametrize("workers", [1, 3])
def test_neither_workers_nor_memory_change_the_batches(
    images: Images, memory: int, workers: int
) -> None:
    expected = list(_loader(_store(images), per_image=3))
    loader = _loader(_store(images, memory), per_image=3, workers=workers)
    assert _equal(expected, list(loader))


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_the_batches_of_one(images: Images, world: int) -> None:
    whole = list(_loader(_store(images), per_image=2, batch_size=2 * world))
    parts = [
        list(_loader(_store(images), per_image=2, batch_size=2, share=Share(rank, world)))
        for rank in range(world)
    ]
    for rank, part in enumerate(parts):
        assert _equal([batch[rank::world] for batch in whole], part)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_is_decoded_once_if_memory_allows_else_once_an_epoch(
    images: Images, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(monkeypatch)
    roomy = _loader(_store(images), per_image=5, workers=workers)
    list(roomy)
    list(roomy)
    assert reads.counts == dict.fromkeys(range(len(SIZES)), 1)
    reads.counts.clear()
    tight = _loader(_store(images, memory=0), per_image=5, workers=workers)
    list(tight)
    assert reads.counts == dict.fromkeys(range(len(SIZES)), 1)
    list(tight)
    assert reads.counts == dict.fromkeys(range(len(SIZES)), 2)


def test_the_budget_holds(images: Images) -> None:
    store = _store(images, memory=1000)
    kept = [store[i] for i in range(len(store)) if store[i] is store[i]]
    assert 0 < sum(image.nbytes for image in kept) <= 1000


@pytest.mark.parametrize("stop", [0, 1, 4, 8, 9])
@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_in_the_middle_of_an_epoch(images: Images, stop: int, workers: int) -> None:
    loader = _loader(_store(images), per_image=3, workers=workers)
    loader.set_epoch(2)
    expected = list(loader)
    stopped = iter(loader)
    for _ in range(stop):
        next(stopped)
    state = loader.state_dict() if stop else {"epoch": 2, "batch": 0, "of": 9, "size": 4}
    assert (state["epoch"], state["batch"]) == (2, stop)

    resumed = _loader(_store(images), per_image=3, workers=workers)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    iterator = iter(resumed)  # Lightning creates it before it sets the epoch
    resumed.set_epoch(2)
    assert _equal(expected[stop:], list(iterator))
    resumed.set_epoch(3)
    assert len(list(resumed)) == 9


def test_a_finished_epoch_is_not_resumed(images: Images) -> None:
    loader, resumed = _loader(_store(images)), _loader(_store(images))
    list(loader)
    resumed.load_state_dict(loader.state_dict())
    loader.set_epoch(1)
    assert _equal(list(resumed), list(loader))


def test_a_position_among_other_batches_is_refused(images: Images) -> None:
    loader = _loader(_store(images), batch_size=4)
    next(iter(loader))
    other = _loader(_store(images), batch_size=2)
    with pytest.raises(CheckpointError, match=r"3 batches of 4 images.* 6 of 2: .*batch_size"):
        other.load_state_dict(loader.state_dict())
    list(loader)
    other.load_state_dict(loader.state_dict())  # at the end of an epoch they may change


def test_the_last_batch_of_a_fixed_plan_is_short_and_shared_equally(images: Images) -> None:
    store = _store(images)
    plan = centre_crops(store.sizes, CROP)
    whole = list(CropLoader(store, lambda _: plan, CROP, batch_size=8))
    assert [len(batch) for batch in whole] == [8, 3]
    parts = [
        list(CropLoader(store, lambda _: plan, CROP, batch_size=4, share=Share(rank, 2)))
        for rank in range(2)
    ]
    assert [len(batch) for batch in parts[0]] == [len(batch) for batch in parts[1]] == [4, 2]
    assert torch.equal(parts[0][1], whole[1][::2])
    assert torch.equal(parts[1][1], whole[1][[1, 0]])  # the first one is repeated to fill it


def test_static_binarisation_is_fixed_and_dynamic_changes_between_epochs(images: Images) -> None:
    fixed = _store(images, binary_seed=3)
    assert set(np.unique(fixed[0])) <= {0, 255}
    np.testing.assert_array_equal(fixed[4], _store(images, 0, binary_seed=3)[4])
    assert (fixed[4] != _store(images, binary_seed=4)[4]).any()

    dynamic = _loader(_store(images), batch_size=11, binary=True)
    first = next(iter(dynamic))
    assert set(first.unique().tolist()) == {0, 1}
    assert torch.equal(first, next(iter(dynamic)))
    dynamic.set_epoch(1)
    assert first.shape == next(iter(dynamic)).shape


def test_an_image_smaller_than_the_crop_is_named_or_left_out(images: Images) -> None:
    budget = MemoryBudget(0)
    with pytest.raises(ImageError, match=r"000\.png: 6x8 pixels.*crop of 7x7 \(and 3 more images"):
        ImageStore(images, (7, 7), skip_small=False, budget=budget)
    store = ImageStore(images, (7, 7), skip_small=True, budget=budget)
    assert len(store) == 7
    assert store.sizes.min() == 7
    numbers = {int(store[i][0, 0, 0]) for i in range(7)}
    assert numbers == {i for i, (height, _) in enumerate(SIZES) if height >= 7}
    with pytest.raises(DataError, match="none of its 11 images is as large as the crop of 99x99"):
        ImageStore(images, (99, 99), skip_small=True, budget=budget)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_is_damaged_during_training_is_named(tmp_path: Path, workers: int) -> None:
    folder = write_folder(tmp_path / "a", SIZES)
    loader = _loader(_store(open_images(str(folder))), workers=workers)
    (folder / "004.png").write_bytes(b"broken")
    with pytest.raises(ImageError, match=r"004\.png: not a picture"):
        list(loader)


def test_a_file_that_changed_its_size_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "a", SIZES)
    store = _store(open_images(str(folder)))
    write_folder(tmp_path / "b", [(9, 9)])
    (tmp_path / "b/000.png").rename(folder / "000.png")
    with pytest.raises(ImageError, match=r"000\.png: 9x9 pixels, but 6x8 by its header"):
        store[0]
