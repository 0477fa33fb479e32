"""Opens sources and sinks by path or URL: folders, stores that fsspec supports, parquet files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from neural_collage.batch.stores import Folder, ItemSink, ItemSource
from neural_collage.errors import CollageError, OutputError, first_line

_TABLE = ".parquet"
MANIFEST = "manifest.jsonl"


def open_source(url: str, suffixes: Sequence[str], destination: str) -> ItemSource:
    """Open a collection: a folder's files with these suffixes, or rows of parquet files.

    A folder without such files is searched for parquet files.

    destination: excluded from the source if it lies inside.

    Raises:
        CollageError: the URL cannot be used, or source and destination are the same folder.
        DataError: there is no such folder.
    """
    if not url.endswith(_TABLE):
        out = Folder(destination)
        folder = Folder(url, suffixes, excluded=out)
        if (folder.root, type(folder.files)) == (out.root, type(out.files)):
            raise CollageError(f"{destination} is also the source: choose another destination")
        if next(folder.items(), None) is not None or not _holds_tables(url, out):
            return folder
    from neural_collage.batch.tables import Table  # imports pyarrow, an optional dependency

    return Table(url)


def open_sink(url: str) -> ItemSink:
    """Open the collection to write to: a folder, or one parquet file.

    Raises:
        CollageError: the URL cannot be used.
    """
    if not url.endswith(_TABLE):
        return Folder(url)
    from neural_collage.batch.tables import TableSink

    return TableSink(url)


def manifest_of(destination: str) -> str:
    """Default path or URL of the manifest of a destination."""
    beside = destination.endswith(_TABLE)
    return f"{destination}.{MANIFEST}" if beside else f"{destination.rstrip('/')}/{MANIFEST}"


@contextmanager
def locked(destination: str) -> Iterator[None]:
    """Lock a destination on a local disk against other batches; remote stores have no lock.

    The lock is released even if the process is killed.

    Raises:
        OutputError: another batch writes there, or the destination cannot be created.
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


def _holds_tables(url: str, excluded: Folder) -> bool:
    return next(Folder(url, (_TABLE,), excluded=excluded).items(), None) is not None
