"""The loop of a worker process: tasks by name, with progress, parts and requests to stop."""

import errno
import importlib
import os
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from neural_collage.errors import CollageError
from neural_collage.runtime import use_threads
from neural_collage.web.problems import StoppedError, StudioError, gone

PRELOADED = "neural_collage.web.tasks.preloaded"
"""The module that imports and loads what all tasks need."""
STOP = "stop"
"""The message that asks for the end of the running task."""
_REPORTS_A_SECOND = 10


class Context:
    """What a task reports to.

    out: a folder of its own for what it makes; None for tasks that return all they make.
    """

    def __init__(self, connection: Connection | None = None, out: Path | None = None) -> None:
        self._connection = connection
        self._out = out
        self._reported = 0.0

    @property
    def out(self) -> Path:
        assert self._out is not None
        return self._out

    def check(self) -> None:
        """Raise StoppedError if the end of the task was asked for."""
        while self._connection is not None and self._connection.poll():
            if self._connection.recv() == STOP:
                raise StoppedError("stopped")

    def report(self, done: float, steps: float, text: str = "") -> None:
        """Say how much is done; raises StoppedError as `check` does."""
        self.check()
        now = time.monotonic()
        if self._connection is None or now - self._reported < 1 / _REPORTS_A_SECOND:
            return
        self._reported = now
        share = min(1.0, done / steps) if steps else 0.0
        self._connection.send(("progress", {"share": share, "text": text}))

    def expect(self, seconds: float, first: float, last: float, text: str = "") -> None:
        """Announce a step that cannot report: its seconds, and its shares before and after."""
        self.check()
        if self._connection is not None:
            content = {"seconds": seconds, "first": first, "last": last, "text": text}
            self._connection.send(("expect", content))

    def part(self, facts: Mapping[str, Any]) -> None:
        """Hand out a part of the result, such as a preview."""
        self.check()
        if self._connection is not None:
            self._connection.send(("part", dict(facts)))


def run_task(name: str, arguments: Mapping[str, Any], context: Context) -> Any:
    """Call a task: "module.function" of this package."""
    module, _, function = name.partition(".")
    task = getattr(importlib.import_module(f"neural_collage.web.tasks.{module}"), function)
    return task(context, **arguments)


def main(connection: Connection, threads: int, niceness: int) -> None:
    """Run tasks that come through a connection until it closes."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends its workers
    if hasattr(os, "nice"):
        os.nice(niceness)
    importlib.import_module(PRELOADED)  # done before, where processes are forked
    use_threads(threads)
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        if message == STOP:  # for a task that had ended already
            continue
        name, arguments, out = message
        try:
            _answer(connection, name, arguments, out)
        except (BrokenPipeError, OSError):
            return


def _answer(
    connection: Connection, name: str, arguments: Mapping[str, Any], out: Path | None
) -> None:
    try:
        result = run_task(name, arguments, Context(connection, out))
    except StudioError as error:
        connection.send(("failed", error))
    except StoppedError:
        connection.send(("stopped", None))
    except CollageError as error:
        connection.send(("failed", StudioError(str(error), 422)))
    except FileNotFoundError:  # it was dropped meanwhile
        connection.send(("failed", gone("this picture")))
    except MemoryError:
        connection.send(("memory", None))
    except Exception as error:
        if "alloc" in str(error).lower() and isinstance(error, RuntimeError):  # torch's
            connection.send(("memory", None))
            return
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            text = "the disk of the server is full: delete some results"
            connection.send(("failed", StudioError(text, 507)))
            return
        import traceback

        connection.send(("broken", traceback.format_exc()))
    else:
        connection.send(("done", result))
