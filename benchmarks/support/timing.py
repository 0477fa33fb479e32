"""Wall-clock timing of one or several pieces of work."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

T = TypeVar("T")

Seconds = Mapping[str, float]
"""Median seconds of each piece of work, by name."""


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds that a call takes, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def turns(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each piece of work in each round.

    In a round all run once, in turn, so that a temporary slowdown of the machine affects all.
    An untimed round before the first loads weights and fills caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for call in work.values():
        call()
    for _ in range(rounds):
        for name, call in work.items():
            seconds[name].append(timed(call)[0])
    return seconds


def medians(work: Mapping[str, Callable[[], object]], rounds: int) -> Seconds:
    """Median seconds of each piece of work, measured by `turns`."""
    return {name: median(values) for name, values in turns(work, rounds).items()}
