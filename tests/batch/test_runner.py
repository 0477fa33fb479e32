"""Which items a run processes, keeps, retries and gives up."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import neural_collage as nc
from neural_collage.batch.manifest import Manifest, ManifestEntry
from neural_collage.batch.runner import Summary, run_batch
from neural_collage.batch.stores import Folder
from neural_collage.batch.tasks import BatchTask
from neural_collage.errors import DataError, OutputError
from tests.batch.conftest import FRACTAL, InlineEngine, LosingEngine, Pictures


def batch(source: Path, out: Path, task: BatchTask = FRACTAL, **options: object) -> Summary:
    engine = options.pop("engine", None) or InlineEngine()
    with Manifest(str(out / "manifest.jsonl")) as manifest:
        folders = Folder(str(source), task.searched), Folder(str(out))
        return run_batch(*folders, task, engine, manifest, **options)  # type: ignore[arg-type]


def entries(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_all_items_are_processed_and_recorded(pictures: Pictures, tmp_path: Path) -> None:
    source, out = pictures("in", "a.png", "deep/b.jpg"), tmp_path / "out"
    summary = batch(source, out)
    assert (summary.total, summary.done, summary.kept, summary.failed) == (2, 2, 0, {})
    for name in ("a.png", "deep/b.jpg"):
        file = (out / name).with_suffix(".clg")
        assert file.read_bytes() == nc.compress(
            source / name, codec="fractal", graphics=False, effort=0
        )
    recorded = {entry["input"]: entry for entry in entries(out)}
    assert recorded["deep/b.jpg"]["output"] == "deep/b.clg"
    assert recorded["a.png"]["bytes"] == (out / "a.clg").stat().st_size
    assert recorded["a.png"]["bpp"] == pytest.approx(
        8 * (out / "a.clg").stat().st_size / 96, abs=1e-6
    )
    assert summary.bytes == sum(path.stat().st_size for path in out.rglob("*.clg"))
    assert not (out / ".staging").exists()


def test_a_second_run_processes_only_missing_or_changed_items(
    pictures: Pictures, tmp_path: Path
) -> None:
    source, out = pictures("in", "a.png", "b.png", "c.png", "d.png"), tmp_path / "out"
    batch(source, out)
    assert batch(source, out, engine=(idle := InlineEngine())).kept == 4
    assert idle.processed == []
    (out / "a.clg").unlink()
    (out / "b.clg").write_bytes(b"cut")
    pictures("in", "c.png", "e.png")
    summary = batch(source, out, engine=(second := InlineEngine()))
    assert second.processed == ["a.png", "b.png", "c.png", "e.png"]
    assert (summary.kept, summary.done) == (1, 4)
    assert (out / "c.clg").read_bytes() == nc.compress(
        source / "c.png", codec="fractal", graphics=False, effort=0
    )


def test_changed_settings_or_overwrite_process_all_items(
    pictures: Pictures, tmp_path: Path
) -> None:
    source, out = pictures("in", "a.png"), tmp_path / "out"
    batch(source, out)
    assert batch(source, out, replace(FRACTAL, quality=80)).done == 1
    assert batch(source, out, replace(FRACTAL, quality=80)).kept == 1
    assert batch(source, out, replace(FRACTAL, quality=80), overwrite=True).done == 1


def test_failed_items_are_retried_after_all_others_and_recorded(
    pictures: Pictures, tmp_path: Path
) -> None:
    source, out = pictures("in", "b.png", "c.png"), tmp_path / "out"
    (source / "a.png").write_bytes(b"no picture")
    summary = batch(source, out, engine=(engine := InlineEngine()), retries=2)
    assert engine.processed == ["a.png", "b.png", "c.png", "a.png", "a.png"]
    assert (summary.done, list(summary.failed)) == (2, ["a.png"])
    assert [e["attempts"] for e in entries(out) if e["input"] == "a.png"] == [1, 2, 3]
    assert "not a picture" in str(entries(out)[-1]["error"])
    pictures("in", "a.png")
    assert batch(source, out).done == 1


def test_inputs_that_differ_in_their_ending_alone_keep_it(
    pictures: Pictures, tmp_path: Path
) -> None:
    source, out = pictures("in", "a.png", "a.jpg", "b.png"), tmp_path / "out"
    assert batch(source, out).done == 3
    assert {path.name for path in out.glob("*.clg")} == {"a.png.clg", "a.jpg.clg", "b.clg"}
    assert (batch(source, out).done, batch(source, out).kept) == (0, 3)


def test_an_output_that_gets_another_name_is_made_again(pictures: Pictures, tmp_path: Path) -> None:
    out = tmp_path / "out"
    batch(pictures("in", "a.png"), out)
    assert batch(pictures("in", "a.jpg"), out).done == 2
    assert {path.name for path in out.glob("*.clg")} >= {"a.png.clg", "a.jpg.clg"}


def test_inputs_with_the_same_output_name_all_the_same_both_fail(
    pictures: Pictures, tmp_path: Path
) -> None:
    summary = batch(pictures("in", "a.png", "a.jpg", "a.png.png"), tmp_path / "out")
    assert (summary.done, set(summary.failed)) == (1, {"a.png", "a.png.png"})
    assert "rename one" in str(summary.failed["a.png"].error)
    assert not (tmp_path / "out/a.png.clg").exists()


def test_all_endings_that_are_compressed_are_looked_for(pictures: Pictures, tmp_path: Path) -> None:
    source = pictures("in", "a.png", "b.tga", "c.jfif")
    (source / "d.heic").write_bytes(b"")
    summary = batch(source, tmp_path / "out", retries=0)
    assert (summary.done, set(summary.failed)) == (3, {"d.heic"})


@pytest.mark.parametrize(("deaths", "done"), [(1, 3), (9, 2)])
def test_items_whose_process_died_are_retried_one_at_a_time(
    pictures: Pictures, tmp_path: Path, deaths: int, done: int
) -> None:
    source = pictures("in", "a.png", "b.png", "c.png")
    engine = LosingEngine("b.png", deaths)
    summary = batch(source, tmp_path / "out", engine=engine, retries=2)
    assert summary.done == done
    assert engine.isolated == ["b.png"] * min(deaths, 2)
    if done == 2:
        assert "died" in str(summary.failed["b.png"].error)


def test_a_full_disk_aborts_the_run_and_keeps_completed_items(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = pictures("in", "a.png", "b.png", "c.png"), tmp_path / "out"
    write = Folder.write

    def full(folder: Folder, name: str, data: bytes) -> None:
        if name == "b.clg":
            raise OutputError(f"{name}: full") from OSError(28, "No space left on device")
        write(folder, name, data)

    monkeypatch.setattr(Folder, "write", full)
    with pytest.raises(OutputError, match=r"No space left on device.*1 of 3 are done"):
        batch(source, out)
    monkeypatch.undo()
    assert batch(source, out).kept == 1


def test_evaluating_writes_no_outputs(pictures: Pictures, tmp_path: Path) -> None:
    source, out = pictures("in", "a.png", "b.png"), tmp_path / "out"
    summary = batch(source, out, replace(FRACTAL, kind="evaluate"))
    assert {path.name for path in out.iterdir()} == {"manifest.jsonl"}
    assert summary.measured == 2
    assert all(isinstance(entry["psnr"], float) for entry in entries(out))
    assert batch(source, out, replace(FRACTAL, kind="evaluate")).kept == 2


def test_reencoded_and_decompressed_items_match_the_library(
    pictures: Pictures, tmp_path: Path
) -> None:
    source = pictures("in", "a.png", "deep/b.png")
    batch(source, tmp_path / "clg")
    batch(tmp_path / "clg", tmp_path / "again", replace(FRACTAL, kind="reencode", quality=90))
    batch(tmp_path / "again", tmp_path / "back", replace(FRACTAL, kind="decompress", scale=2))
    file = tmp_path / "again/deep/b.clg"
    assert nc.load(file).quality == 90
    with nc.load(file).to_pil(2) as expected:
        from PIL import Image

        with Image.open(tmp_path / "back/deep/b.png") as image:
            assert image.tobytes() == expected.tobytes()


def test_an_empty_or_missing_source_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="nothing to compress"):
        batch(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match="no such folder"):
        batch(tmp_path / "nowhere", tmp_path / "out")


def test_progress_is_reported_before_the_first_and_after_every_attempt(
    pictures: Pictures, tmp_path: Path
) -> None:
    calls: list[tuple[int, ManifestEntry | None]] = []

    def record(summary: Summary, entry: ManifestEntry | None) -> None:
        calls.append((summary.done, entry))

    source = pictures("in", "a.png", "b.png")
    batch(source, tmp_path / "out", on_progress=record)
    assert [done for done, _ in calls] == [0, 1, 2]
    assert calls[0][1] is None
    assert [entry.input for _, entry in calls if entry] == ["a.png", "b.png"]
