"""Computing side by side: results, errors, and what it does to the threads of libraries."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from neural_collage.errors import CollageError
from neural_collage.runtime import (
    available_cores,
    cached_property,
    in_threads,
    thread_count,
    use_threads,
)
from tests.threads import threads

PATIENCE = 30  # seconds that a thread waits for another


def product_threads() -> set[int]:
    """How many threads the libraries of matrix products use."""
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("items", [0, 1, 2, 100])
def test_results_are_those_of_a_loop_in_order(items: int, count: int) -> None:
    calls = []

    def square(number: int) -> int:
        calls.append(number)
        return number**2

    with threads(count):
        assert in_threads(square, iter(range(items))) == [n**2 for n in range(items)]
    assert sorted(calls) == list(range(items))


def test_as_many_run_at_once_as_there_are_threads() -> None:
    together = threading.Barrier(3)

    def wait(_: int) -> int:
        together.wait(PATIENCE)  # raises unless three of them are here
        return threading.get_ident()

    with threads(3):
        seen = set(in_threads(wait, range(6)))
    assert len(seen) == 3
    assert threading.get_ident() not in seen


def test_one_thread_is_that_of_the_caller() -> None:
    with threads(1):
        idents = in_threads(lambda _: threading.get_ident(), range(5))
    assert set(idents) == {threading.get_ident()}


def test_calls_inside_run_one_after_the_other() -> None:
    def outer(_: int) -> tuple[int, list[int]]:
        return threading.get_ident(), in_threads(lambda _: threading.get_ident(), range(4))

    with threads(2):
        for own, inner in in_threads(outer, range(6)):
            assert set(inner) == {own}
        # and afterwards side by side again
        assert threading.get_ident() not in in_threads(lambda _: threading.get_ident(), range(4))


@pytest.mark.parametrize("count", [1, 2])
def test_errors_are_raised_and_leave_all_as_it_was(count: int) -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise CollageError(f"no {number}")
        return number

    with threads(count), threadpool_limits(2, user_api="blas"):
        with pytest.raises(CollageError, match="no 3"):
            in_threads(fail, range(20))
        assert product_threads() == {2}
        assert torch.get_num_threads() == count
        assert in_threads(fail, range(3)) == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 2])
def test_products_use_one_thread_each_inside_and_as_many_as_before_outside(count: int) -> None:
    with threads(count), threadpool_limits(2, user_api="blas"):
        assert product_threads() == {2}  # or the test says nothing
        assert in_threads(lambda _: product_threads(), range(4)) == [{1}] * 4
        assert product_threads() == {2}


@pytest.mark.parametrize("leaves_first", [True, False])
def test_products_are_limited_until_the_last_caller_is_done(leaves_first: bool) -> None:
    """Of two threads of a user, each of which computes in threads."""
    entered = {name: threading.Event() for name in ("first", "second")}
    may_leave = {name: threading.Event() for name in ("first", "second")}

    def call(name: str) -> list[set[int]]:
        def wait(_: int) -> set[int]:
            entered[name].set()
            assert may_leave[name].wait(PATIENCE)
            return product_threads()

        return in_threads(wait, [0, 1])

    order = ["first", "second"] if leaves_first else ["second", "first"]
    with threads(2), threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(2) as users:
        calls = {}
        for name in ("first", "second"):
            calls[name] = users.submit(call, name)
            assert entered[name].wait(PATIENCE)
        for name in order:
            assert product_threads() == {1}
            may_leave[name].set()
            assert calls[name].result(PATIENCE) == [{1}, {1}]
        assert product_threads() == {2}


def test_tensors_use_one_thread_each_inside_and_as_many_as_before_outside() -> None:
    with threads(2):
        assert in_threads(lambda _: torch.get_num_threads(), range(4)) == [1] * 4
        assert torch.get_num_threads() == 2


def test_large_products_are_the_same_side_by_side(rng: np.random.Generator) -> None:
    matrices = [rng.integers(-1000, 1000, (150, 150)).astype(np.float64) for _ in range(8)]
    alone = [matrix @ matrix for matrix in matrices]
    with threads(2):
        for found, expected in zip(in_threads(lambda m: m @ m, matrices), alone, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_number_of_threads_is_chosen_for_all() -> None:
    with threads(1):
        for count in (3, 1):
            use_threads(count)
            assert thread_count() == torch.get_num_threads() == count
        use_threads(None)
        assert thread_count() == torch.get_num_threads() == available_cores()
        for count in (0, -1):
            with pytest.raises(CollageError, match=f"{count} threads: at least one is needed"):
                use_threads(count)
        assert thread_count() == available_cores()


def test_the_number_holds_for_tensors_that_are_imported_later() -> None:
    code = """
from neural_collage.runtime import use_threads
use_threads(1)
import neural_collage as nc
nc.Collage  # which imports torch
import torch
print(torch.get_num_threads())
"""
    command = [sys.executable, "-c", code]
    more = {**os.environ, "OMP_NUM_THREADS": "2"}
    finished = subprocess.run(command, capture_output=True, text=True, check=True, env=more)
    assert finished.stdout.strip() == "1"


def test_cached_properties_of_two_objects_are_computed_side_by_side() -> None:
    """And so neither threads nor forked processes wait for the lock that they share otherwise."""
    both = threading.Barrier(2, timeout=PATIENCE)

    class Slow:
        @cached_property
        def value(self) -> int:
            return both.wait()

    objects = [Slow(), Slow()]
    with ThreadPoolExecutor(2) as pool:
        first = list(pool.map(lambda each: each.value, objects))
    assert sorted(first) == [0, 1]
    assert [each.value for each in objects] == first
    assert isinstance(Slow.value, cached_property)
