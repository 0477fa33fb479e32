"""Collections as files: a folder, here or at any URL that fsspec knows, used by name."""

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
"""Folder of a local collection in which files are written before they appear."""
_VERSIONS = ("ETag", "etag", "md5Hash", "checksum", "mtime", "LastModified", "last_modified")
_CHANGED_AT = (*_VERSIONS, "updated", "created")
"""What stores call the version of a file, or the time of its last change; the first is used."""


class ItemSource(ABC):
    """A collection to read from. Items are known by name; a source can be sent to processes.

    shared: whether other processes can read it; else the one that opened it must.
    """

    shared: bool

    @abstractmethod
    def items(self) -> Iterator[tuple[str, str]]:
        """Names and fingerprints of all items; what has changed has another fingerprint.

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
    """A collection to write to, item by item; each appears whole or not at all.

    shared: whether other processes can write to it; else the one that opened it must.
    """

    shared: bool

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Names of all items that are there, and the bytes they have."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Put an item there, in the place of an old one.

        Raises:
            OutputError: it cannot be written; its cause is the system's error.
        """

    def prepare(self) -> None:
        """Clear away what an interrupted run may have left half done; nobody else writes."""
        return

    def finish(self, names: Sequence[str]) -> None:
        """Complete the collection, which shall hold these items."""
        return


class Folder(ItemSource, ItemSink):
    """A folder and all below it.

    url: a path, or a URL such as s3://bucket/photos or memory://photos.
    suffixes: the endings, in small letters, of files that are items; all if empty.
    without: a folder below this one that does not belong to it.

    Raises CollageError if fsspec does not know the URL or lacks the package that it takes.
    """

    def __init__(
        self, url: str, suffixes: Sequence[str] = (), without: "Folder | None" = None
    ) -> None:
        self.url = url
        self.files, self.root = open_store(url)
        self.suffixes = tuple(suffixes)
        self._without = without.root if without and type(without.files) is type(self.files) else ""
        self.local = isinstance(self.files, LocalFileSystem)
        self.shared = not isinstance(self.files, MemoryFileSystem)

    def items(self) -> Iterator[tuple[str, str]]:
        if not self._reached(partial(self.files.isdir, self.root)):
            raise DataError(f"{self.url}: no such folder")
        for name, info in self._walk():
            yield name, f"{info.get('size')} {_version(info)}"

    def read(self, name: str) -> bytes:
        try:
            data: bytes = self.files.cat_file(self._path(name))
        except FileNotFoundError as error:
            raise ImageError(f"{name}: no such file") from error
        except Exception as error:  # stores fail in ways of their own
            raise ImageError(f"{name}: cannot be read: {_reason(error)}") from error
        return data

    def sizes(self) -> dict[str, int]:
        if not self._reached(partial(self.files.isdir, self.root)):
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
            else:  # of a store of objects, a put is all or nothing
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
                raise OutputError(f"{self.url}: cannot be made: {_reason(error)}") from error
            shutil.rmtree(Path(self.root, STAGING), ignore_errors=True)

    def finish(self, names: Sequence[str]) -> None:
        if self.local:
            shutil.rmtree(Path(self.root, STAGING), ignore_errors=True)

    def remove(self) -> None:
        """Delete the folder and all below it, if it is there."""
        if self.files.exists(self.root):
            self.files.rm(self.root, recursive=True)

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def _walk(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Names of items, sorted within each folder, and what the store knows of them."""
        waiting = [self.root]
        while waiting:
            listed = self._reached(partial(self.files.ls, waiting.pop(), detail=True))
            folders = []
            for info in sorted(listed, key=lambda info: info["name"]):
                path = info["name"].rstrip("/")
                name = path[len(self.root.rstrip("/")) + 1 :]
                if not name or name.rpartition("/")[2].startswith("."):
                    continue
                if info["type"] == "directory":
                    if path != self._without and not info.get("islink"):
                        folders.append(path)
                elif (not self.suffixes or _suffix(name) in self.suffixes) and (
                    info["type"] == "file" or self._reached(partial(self.files.isfile, path))
                ):  # a link may lead to a file, but not on to a folder
                    yield name, info
            waiting += reversed(folders)

    def _reached(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except FileNotFoundError as error:
            raise DataError(f"{self.url}: it vanished while it was listed") from error
        except Exception as error:
            raise DataError(f"{self.url}: cannot be listed: {_reason(error)}") from error


def open_store(url: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it.

    Raises:
        CollageError: fsspec does not know the URL, lacks a package for it, or cannot connect.
    """
    try:
        files, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise CollageError(f"{url}: {first_line(error)}") from error
    except Exception as error:
        raise CollageError(f"{url}: cannot be opened: {_reason(error)}") from error
    return files, path


def stem(name: str) -> str:
    """A name without its ending."""
    return name.removesuffix(_ending(name))


def _suffix(name: str) -> str:
    return _ending(name).lower()


def _ending(name: str) -> str:
    found = re.search(r"(?<=[^/.])\.[^./]*$", name)
    return found[0] if found else ""


def _version(info: dict[str, Any]) -> str:
    return next((str(info[key]) for key in _CHANGED_AT if info.get(key) is not None), "")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or first_line(error)
