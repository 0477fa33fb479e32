"""Engines run a worker over items in parallel; here in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol, runtime_checkable

from neural_collage.batch.tasks import Item, Outcome, Worker
from neural_collage.errors import CollageError
from neural_collage.runtime import available_cores, use_threads

_QUEUED = 2
"""Items submitted per process, so that a process never waits for its next one."""


@runtime_checkable
class Engine(Protocol):
    """Runs a worker over items in parallel."""

    def run(
        self, worker: Worker, items: Iterable[Item], *, isolated: bool = False
    ) -> Iterator[Outcome]:
        """Outcomes of items in any order. Items whose process died have none.

        Items are consumed lazily. Closing the iterator stops the work.

        isolated: run one item at a time, so that one that kills its process affects no other.

        Raises:
            CollageError: no worker can be started.
        """


class LocalEngine:
    """A pool of processes with one thread each.

    workers: number of processes; None for one per core that this process may use.

    Raises CollageError if `workers` is less than one.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = available_cores() if workers is None else workers
        if self.workers < 1:
            raise CollageError(f"{workers} workers: at least one is needed")

    def run(
        self, worker: Worker, items: Iterable[Item], *, isolated: bool = False
    ) -> Iterator[Outcome]:
        """See `Engine.run`. If a process dies, all items submitted to the pool are lost."""
        remaining = iter(items)
        limit = 1 if isolated else _QUEUED * self.workers
        while True:
            with self._pool(worker, 1 if isolated else self.workers) as pool:
                _check_start(pool)
                try:
                    yield from _run_pool(pool, remaining, limit)
                    return
                except BrokenProcessPool:
                    continue
                finally:
                    pool.shutdown(wait=False, cancel_futures=True)

    def _pool(self, worker: Worker, workers: int) -> ProcessPoolExecutor:
        forkserver = "forkserver" in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if forkserver else "spawn")
        if forkserver:
            context.set_forkserver_preload([__name__])
        return ProcessPoolExecutor(workers, context, _initialise, (worker,))


def _check_start(pool: ProcessPoolExecutor) -> None:
    """Distinguish processes that cannot start from processes that an item kills."""
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise CollageError(
            "processes for the batch cannot be started: their output is above; a script that "
            'starts a batch needs `if __name__ == "__main__":`'
        ) from error


def _run_pool(pool: ProcessPoolExecutor, items: Iterator[Item], limit: int) -> Iterator[Outcome]:
    """Outcomes as they complete, with at most `limit` items submitted at a time.

    Raises:
        BrokenProcessPool: a process died; submitted items without an outcome are lost.
    """
    running: set[Future[Outcome]] = set()
    exhausted = False
    while running or not exhausted:
        while not exhausted and len(running) < limit:
            item = next(items, None)
            if item is None:
                exhausted = True
            else:
                running.add(pool.submit(_work, item))
        done, running = wait(running, return_when=FIRST_COMPLETED)
        broken = None
        for future in done:
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                broken = error
        if broken is not None:
            for future in wait(running).done:
                if future.exception() is None:
                    yield future.result()
            raise broken


_worker: Worker | None = None


def _initialise(worker: Worker) -> None:
    """Initialiser of a process of the pool."""
    global _worker  # the only state that an initialiser can leave for later calls
    _worker = worker
    use_threads(1)  # the processes use the other cores
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """Exit when the parent ends; a worker would otherwise wait for items for ever."""
    parent: Any = multiprocessing.parent_process()
    wait_for([parent.sentinel])
    os._exit(1)


def _work(item: Item) -> Outcome:
    assert _worker is not None
    return _worker(item)
