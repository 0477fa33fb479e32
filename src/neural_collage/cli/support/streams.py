"""Standard input and output as files of bytes."""

import os
import sys
from io import BufferedReader, BytesIO
from typing import cast

from neural_collage.errors import ImageError, OutputError

STANDARD = "-"
"""What names standard input or output on a command line; `./-` is a file of that name."""
INPUT = "standard input"
"""What errors call it."""


def standard_input() -> BufferedReader | BytesIO:
    """Standard input, open for reading bytes.

    Raises:
        ImageError: it is closed, or a terminal.
    """
    if sys.stdin is None:
        raise ImageError(f"{INPUT} is closed: pipe a file into it")
    if sys.stdin.isatty():
        raise ImageError(f"{INPUT} is a terminal: pipe a file into it, or name one instead of -")
    return cast(BufferedReader, sys.stdin.buffer)


def read_standard_input() -> bytes:
    """All bytes of standard input.

    Raises:
        ImageError: it is closed, a terminal, or cannot be read.
    """
    try:
        return standard_input().read()
    except OSError as error:
        raise ImageError(f"{INPUT}: cannot be read: {error.strerror or error}") from error


def check_standard_output() -> None:
    """Check before any work that a file can be written to standard output.

    Raises:
        OutputError: it is closed, or a terminal, which shows no files.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed: name a file with -o FILE")
    if sys.stdout.isatty():
        raise OutputError(
            "standard output is a terminal: name a file with -o FILE, or pipe it into a program"
        )


def write_standard_output(data: bytes) -> None:
    """Write a whole file to standard output.

    Raises:
        BrokenPipeError: what reads it has ended.
        OutputError: it cannot be written for another reason.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        _discard_output()
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(
            f"standard output: cannot be written: {error.strerror or error}"
        ) from error


def _discard_output() -> None:
    """Let what is left in the buffer go nowhere, which Python would try to write at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
