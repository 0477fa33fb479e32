"""Sources and sinks in parquet files, and incremental runs on them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import neural_collage as nc
from neural_collage.batch import tables
from neural_collage.batch.manifest import Manifest
from neural_collage.batch.runner import Summary, run_batch
from neural_collage.batch.tables import Table, TableSink
from neural_collage.errors import DataError, ImageError
from tests.batch.conftest import FRACTAL, InlineEngine, Pictures


def write_table(path: Path, images: list[Any], column: str = "image", group: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"label": list(range(len(images))), column: images}), path, group)


def batch(source: str, out: Path, task: Any = FRACTAL) -> Summary:
    with Manifest(f"{out}.manifest.jsonl") as manifest:
        return run_batch(Table(source), TableSink(str(out)), task, InlineEngine(), manifest)


def encoded(pictures: Pictures, *names: str) -> list[bytes]:
    folder = pictures("in", *names)
    return [(folder / name).read_bytes() for name in names]


@pytest.mark.parametrize("as_struct", [True, False])
def test_rows_are_items(pictures: Pictures, tmp_path: Path, as_struct: bool) -> None:
    data = encoded(pictures, "a.png", "b.jpg", "c.png")
    rows = [{"bytes": item, "path": None} for item in data] if as_struct else data
    write_table(tmp_path / "t/train-0.parquet", rows, "img")
    write_table(tmp_path / "t/train-1.parquet", rows[:1])
    table = Table(str(tmp_path / "t"))
    names = [name for name, _ in table.items()]
    assert names == [f"train-0/00000{row}" for row in range(3)] + ["train-1/000000"]
    assert [table.read(name) for name in names] == [*data, data[0]]
    alone = Table(str(tmp_path / "t/train-0.parquet"))
    assert [name for name, _ in alone.items()] == ["000000", "000001", "000002"]
    assert alone.read("000001") == data[1]


def test_datasets_can_read_the_output_table(pictures: Pictures, tmp_path: Path) -> None:
    data = encoded(pictures, "a.png", "b.png", "c.png")
    write_table(tmp_path / "in.parquet", [{"bytes": item, "path": ""} for item in data])
    out = tmp_path / "out.parquet"
    assert batch(str(tmp_path / "in.parquet"), out).done == 3
    rows = pq.read_table(out).to_pylist()
    assert [row["name"] for row in rows] == ["000000.clg", "000001.clg", "000002.clg"]
    assert rows[1]["image"]["bytes"] == nc.compress(
        tmp_path / "in/b.png", codec="fractal", graphics=False, effort=0
    )
    assert not Path(f"{out}.parts").exists()
    assert batch(str(tmp_path / "in.parquet"), out).kept == 3

    import datasets
    from PIL import Image

    again = datasets.Dataset.from_parquet(str(out), cache_dir=str(tmp_path / "cache"))
    image = again.cast_column("image", datasets.Image())[2]["image"]
    assert isinstance(image, Image.Image)
    assert image.size == (12, 8)


def test_unchanged_rows_are_kept(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_GROUP_BYTES", 100)  # several groups of rows
    data = encoded(pictures, *(f"{number}.png" for number in range(5)))
    write_table(tmp_path / "t/x.parquet", data[:3])
    out = tmp_path / "out.parquet"
    assert batch(str(tmp_path / "t"), out).done == 3
    before = pq.read_table(out).to_pylist()
    write_table(tmp_path / "t/y.parquet", data[3:])
    summary = batch(str(tmp_path / "t"), out)
    assert (summary.kept, summary.done) == (3, 2)
    after = pq.read_table(out).to_pylist()
    assert after[:3] == before
    assert [row["name"] for row in after[3:]] == ["y/000000.clg", "y/000001.clg"]


def test_errors_explain_invalid_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such parquet file"):
        list(Table(str(tmp_path / "x.parquet")).items())
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(DataError, match="not a readable parquet file"):
        list(Table(str(tmp_path / "bad.parquet")).items())
    write_table(tmp_path / "other.parquet", [b"x"], "text")
    with pytest.raises(ImageError, match="no column image or img"):
        Table(str(tmp_path / "other.parquet")).read("000000")
    write_table(tmp_path / "empty.parquet", [None, b"x"])
    with pytest.raises(ImageError, match="no bytes"):
        Table(str(tmp_path / "empty.parquet")).read("000000")
    write_table(tmp_path / "taken.parquet", [b"x"])
    with pytest.raises(DataError, match="not a table written by a batch"):
        TableSink(str(tmp_path / "taken.parquet")).sizes()
