"""A studio in a process of its own, and the memory that all its processes hold."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.support.processes import descendants
from neural_collage.errors import CollageError

_COMMAND = [sys.executable, "-c", "from neural_collage.cli.main import run; run()", "studio"]
_START = 600.0  # seconds
_EVERY = 0.05


class Studio:
    """A running studio."""

    def __init__(self, address: str, pid: int) -> None:
        self.address, self.pid = address, pid

    def memory(self) -> int:
        """Bytes that its processes hold together, shared ones counted once (PSS)."""
        return sum(_held(pid) for pid in [self.pid, *descendants(self.pid)])

    @contextmanager
    def peak(self) -> Iterator[list[int]]:
        """A list whose last entry is the most memory held during the context."""
        seen, ended = [self.memory()], threading.Event()

        def watch() -> None:
            while not ended.wait(_EVERY):
                seen.append(max(seen[-1], self.memory()))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            ended.set()
            thread.join()


@contextmanager
def running_studio() -> Iterator[Studio]:
    """A studio whose examples are prepared."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="studio-benchmark-") as folder:
        environment = {**os.environ, "TMPDIR": folder}
        process = subprocess.Popen([*_COMMAND, "--port", str(port)], env=environment)
        try:
            _wait_for(address)
            yield Studio(address, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()


def _wait_for(address: str) -> None:
    """Wait until the studio answers, and has made the results of its examples."""
    end = time.monotonic() + _START
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{address}/api/about", timeout=_START).json()["prepared"]:
                return
        time.sleep(0.2)
    raise CollageError(f"the studio did not start within {_START:.0f} s")


def _held(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0
