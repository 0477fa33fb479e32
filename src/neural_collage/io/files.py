"""Writing any file so that it appears whole or not at all."""

import os
import secrets
from pathlib import Path

from neural_collage.errors import OutputError


def write_atomically(
    path: Path, data: bytes, *, durable: bool = False, staging: Path | None = None
) -> None:
    """Write a file under another name beside `path`, then rename it; replaces an old file.

    Whatever interrupts this, Ctrl-C included, the folder holds the old file or the new one, and
    nothing else. With `durable` that holds for a power failure too; it waits for the disk.
    A process that is killed may leave the other name; where that matters, give a `staging` folder
    of the same file system, which can be cleared.

    Raises:
        OutputError: the folder cannot be written to, or `path` is a folder or a device.
    """
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not a regular file: choose another output")
    temporary = (staging or path.parent) / f".{secrets.token_hex(8)}.part"
    try:
        try:
            with temporary.open("wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105 - the one name for it that says "atomic"
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
