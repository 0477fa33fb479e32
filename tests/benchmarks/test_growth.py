import numpy as np

from benchmarks.speed.growth import Cost, cost
from benchmarks.support.processes import in_fresh_process, peak_bytes


def _allocate(megabytes: int) -> Cost:
    return cost(lambda: np.ones(megabytes * 1_000_000, dtype=np.uint8).sum())[0]


def test_peak_memory_is_that_of_the_work_alone() -> None:
    held_by_the_parent = np.ones(800_000_000, dtype=np.uint8)
    found = in_fresh_process(_allocate, 300)
    assert peak_bytes() > held_by_the_parent.nbytes
    assert 290 < found.peak - found.idle_peak < 330
