"""Runs a command, and prints its wall seconds, its processor seconds and its peak memory in bytes.

    python -I -S launcher.py /path/to/program argument ...

A program of its own, because the system counts the memory of the process that starts a command as
the command's, and this one is smaller than whatever it measures. What the command writes to stdout
is dropped. Ends with status 1 if the command fails.
"""

import os
import sys
import time

BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024
"""Of `ru_maxrss`."""


def main() -> None:
    """Run the command of the command line."""
    command = sys.argv[1:]
    started = time.perf_counter()
    silent = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[silent])
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - started
    print(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * BYTES_PER_UNIT)
    sys.exit(os.waitstatus_to_exitcode(status) != 0)


if __name__ == "__main__":
    main()
