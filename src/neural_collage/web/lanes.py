"""Lanes: queues of work with processes of their own, in which visitors take turns.

Small work has a lane that large work never enters, so that it does not wait for it.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neural_collage.web.problems import StoppedError, StudioError
from neural_collage.web.processes import Bounds, Listener, Worker


@dataclass(eq=False)
class Work:
    """A task in a lane.

    owner: whose turn it takes. future: of what the task returns.
    started: called when it leaves the queue.
    """

    owner: str
    task: str
    arguments: Mapping[str, Any]
    out: Path | None = None
    listen: Listener | None = None
    started: Callable[[], None] | None = None
    future: "Future[Any]" = field(default_factory=Future)
    stop_asked: bool = False


class Lane:
    """A queue and its processes.

    most: work that may wait, beyond which more is refused.
    """

    def __init__(self, name: str, processes: int, bounds: Bounds, most: int = 1000) -> None:
        self.name = name
        self._most = most
        self._waiting: OrderedDict[str, deque[Work]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self.workers = [Worker(bounds) for _ in range(processes)]
        self._trims: dict[Worker, bool] = dict.fromkeys(self.workers, False)
        self._threads = [
            threading.Thread(target=self._run, args=(worker,), daemon=True, name=f"lane-{name}")
            for worker in self.workers
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Work) -> "Future[Any]":
        """Queue work; raises StudioError (503) if too much waits."""
        with self._changed:
            if self._closed:
                raise StudioError("the server is stopping", 503)
            if sum(map(len, self._waiting.values())) >= self._most:
                raise StudioError("the server is busy: try again in a moment", 503)
            self._waiting.setdefault(work.owner, deque()).append(work)
            self._changed.notify()
        return work.future

    def stop(self, work: Work) -> None:
        """End work, whether it waits or runs; its future raises StoppedError."""
        with self._changed:
            work.stop_asked = True
            queue = self._waiting.get(work.owner)
            waits = queue is not None and work in queue
            if waits and queue is not None:
                queue.remove(work)
                if not queue:
                    del self._waiting[work.owner]
        if waits:
            work.future.set_exception(StoppedError("stopped"))

    def before(self, work: Work) -> int | None:
        """How many of the waiting come before it; None if it does not wait."""
        with self._changed:
            mine = self._waiting.get(work.owner)
            if mine is None or work not in mine:
                return None
            turn = mine.index(work)
            owners = list(self._waiting)
            earlier = owners[: owners.index(work.owner)]
            return turn + sum(
                min(len(queue), turn + (owner in earlier))
                for owner, queue in self._waiting.items()
                if owner != work.owner
            )

    def trim(self) -> None:
        """Have processes that have grown replaced when their task is done."""
        with self._changed:
            self._trims = dict.fromkeys(self.workers, True)
            self._changed.notify_all()

    def close(self) -> None:
        """End all work and processes."""
        with self._changed:
            self._closed = True
            waiting = [work for queue in self._waiting.values() for work in queue]
            self._waiting.clear()
            self._changed.notify_all()
        for work in waiting:
            work.future.set_exception(StoppedError("stopped"))
        for worker in self.workers:
            if worker.is_busy:
                worker.kill()
        for thread in self._threads:
            thread.join(2 * _LEAVE)

    def _run(self, worker: Worker) -> None:
        worker.start()
        while (work := self._next(worker)) is not None:
            if isinstance(work, Work):
                self._do(worker, work)
            else:
                worker.trim(TRIMMED)
        worker.end(_LEAVE)

    def _next(self, worker: Worker) -> "Work | bool | None":
        """Work of the owner whose turn it is; True to trim the worker; None at the end."""
        with self._changed:
            while not self._waiting and not self._closed and not self._trims[worker]:
                self._changed.wait()
            if self._closed:
                return None
            if not self._waiting:
                self._trims[worker] = False
                return True
            owner, queue = next(iter(self._waiting.items()))
            work = queue.popleft()
            if queue:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
            return work

    def _do(self, worker: Worker, work: Work) -> None:
        if work.started is not None:
            work.started()
        try:
            result = worker.run(
                work.task, work.arguments, work.out, work.listen, lambda: work.stop_asked
            )
        except Exception as error:
            work.future.set_exception(error)
        else:
            work.future.set_result(result)


_LEAVE = 2.0  # seconds that a process has to end by itself
TRIMMED = 30 << 20
"""Bytes of growth that are left to an idle process when a session has ended."""
