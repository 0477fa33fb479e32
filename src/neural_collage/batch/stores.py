"""Sources and sinks of items, and the folder as both: local, or at any URL that fsspec supports."""

import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from neural_collage.errors import CollageError, DataError, ImageError, OutputError, first_line
from neural_collage.io.files import write_atomically

STAGING = ".staging"
"""Subfolder of a local folder in which files are written before they are moved into place."""
_CONTENT_KEYS = ("ETag", "etag", "md5Hash", "checksum")
_TIME_KEYS = ("mtime", "LastModified", "last_modified", "updated", "created")
_VERSION_KEYS = (*_CONTENT_KEYS, *_TIME_KEYS)
"""Keys under which stores list the version or modification time of a file, by preference."""


class ItemSource(ABC):
    """A collection to read items from, by name; can be pickled.

    shared: whether other processes can read it; if not, only the one that opened it can.
    """

    shared: bool

    @abstractmethod
    def items(self) -> Iterator[tuple[str, str]]:
        """Names and fingerprints of all items; the fingerprint changes with the content.

        Raises:
            DataError: the collection is missing or cannot be listed.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of an item.

        Raises:
            ImageError: it is missing or cannot be read.
        """


class ItemSink(ABC):
    """A collection to write items to; each write is atomic.

    shared: whether other processes can write to it; if not, only the one that opened it can.
    """

    shared: bool

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Sizes in bytes of all items in the collection, by name."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write an item, replacing an older one.

        Raises:
            OutputError: it cannot be written; its `__cause__` is the system's error.
        """

    def prepare(self) -> None:
        """Remove unfinished files of an interrupted run, before any item is written."""
        return

    def finish(self, names: Sequence[str]) -> None:
        """Complete the collection after the last write; it consists of the items `names`."""
        return


class Folder(ItemSource, ItemSink):
    """A folder with its subfolders; hidden files and linked folders are ignored.

    url: a path, or a URL such as s3://bucket/photos or memory://photos.
    suffixes: lower-case suffixes of files that are items; empty for all files.
    excluded: a folder inside this one that is not searched.

    Raises CollageError if fsspec does not support the URL or lacks a package for it.
    """

    def __init__(
        self, url: str, suffixes: Sequence[str] = (), excluded: "Folder | None" = None
    ) -> None:
        self.url = url
        self.files, self.root = open_store(url)
        self.suffixes = tuple(suffixes)
        same_store = excluded is not None and type(excluded.files) is type(self.files)
        self._excluded = excluded.root if excluded is not None and same_store else ""
        self.local = isinstance(self.files, LocalFileSystem)
        self.shared = not isinstance(self.files, MemoryFileSystem)

    def items(self) -> Iterator[tuple[str, str]]:
        if not self._listing(partial(self.files.isdir, self.root)):
            raise DataError(f"{self.url}: no such folder")
        for name, info in self._walk():
            yield name, f"{info.get('size')} {_version(info)}"

    def read(self, name: str) -> bytes:
        try:
            data: bytes = self.files.cat_file(self._path(name))
        except FileNotFoundError as error:
            raise ImageError(f"{name}: no such file") from error
        except Exception as error:  # stores raise errors of their own classes
            raise ImageError(f"{name}: cannot be read: {_reason(error)}") from error
        return data

    def sizes(self) -> dict[str, int]:
        if not self._listing(partial(self.files.isdir, self.root)):
            return {}
        return {name: int(info.get("size") or 0) for name, info in self._walk()}

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        try:
            if self.local:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                staging = Path(self.root, STAGING)
                staging.mkdir(exist_ok=True)
                write_atomically(Path(path), data, staging=staging)
            else:  # object stores upload atomically
                self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
                self.files.pipe_file(path, data)
        except OutputError:
            raise
        except Exception as error:
            raise OutputError(f"{name}: cannot be written: {_reason(error)}") from error

    def prepare(self) -> None:
        if self.local:
            try:
                Path(self.root).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{self.url}: cannot be created: {_reason(error)}") from error
            shutil.rmtree(Path(self.root, STAGING), ignore_errors=True)

    def finish(self, names: Sequence[str]) -> None:
        if self.local:
            shutil.rmtree(Path(self.root, STAGING), ignore_errors=True)

    def remove(self) -> None:
        """Delete the folder with all its files, if it exists."""
        if self.files.exists(self.root):
            self.files.rm(self.root, recursive=True)

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def _walk(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Names of items, sorted within each folder, with their metadata in the store."""
        pending = [self.root]
        while pending:
            listed = self._listing(partial(self.files.ls, pending.pop(), detail=True))
            folders = []
            for info in sorted(listed, key=lambda info: info["name"]):
                path = info["name"].rstrip("/")
                name = path[len(self.root.rstrip("/")) + 1 :]
                if not name or name.rpartition("/")[2].startswith("."):
                    continue
                if info["type"] == "directory":
                    if path != self._excluded and not info.get("islink"):
                        folders.append(path)
                elif (not self.suffixes or _suffix(name) in self.suffixes) and (
                    info["type"] == "file" or self._listing(partial(self.files.isfile, path))
                ):  # links to files are items
                    yield name, info
            pending += reversed(folders)

    def _listing(self, query: Callable[[], Any]) -> Any:
        try:
            return query()
        except FileNotFoundError as error:
            raise DataError(f"{self.url}: it was removed while it was listed") from error
        except Exception as error:
            raise DataError(f"{self.url}: cannot be listed: {_reason(error)}") from error


def open_store(url: str) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and the path in it.

    Raises:
        CollageError: fsspec does not support the URL, lacks a package for it, or cannot connect.
    """
    try:
        files, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise CollageError(f"{url}: {first_line(error)}") from error
    except Exception as error:
        raise CollageError(f"{url}: cannot be opened: {_reason(error)}") from error
    return files, path


def stem(name: str) -> str:
    """A name without its suffix."""
    return name.removesuffix(_ending(name))


def _suffix(name: str) -> str:
    return _ending(name).lower()


def _ending(name: str) -> str:
    found = re.search(r"(?<=[^/.])\.[^./]*$", name)
    return found[0] if found else ""


def _version(info: dict[str, Any]) -> str:
    return next((str(info[key]) for key in _VERSION_KEYS if info.get(key) is not None), "")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or first_line(error)
