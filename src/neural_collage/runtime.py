"""What this process computes with: cores, threads, and the devices of torch."""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from neural_collage.errors import CollageError

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property as cached_property
else:
    import functools

    class cached_property(functools.cached_property):  # noqa: N801
        """As from Python 3.12 on, without the lock that all instances of a class share.

        Threads wait for each other there, and processes that are forked meanwhile for ever.
        """

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            if instance is None:
                return self
            values = instance.__dict__
            if self.attrname not in values:
                values[self.attrname] = self.func(instance)
            return values[self.attrname]


def available_cores() -> int:
    """Number of cores that this process may run on, which a container may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_device(device: str) -> None:
    """Check that torch can compute on a device here and now.

    Raises:
        CollageError: it cannot, or the device holds no values (meta).
    """
    import torch  # not needed to count cores

    try:
        torch.ones(1, device=torch.device(device)).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise CollageError(f"device {device!r} cannot be used on this machine: try cpu") from error


@contextmanager
def without_autocast(device: str = "cpu") -> Iterator[None]:
    """Compute in the types of the tensors inside, whatever autocast says outside.

    Files and pixels then do not depend on it.
    """
    import torch

    with ExitStack() as stack:
        for kind in {"cpu", torch.device(device).type}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield


_T = TypeVar("_T")
_R = TypeVar("_R")
_chosen_threads: int | None = None


def wait_passively() -> None:
    """Let the threads of tensors sleep while they wait, so that other processes can work.

    Takes effect if nothing has imported torch yet, and unless the environment says otherwise.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def use_threads(count: int | None) -> None:
    """Use at most so many threads; None for one per core.

    Raises:
        CollageError: less than one.
    """
    global _chosen_threads  # one setting of the process, like those of the libraries below
    if count is not None and count < 1:
        raise CollageError(f"{count} threads: at least one is needed")
    _chosen_threads = count
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(thread_count())
    elif count is not None:
        os.environ["OMP_NUM_THREADS"] = str(count)  # which torch reads when it is imported


def thread_count() -> int:
    """How many threads to compute with."""
    return available_cores() if _chosen_threads is None else _chosen_threads


def in_threads(function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
    """The results of a function for all items, in order, computed side by side.

    Matrix products and tensors inside use one thread each, so that they do not compete for cores.
    Functions that are called this way may call others this way: those run one after the other.
    """
    items = list(items)
    with one_thread_a_product:
        if len(items) < 2 or thread_count() == 1 or getattr(_inside, "thread", False):
            return [function(item) for item in items]
        with (
            _tensor_threads(),
            ThreadPoolExecutor(min(thread_count(), len(items)), initializer=_enter) as pool,
        ):
            return list(pool.map(function, items))


@contextmanager
def _tensor_threads() -> Iterator[None]:
    """Restores the number of threads that tensors use, which `_enter` sets."""
    if (torch := sys.modules.get("torch")) is None:
        yield
        return
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


_inside = threading.local()


def _enter() -> None:
    _inside.thread = True
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


class _Products:
    """Limits matrix products of numpy to one thread each while anything computes in threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._users = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self.lock:
            if not self._users:
                _release_control()
                self._limit = _blas().limit(limits=1)
            self._users += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self._users -= 1
            if not self._users:
                _release_control()
                self._limit.restore_original_limits()
                _release_control()


one_thread_a_product = _Products()
"""Inside this context matrix products of numpy use one thread each."""


def _after_fork() -> None:
    """Use one thread for tensors in a process that was forked, as the loaders of torch do.

    The threads that OpenMP had before are not there, but it waits for them.
    """
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # no other thread is inside meanwhile
    os.register_at_fork(
        before=one_thread_a_product.lock.acquire,
        after_in_parent=one_thread_a_product.lock.release,
        after_in_child=one_thread_a_product.lock.release,
    )
    os.register_at_fork(after_in_child=_after_fork)


def _release_control() -> None:
    """Let any thread change limits: newer versions of threadpoolctl leave them to the first one."""
    for library in _blas().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@lru_cache(maxsize=1)
def _blas() -> "ThreadpoolController":
    """What limits the threads of the library of matrix products that numpy has loaded."""
    import numpy  # so that it is there
    from threadpoolctl import ThreadpoolController

    del numpy
    return ThreadpoolController().select(user_api="blas")
