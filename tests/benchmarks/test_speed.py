"""The parts of the study of speed at small sizes, and how their results are kept together."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.speed import in_process, samples, study
from benchmarks.speed.batch import write_parts_of
from benchmarks.speed.peers import FORMATS
from benchmarks.speed.report import Table, read_parts
from benchmarks.speed.samples import Samples
from benchmarks.support.photos import photo
from neural_collage.errors import CollageError

JPEG = FORMATS[0]
OURS = {"collage decompress", "collage decompress --threads 1"}


def measure(part: str, output: Path, **options: Any) -> dict[str, Any]:
    """The result file after a run of one part at small sizes."""
    study.main(
        output=output,
        only=part,
        size=(48, 32),
        large_size=(96, 64),
        threads="1",
        process_rounds=1,
        decode_rounds=1,
        encode_rounds=1,
        large_rounds=1,
        neighbour_rounds=1,
        **options,
    )
    found = json.loads((output / "speed.json").read_text())
    assert isinstance(found, dict)
    return found


def rows(part: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """The rows of the tables of a part, by title; all their numbers are positive."""
    found = {table["title"]: table["rows"] for table in part["tables"]}
    for table in found.values():
        for row in table.values():
            assert all(value > 0 for value in row.values() if not isinstance(value, str))
    return found


@pytest.fixture
def jpeg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """JPEG is the one other format."""
    monkeypatch.setattr(samples, "FORMATS", (JPEG,))


@pytest.mark.usefixtures("jpeg_alone")
def test_whole_processes(file: Path, tmp_path: Path) -> None:
    found = rows(measure("processes", tmp_path, image=file, large=file.parent)["processes"])
    assert {label: set(table) for label, table in found.items()} == {
        "Files": {"neural", "JPEG"},
        "Decode, photo, 48 x 32": {*OURS, "Image.open of our file", "JPEG"},
        "Encode, photo, 48 x 32": {"collage compress --codec auto", "JPEG"},
        "Decode, large, 96 x 64": {*OURS, "Image.open of our file", "JPEG"},
        "Decode a window of 512 x 512, large, 96 x 64": {*OURS, "JPEG"},
        "Decode at scale 1/8, large, 96 x 64": {*OURS, "Image.open of our file", "JPEG"},
        "Encode, large, 96 x 64": {
            *("collage compress --codec neural", "collage compress --codec auto", "JPEG")
        },
    }
    page = (tmp_path / "speed.md").read_text()
    assert all(f"### {title}" in page for title in found)
    assert "--image noise.png" in page


@pytest.mark.usefixtures("jpeg_alone")
def test_calls_in_one_process(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "EFFORTS", {"neural": (5,), "fractal": (0,)})
    found = rows(measure("in-process", tmp_path, image=file, large=file.parent)["in-process"])
    ours = {"neural", "neural, 8 bits"}
    assert {label: set(table) for label, table in found.items()} == {
        "Decode, photo, 48 x 32": {*ours, "JPEG"},
        "Decode, fractal, photo, 48 x 32": {
            *("file to pixels", "pyramid only"),
            *("10 full-size steps", "10 full-size steps, indices kept"),
        },
        "Decode at scale 64, photo, 48 x 32": {"neural", "fractal"},
        "Encode, photo, 48 x 32": {"neural, effort 5", "fractal, effort 0", "JPEG"},
        "Decode, large, 96 x 64": {*ours, "JPEG"},
        "Decode a window of 512 x 512, large, 96 x 64": {*ours, "JPEG"},
        "Decode at scale 1/8, large, 96 x 64": {*ours, "JPEG"},
        "Encode, large, 96 x 64": {"neural", "auto", "JPEG"},
    }


@pytest.mark.usefixtures("jpeg_alone")
def test_beside_a_busy_process(file: Path, tmp_path: Path) -> None:
    found = rows(measure("neighbour", tmp_path, image=file)["neighbour"])
    assert set(found["Decode, photo, 48 x 32"]) == {
        "neural, 1 thread, process",
        "neural, 1 thread, call",
    }


def test_batches(file: Path, tmp_path: Path) -> None:
    Image.open(file).save(file.with_name("second.png"))
    options = {"image": file, "aerial": file.parent, "batch_pictures": 2, "workers": 1}
    part = measure("batch", tmp_path / "results", **options)["batch"]
    assert set(rows(part)["1 worker"]) == {"compress", "decompress"}
    assert part["tables"][0]["note"].startswith("2 pictures of 24 x 16 pixels by")


def test_parts_of_a_photo_are_a_batch(tmp_path: Path) -> None:
    photo(None, 200, 160).save(tmp_path / "photo.png")
    for folder in (tmp_path / "first", tmp_path / "second"):
        write_parts_of(tmp_path / "photo.png", 3, folder)
    files = [path.read_bytes() for path in sorted((tmp_path / "first").iterdir())]
    assert len({*files}) == 3
    assert files == [path.read_bytes() for path in sorted((tmp_path / "second").iterdir())]
    assert {Image.open(BytesIO(file)).size for file in files} == {(150, 150)}


def test_a_batch_of_too_few_pictures_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="2 for 2 workers"):
        measure("batch", tmp_path, image=file, aerial=file.parent, batch_pictures=2)
    with pytest.raises(CollageError, match=r"holds 1 pictures, not 3$"):
        measure("batch", tmp_path, image=file, aerial=file.parent, batch_pictures=3)


def test_growth(file: Path, tmp_path: Path) -> None:
    part = measure(
        *("growth", tmp_path),
        image=file,
        large=file.parent,
        megapixels="0.006",
        large_megapixels="",
        plain_megapixels="0.012,1e-2",
        growth_effort=0,
    )["growth"]
    assert {title: list(table) for title, table in rows(part).items()} == {
        "Neural": ["0.006 megapixels"],
        "Fractal": ["0.006 megapixels"],
        "Auto, one colour": ["0.012 megapixels", "0.01 megapixels"],
    }


def test_a_picture_that_needs_too_much_memory_has_its_error(file: Path, tmp_path: Path) -> None:
    part = measure(
        *("growth", tmp_path),
        image=file,
        megapixels="",
        large_megapixels="",
        plain_megapixels="24",
        growth_effort=0,
        memory_limit=450,
    )["growth"]
    (row,) = rows(part)["Auto, one colour"].values()
    assert str(row["encode s"]).startswith("MemoryError")
    assert str(row["decode s"]) == "–"


def test_parts_replace_those_of_an_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def part(value: float) -> tuple[str, Any]:
        return "A title", lambda *_: [Table("A table", {"a row": {"s": value}}, "A note.")]

    monkeypatch.setattr(study, "PARTS", {"first": part(1.0), "second": part(2.0)})
    measure("second", tmp_path)
    measure("first", tmp_path)
    assert list(read_parts(tmp_path)) == ["first", "second"]
    monkeypatch.setattr(study, "PARTS", {"first": part(3.0), "second": part(4.0)})
    measure("second", tmp_path)
    found = read_parts(tmp_path)
    assert [each.tables[0].rows["a row"]["s"] for each in found.values()] == [1, 4]
    page = (tmp_path / "speed.md").read_text()
    assert page.count("Machine: ") == 1
    command = "    python -m benchmarks.speed --size 48 32 --large-size 96 64"
    lines = [line for line in page.splitlines() if line.startswith(command)]
    assert len(lines) == 2  # settings that are not the defaults are said
    assert all("--process-rounds 1" in line and "--workers" not in line for line in lines)
    assert page.count("### A table\n\nA note.") == 2
    assert "| a row | 4.00 |" in page


def test_unknown_parts_and_other_result_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="no part speed: choose some of processes, in-process"):
        measure("growth,speed", tmp_path)
    (tmp_path / "speed.json").write_text('{"command": "python -m benchmarks.speed"}')
    with pytest.raises(CollageError, match="holds no parts of this study: remove it"):
        measure("growth", tmp_path)


def test_large_pictures_are_made_of_photos(file: Path, tmp_path: Path) -> None:
    photos = []
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        photos.append(tmp_path / name)
        Image.new("RGB", (16, 16), colour).save(photos[-1])
    made = Samples(tmp_path, file, photos, (8, 8), (8, 8)).large_picture(2000, 800)
    corners = [made.getpixel(place) for place in ((767, 767), (768, 767), (1536, 0), (0, 768))]
    red, blue = (255, 0, 0), (0, 0, 255)
    assert corners == [red, blue, red, blue]
    mirrored = np.asarray(Samples(tmp_path, file, [], (8, 8), (8, 8)).large_picture(48, 16))
    assert np.array_equal(mirrored[:, 24:], mirrored[:, 23::-1])
