"""Who works on items: the processes of this machine, one model in each."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol, runtime_checkable

import torch

from neural_collage.batch.tasks import Item, Outcome, Worker
from neural_collage.errors import CollageError
from neural_collage.runtime import available_cores

_AHEAD = 2
"""Items that wait for each process, so that none waits for an item."""


@runtime_checkable
class Engine(Protocol):
    """Lets many work on items."""

    def run(
        self, worker: Worker, items: Iterable[Item], *, alone: bool = False
    ) -> Iterator[Outcome]:
        """What became of items, in any order; of those whose process died, nothing.

        Items are taken as they are needed. Closing the iterator ends the work.

        alone: one item at a time, so that none suffers from what another does to its process.

        Raises:
            CollageError: nobody can work.
        """


class LocalEngine:
    """A pool of processes.

    workers: how many; None for one for each core that this process may use.

    Raises CollageError if that is less than one.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = available_cores() if workers is None else workers
        if self.workers < 1:
            raise CollageError(f"{workers} workers: at least one is needed")

    def run(
        self, worker: Worker, items: Iterable[Item], *, alone: bool = False
    ) -> Iterator[Outcome]:
        """See `Engine.run`. A process that dies takes with it what the others were at."""
        waiting = iter(items)
        ahead = 1 if alone else _AHEAD * self.workers
        while True:
            with self._pool(worker, 1 if alone else self.workers) as pool:
                _check_start(pool)
                try:
                    yield from _drain(pool, waiting, ahead)
                    return
                except BrokenProcessPool:
                    continue
                finally:
                    pool.shutdown(wait=False, cancel_futures=True)

    def _pool(self, worker: Worker, workers: int) -> ProcessPoolExecutor:
        how = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context = multiprocessing.get_context(how)
        if how == "forkserver":
            context.set_forkserver_preload([__name__])
        return ProcessPoolExecutor(workers, context, _begin, (worker,))


def _check_start(pool: ProcessPoolExecutor) -> None:
    """Tell processes that cannot begin from those that die of an item."""
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise CollageError(
            "processes for the batch cannot be started: what they said is above; a script that "
            'starts a batch needs `if __name__ == "__main__":`'
        ) from error


def _drain(pool: ProcessPoolExecutor, items: Iterator[Item], ahead: int) -> Iterator[Outcome]:
    """Outcomes as they come, a bounded number of items being on their way.

    Raises:
        BrokenProcessPool: a process died; of items on their way, those that are not told are lost.
    """
    running: set[Future[Outcome]] = set()
    left = True
    while left or running:
        while left and len(running) < ahead:
            item = next(items, None)
            if item is None:
                left = False
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


def _begin(worker: Worker) -> None:
    """What a process does first."""
    global _worker  # a pool's processes have nothing else to keep things in
    _worker = worker
    torch.set_num_threads(1)  # there are as many processes as cores
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started us
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """A process whose parent was killed would wait for items for ever."""
    parent: Any = multiprocessing.parent_process()
    wait_for([parent.sentinel])
    os._exit(1)


def _work(item: Item) -> Outcome:
    assert _worker is not None
    return _worker(item)
