"""Running something with another number of threads than tests have."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from neural_collage.runtime import thread_count, use_threads


@contextmanager
def threads(count: int) -> Iterator[None]:
    """With so many threads of the package, of torch and of matrix products of numpy."""
    before = thread_count()
    use_threads(count)
    try:
        with threadpool_limits(count, user_api="blas"):
            yield
    finally:
        use_threads(before)
