"""From what a user names to sources and sinks: a folder, a URL, or parquet files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from neural_collage.batch.stores import Folder, ItemSink, ItemSource
from neural_collage.errors import CollageError, OutputError, first_line

_TABLE = ".parquet"
MANIFEST = "manifest.jsonl"


def open_source(url: str, searched: Sequence[str], destination: str) -> ItemSource:
    """The collection at a path or URL: files with these endings, or else rows of parquet files.

    destination: what lies there is left out.

    Raises:
        CollageError: the URL cannot be used, or is the destination of files of the same ending.
        DataError: there is no such folder.
    """
    if not url.endswith(_TABLE):
        out = Folder(destination)
        folder = Folder(url, searched, without=out)
        if (folder.root, type(folder.files)) == (out.root, type(out.files)):
            raise CollageError(f"{destination}: is the source as well: choose another destination")
        if next(folder.items(), None) is not None or not _holds_tables(url, out):
            return folder
    from neural_collage.batch.tables import Table  # with pyarrow, only if needed

    return Table(url)


def open_sink(url: str) -> ItemSink:
    """The collection to write at a path or URL.

    Raises:
        CollageError: the URL cannot be used.
    """
    if not url.endswith(_TABLE):
        return Folder(url)
    from neural_collage.batch.tables import TableSink

    return TableSink(url)


def manifest_of(destination: str) -> str:
    """Where the manifest of a destination lies, unless a user says otherwise."""
    beside = destination.endswith(_TABLE)
    return f"{destination}.{MANIFEST}" if beside else f"{destination.rstrip('/')}/{MANIFEST}"


@contextmanager
def locked(destination: str) -> Iterator[None]:
    """Keep other batches away from a destination on this machine's disks.

    The lock ends with the process, however that ends. Elsewhere there is none.

    Raises:
        OutputError: another batch is at work there, or the destination cannot be made.
    """
    folder = Folder(destination)
    if not folder.local:
        yield
        return
    root = Path(folder.root)
    path = root.with_name(f".{root.name}.lock") if destination.endswith(_TABLE) else root / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise OutputError(f"{destination}: another batch is writing there: wait for it") from error
    except OSError as error:
        raise OutputError(f"{destination}: cannot be written to: {first_line(error)}") from error
    try:
        yield
    finally:
        lock.release()


def _holds_tables(url: str, without: Folder) -> bool:
    return next(Folder(url, (_TABLE,), without=without).items(), None) is not None
