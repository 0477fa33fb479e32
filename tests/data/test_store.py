from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from jaxtyping import UInt8
from numpy import ndarray

from neural_collage.data.images import Images
from neural_collage.data.sources import open_images
from neural_collage.data.store import ImageStore, MemoryBudget
from tests.data.pictures import write_folder

SIZE = (6, 8)
BYTES = 3 * 6 * 8
N_THREADS = 3
Decode = Callable[[Images, int], UInt8[ndarray, "c h w"]]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Images:
    """Two images, each of which is decoded by all threads at once."""
    barrier, decode = Barrier(N_THREADS, timeout=30), Images.__getitem__

    def at_once(images: Images, index: int) -> UInt8[ndarray, "c h w"]:
        pixels = decode(images, index)
        barrier.wait()  # no thread stores its pixels before all have missed the image
        return pixels

    monkeypatch.setattr(Images, "__getitem__", at_once)
    return open_images(str(write_folder(tmp_path / "a", [SIZE] * 2)))


def read_at_once(store: ImageStore, index: int) -> list[UInt8[ndarray, "c h w"]]:
    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(store.__getitem__, [index] * N_THREADS))


def test_threads_that_miss_the_same_image_claim_its_bytes_once(images: Images) -> None:
    budget = MemoryBudget(2 * BYTES)
    store = ImageStore(images, SIZE, skip_small=False, budget=budget)
    for index in range(2):
        found = read_at_once(store, index)
        assert all(pixels is found[0] for pixels in found)
        assert store[index] is found[0]  # kept: a miss would wait for the other threads
        assert budget.free == (1 - index) * BYTES


def test_without_memory_no_bytes_are_claimed(images: Images) -> None:
    budget = MemoryBudget(BYTES - 1)
    store = ImageStore(images, SIZE, skip_small=False, budget=budget)
    first, *others = read_at_once(store, 0)
    assert budget.free == BYTES - 1
    assert all(np.array_equal(first, pixels) for pixels in others)
