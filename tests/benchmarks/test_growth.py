from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.speed import growth


def test_a_photo_is_cut_or_mirrored_to_size(file: Path) -> None:
    original = np.asarray(Image.open(file))
    assert np.array_equal(np.asarray(growth.photo(file, 10, 12)), original[:12, :10])
    mirrored = np.asarray(growth.photo(file, 24, 40))
    assert np.array_equal(mirrored[16:32], original[::-1])
    assert np.array_equal(mirrored[32:], original[:8])


def _occupy(megabytes: int) -> growth.Cost:
    return growth.cost(lambda: np.ones(megabytes * 1_000_000, dtype=np.uint8).sum())[0]


def test_peak_memory_is_that_of_the_work_alone() -> None:
    held_by_the_parent = np.ones(800_000_000, dtype=np.uint8)
    cost = growth.in_fresh_process(_occupy, 300)
    assert growth.peak_megabytes() > held_by_the_parent.nbytes / 1e6
    assert 290 < cost.peak - cost.idle_peak < 330
