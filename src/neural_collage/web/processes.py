"""A worker process: started, watched, ended and replaced.

Workers are forked from a server process that has imported everything, so that a replacement is
ready at once and shares its memory; where the system cannot fork, they start anew.
"""

import contextlib
import logging
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from neural_collage.web.problems import StoppedError, StudioError
from neural_collage.web.tasks import worker

_POLL = 0.05  # seconds between looks at a running task
_LEAVE = 1.0  # seconds that a process has to leave by itself
_TELL = 0.4  # seconds between reports of a step that says nothing itself
_LOG = logging.getLogger(__name__)
Listener = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Bounds:
    """What a worker may use.

    threads: of a computation. niceness: added to that of the server. memory: bytes, beyond which a
    task is ended. growth: bytes above those after its start, beyond which it is replaced when its
    task is done. grace: seconds that a stopped task has before its process is ended.
    """

    threads: int = 1
    niceness: int = 0
    memory: int = 1200 << 20
    growth: int = 150 << 20
    grace: float = 1.0


class _Expected:
    """Progress of a step that says nothing itself, by the time that it was expected to take."""

    def __init__(self, seconds: float, first: float, last: float, text: str) -> None:
        self._seconds, self._first, self._last, self._text = seconds, first, last, text
        self._begun = self._told = time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self._told > _TELL

    def progress(self) -> dict[str, Any]:
        """Ever slower towards the share at the end, which it does not reach."""
        self._told = time.monotonic()
        done = 1 - math.exp(-1.5 * (self._told - self._begun) / max(self._seconds, 0.01))
        return {"share": self._first + (self._last - self._first) * done, "text": self._text}


class Worker:
    """A process that runs one task at a time; used by one thread.

    is_busy: whether it runs one.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._base = 0
        self.is_busy = False

    def start(self) -> None:
        """Start the process, if it does not run."""
        if self._process is not None and self._process.is_alive():
            return
        self.end()
        context = _context()
        self._connection, theirs = context.Pipe()
        self._process = context.Process(  # type: ignore[attr-defined]
            target=worker.main,
            args=(theirs, self.bounds.threads, self.bounds.niceness),
            daemon=True,
        )
        assert self._process is not None
        self._process.start()
        theirs.close()
        self._base = 0

    def end(self, wait: float = 0) -> None:
        """End the process: an idle one leaves within `wait` seconds, others are killed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.join(wait)
            self._process.kill()
            self._process.join(5)
            self._process = None

    def kill(self) -> None:
        """Kill the process, from any thread; `run` raises."""
        if (process := self._process) is not None:
            process.kill()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def run(
        self,
        task: str,
        arguments: Mapping[str, Any],
        out: Path | None = None,
        listen: Listener | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Any:
        """What a task returns; `listen` gets the names and contents of its reports.

        Raises:
            StoppedError: it was stopped.
            StudioError: it refused its input, or died.
        """
        self.start()
        assert self._connection is not None
        self._base = self._base or memory_of(self.pid)
        self.is_busy = True
        try:
            self._connection.send((task, dict(arguments), out))
            return self._wait(task, listen, is_stopped)
        except (EOFError, OSError) as error:
            self.end()
            _LOG.warning("a worker process ended while it ran %s", task)
            raise _out_of_memory() from error
        finally:
            self.is_busy = False
            self.trim()

    def trim(self, growth: int | None = None) -> None:
        """Replace the process if it has grown by more than its bounds say, or than `growth`."""
        allowed = self.bounds.growth if growth is None else growth
        if self._base and memory_of(self.pid) > self._base + allowed:
            self.end(_LEAVE)
            self.start()

    def _wait(self, task: str, listen: Listener | None, is_stopped: Callable[[], bool]) -> Any:
        assert self._connection is not None
        stop_asked: float | None = None
        expected: _Expected | None = None
        while True:
            if self._connection.poll(_POLL):
                kind, content = self._connection.recv()
                if kind not in ("progress", "part", "expect"):
                    return _outcome(task, kind, content)
                expected = _Expected(**content) if kind == "expect" else None
                if kind != "expect" and listen is not None and stop_asked is None:
                    listen(kind, content)
                continue
            if expected is not None and listen is not None and expected.is_due():
                listen("progress", expected.progress())
            if stop_asked is None and is_stopped():
                stop_asked = time.monotonic()
                self._connection.send(worker.STOP)
            if stop_asked is not None and time.monotonic() - stop_asked > self.bounds.grace:
                self.end()
                self.start()
                raise StoppedError("stopped")
            if memory_of(self.pid) > self.bounds.memory:
                self.end()
                self.start()
                raise _out_of_memory()


def _outcome(task: str, kind: str, content: Any) -> Any:
    if kind == "done":
        return content
    if kind == "failed":
        raise content
    if kind == "stopped":
        raise StoppedError("stopped")
    if kind == "memory":
        raise _out_of_memory()
    _LOG.error("%s failed:\n%s", task, content)
    raise StudioError("this did not work, and the reason is in the server's log", 500)


def _out_of_memory() -> StudioError:
    return StudioError(
        "this ran out of memory: take a smaller picture, or a smaller size of the result", 507
    )


def memory_of(pid: int | None) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


@lru_cache(maxsize=1)
def _context() -> BaseContext:
    if "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        # threads of tensors must sleep while they wait: they would take the cores from other
        # workers; the environment of the server of forks is that of this process now
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        context.set_forkserver_preload([worker.PRELOADED])
        return context
    return multiprocessing.get_context("spawn")
