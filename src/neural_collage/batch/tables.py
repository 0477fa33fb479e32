"""Sources and sinks in parquet files: a row per item, its bytes in the column `image`."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from neural_collage.batch.stores import Folder, ItemSink, ItemSource, open_store, stem
from neural_collage.errors import CollageError, DataError, ImageError, OutputError, first_line
from neural_collage.extras import needs_extra

with needs_extra("parquet"):
    import pyarrow as pa
    import pyarrow.parquet as pq

SUFFIX = ".parquet"
_COLUMNS = ("image", "img")
_GROUP_BYTES = 1 << 25
"""Size at which a row group is written; bounds the memory used."""


class Table(ItemSource):
    """Rows of one parquet file, or of all in a folder, with encoded pictures in `image` or `img`.

    An item's name is its row number; in a folder, the file's name comes before it. Its fingerprint
    is that of its file: if the file changes, all its rows count as changed.

    url: path or URL of a file or folder.

    Raises CollageError as `Folder` does.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._single = url.endswith(SUFFIX)
        self._folder = Folder(url.rpartition("/")[0] or "." if self._single else url, (SUFFIX,))
        self.shared = self._folder.shared

    def items(self) -> Iterator[tuple[str, str]]:
        only = self.url.rpartition("/")[2]
        files = [x for x in self._folder.items() if not self._single or x[0] == only]
        if not files:
            raise DataError(f"{self.url}: no such parquet file")
        for name, fingerprint in files:
            try:
                rows = _starts(self._folder, name)[-1]
            except Exception as error:  # from pyarrow or the store
                raise DataError(
                    f"{name}: not a readable parquet file: {first_line(error)}"
                ) from error
            for row in range(rows):
                yield f"{row:06}" if self._single else f"{stem(name)}/{row:06}", fingerprint

    def read(self, name: str) -> bytes:
        file, _, row = name.rpartition("/")
        file = self.url.rpartition("/")[2] if self._single else file + SUFFIX
        try:
            starts = _starts(self._folder, file)
            group = max(g for g, start in enumerate(starts[:-1]) if start <= int(row))
            value = _rows(self._folder, file, group)[int(row) - starts[group]].as_py()
        except CollageError:
            raise
        except Exception as error:
            raise ImageError(f"{name}: cannot be read: {first_line(error)}") from error
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise ImageError(f"{name}: the row holds no bytes of an image")
        return data


class TableSink(ItemSink):
    """A parquet file with the columns `name`, `bytes` and `image`, written atomically.

    Until `finish`, items are files in a folder beside it, whose name ends in .parts.

    url: path or URL of the file, ending in .parquet.

    Raises CollageError as `Folder` does.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._path = open_store(url)
        self._parts = Folder(url + ".parts")
        self.shared = self._parts.shared

    def sizes(self) -> dict[str, int]:
        return self._written_rows() | self._parts.sizes()

    def write(self, name: str, data: bytes) -> None:
        self._parts.write(name, data)

    def prepare(self) -> None:
        self._parts.prepare()

    def finish(self, names: Sequence[str]) -> None:
        before, parts = list(self._written_rows()), self._parts.sizes()
        if parts or before != list(names):
            number = {name: row for row, name in enumerate(before)}
            old = Table(self.url)
            items = (
                (name, self._parts.read(name) if name in parts else old.read(f"{number[name]:06}"))
                for name in names
            )
            try:
                self._write_table(items)
            except OSError as error:
                raise OutputError(f"{self.url}: cannot be written: {first_line(error)}") from error
        self._parts.remove()

    def _write_table(self, items: Iterator[tuple[str, bytes]]) -> None:
        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        schema = pa.schema([("name", pa.string()), ("bytes", pa.int64()), ("image", image)])
        unfinished = self._path + ".part"
        with self._files.open(unfinished, "wb") as file, pq.ParquetWriter(file, schema) as writer:
            rows: list[dict[str, Any]] = []
            held = 0
            for name, data in items:
                picture = {"bytes": data, "path": name}
                rows.append({"name": name, "bytes": len(data), "image": picture})
                held += len(data)
                if held > _GROUP_BYTES:
                    writer.write_table(pa.Table.from_pylist(rows, schema))
                    rows, held = [], 0
            writer.write_table(pa.Table.from_pylist(rows, schema))
        self._files.mv(unfinished, self._path)
        _starts.cache_clear()
        _rows.cache_clear()

    def _written_rows(self) -> dict[str, int]:
        """Sizes in bytes of the items in the file of an earlier run, by name."""
        if not self._files.exists(self._path):
            return {}
        try:
            with self._files.open(self._path, "rb") as file:
                table = pq.read_table(file, columns=["name", "bytes"])
        except Exception as error:
            raise DataError(
                f"{self.url}: not a table written by a batch: {first_line(error)}"
            ) from error
        return dict(zip(table["name"].to_pylist(), table["bytes"].to_pylist(), strict=True))


@lru_cache(maxsize=256)
def _starts(folder: Folder, name: str) -> list[int]:
    """The first row of each row group of a file, and at the end the number of rows."""
    with folder.files.open(f"{folder.root.rstrip('/')}/{name}", "rb") as file:
        metadata = pq.ParquetFile(file).metadata
    starts = [0]
    for group in range(metadata.num_row_groups):
        starts.append(starts[-1] + metadata.row_group(group).num_rows)
    return starts


@lru_cache(maxsize=1)
def _rows(folder: Folder, name: str, group: int) -> Any:
    """The pictures of a row group. Cached because rows are usually read in order."""
    with folder.files.open(f"{folder.root.rstrip('/')}/{name}", "rb") as file:
        parquet = pq.ParquetFile(file)
        column = next((c for c in _COLUMNS if c in parquet.schema_arrow.names), None)
        if column is None:
            raise ImageError(f"{name}: the table has no column {' or '.join(_COLUMNS)}")
        return parquet.read_row_group(group, columns=[column])[column]
