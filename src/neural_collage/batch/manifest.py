"""The result of every input, as JSON lines; the last line of an input is the valid one."""

import json
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from types import TracebackType
from typing import Any

from neural_collage.batch.stores import open_store
from neural_collage.errors import CollageError, DataError, OutputError, first_line

_UPLOAD_SECONDS = 30
_UPLOAD_SHARE = 20
"""Uploads of a remote manifest take at most 1 / _UPLOAD_SHARE of the time."""


@dataclass(frozen=True)
class ManifestEntry:
    """A line of the manifest: the result of one attempt at an item, kept between runs.

    Attributes:
        input: name of the item in the source.
        output: name of the output in the sink; absent if the task keeps none.
        fingerprint: of the input, see `stores.ItemSource.items`.
        settings: hash of the task's settings, see `tasks.BatchTask.key`.
        attempts: number of this attempt in its run, from 1.
        width, height: pixels of the picture.
        bytes: size of the output. bpp: bits per pixel.
        psnr: dB, if measured; null in JSON stands for infinity (equal pictures).
        seconds: duration, including reading and writing.
        warnings: about the picture, such as frames that were ignored.
        error: why the attempt failed; absent if it succeeded.
    """

    input: str
    output: str | None = None
    fingerprint: str = ""
    settings: str = ""
    attempts: int = 1
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    bpp: float | None = None
    psnr: float | None = None
    seconds: float | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None

    def to_json(self) -> str:
        """The entry as one line, without fields that are None or empty."""
        known = {key: value for key, value in asdict(self).items() if value not in (None, ())}
        if self.psnr == math.inf:
            known["psnr"] = None
        return json.dumps(known, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "ManifestEntry":
        """Parse a line; unknown keys are ignored.

        Raises:
            ValueError: the line is not an entry of a manifest.
        """
        known = json.loads(line)
        if not isinstance(known, dict):
            raise ValueError("not a JSON object")
        if known.get("psnr", 0) is None:
            known["psnr"] = math.inf
        names = {field.name for field in fields(cls)}
        known = {key: value for key, value in known.items() if key in names}
        try:
            return cls(**known | {"warnings": tuple(known.get("warnings", ()))})
        except TypeError as error:
            raise ValueError(str(error)) from error


class Manifest:
    """A manifest at a path or URL; as a context manager it is open for appending.

    On a store that cannot append, the whole file is uploaded at intervals and at the end.

    entries: the last entry of each input, by name.
    damaged: number of lines that could not be parsed; their inputs are processed again.

    Raises:
        DataError: it cannot be read.
        CollageError: the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.entries: dict[str, ManifestEntry] = {}
        self.damaged = 0
        self._files, self._path = open_store(url)
        self._local = _appends(self._files)
        self._ends_in_line = True
        for line in self._lines():
            try:
                entry = ManifestEntry.from_json(line)
            except ValueError:
                self.damaged += 1
            else:
                self.entries[entry.input] = entry

    def __enter__(self) -> "Manifest":
        try:
            if self._local:
                self._files.makedirs(self._path.rpartition("/")[0] or "/", exist_ok=True)
                self._file: Any = self._files.open(self._path, "ab")
            else:
                self._file = tempfile.TemporaryFile("w+b")
                for line in self._lines():
                    self._file.write(line.encode() + b"\n")
        except OSError as error:
            raise self._error(error) from error
        self._uploaded, self._pause = time.monotonic(), float(_UPLOAD_SECONDS)
        return self

    def append(self, entry: ManifestEntry) -> None:
        """Write an entry as a line.

        Raises:
            OutputError: it cannot be written.
        """
        start = b"" if self._ends_in_line else b"\n"  # after a line cut off when a run was killed
        try:
            self._file.write(start + entry.to_json().encode() + b"\n")
            self._file.flush()
            self._ends_in_line = True
            if not self._local and time.monotonic() - self._uploaded > self._pause:
                self._upload()
        except OSError as error:
            self._ends_in_line = False
            raise self._error(error) from error
        self.entries[entry.input] = entry

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self._local:
                self._upload()
        finally:
            self._file.close()

    def _lines(self) -> Iterator[str]:
        try:
            if not self._files.exists(self._path):
                return
            with self._files.open(self._path, "rb") as file:
                for line in file:
                    self._ends_in_line = line.endswith(b"\n")
                    if line.strip():
                        yield line.decode(errors="replace").rstrip("\n")
        except Exception as error:
            raise DataError(f"{self.url}: cannot be read: {first_line(error)}") from error

    def _upload(self) -> None:
        started = time.monotonic()
        self._file.flush()
        self._file.seek(0)
        try:
            with self._files.open(self._path, "wb") as file:
                while block := self._file.read(1 << 20):
                    file.write(block)
        except Exception as error:
            raise self._error(error) from error
        self._uploaded = time.monotonic()
        self._pause = max(_UPLOAD_SECONDS, _UPLOAD_SHARE * (self._uploaded - started))

    def _error(self, error: Exception) -> CollageError:
        reason = getattr(error, "strerror", None) or first_line(error)
        return OutputError(f"{self.url}: the manifest cannot be written: {reason}")


def _appends(files: Any) -> bool:
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)
