"""What a run does, does not do again, tries again and gives up."""

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
from tests.batch.conftest import FRACTAL, Forgetful, Inline, Pictures


def batch(source: Path, out: Path, task: BatchTask = FRACTAL, **options: object) -> Summary:
    engine = options.pop("engine", None) or Inline()
    with Manifest(str(out / "manifest.jsonl")) as manifest:
        folders = Folder(str(source), task.searched), Folder(str(out))
        return run_batch(*folders, task, engine, manifest, **options)  # type: ignore[arg-type]


def entries(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_all_is_done_and_noted(pictures: Pictures, tmp_path: Path) -> None:
    source, out = pictures("in", "a.png", "deep/b.jpg"), tmp_path / "out"
    summary = batch(source, out)
    assert (summary.total, summary.done, summary.kept, summary.failed) == (2, 2, 0, {})
    for name in ("a.png", "deep/b.jpg"):
        file = (out / name).with_suffix(".clg")
        assert file.read_bytes() == nc.compress(source / name, codec="fractal", effort=0)
    noted = {entry["input"]: entry for entry in entries(out)}
    assert noted["deep/b.jpg"]["output"] == "deep/b.clg"
    assert noted["a.png"]["bytes"] == (out / "a.clg").stat().st_size
    assert noted["a.png"]["bpp"] == pytest.approx(8 * (out / "a.clg").stat().st_size / 96, abs=1e-6)
    assert summary.bytes == sum(path.stat().st_size for path in out.rglob("*.clg"))
    assert not (out / ".staging").exists()


def test_a_second_run_does_only_what_is_missing_or_has_changed(
    pictures: Pictures, tmp_path: Path
) -> None:
    source, out = pictures("in", "a.png", "b.png", "c.png", "d.png"), tmp_path / "out"
    batch(source, out)
    assert batch(source, out, engine=(idle := Inline())).kept == 4
    assert idle.hands == []
    (out / "a.clg").unlink()
    (out / "b.clg").write_bytes(b"cut")
    pictures("in", "c.png", "e.png")
    summary = batch(source, out, engine=(second := Inline()))
    assert second.hands == ["a.png", "b.png", "c.png", "e.png"]
    assert (summary.kept, summary.done) == (1, 4)
    assert (out / "c.clg").read_bytes() == nc.compress(source / "c.png", codec="fractal", effort=0)


def test_other_settings_or_a_wish_do_all_again(pictures: Pictures, tmp_path: Path) -> None:
    source, out = pictures("in", "a.png"), tmp_path / "out"
    batch(source, out)
    assert batch(source, out, replace(FRACTAL, quality=80)).done == 1
    assert batch(source, out, replace(FRACTAL, quality=80)).kept == 1
    assert batch(source, out, replace(FRACTAL, quality=80), again=True).done == 1


def test_what_fails_is_tried_again_after_all_others_and_then_noted(
    pictures: Pictures, tmp_path: Path
) -> None:
    source, out = pictures("in", "b.png", "c.png"), tmp_path / "out"
    (source / "a.png").write_bytes(b"no picture")
    summary = batch(source, out, engine=(engine := Inline()), retries=2)
    assert engine.hands == ["a.png", "b.png", "c.png", "a.png", "a.png"]
    assert (summary.done, list(summary.failed)) == (2, ["a.png"])
    assert [e["attempts"] for e in entries(out) if e["input"] == "a.png"] == [1, 2, 3]
    assert "not a picture" in str(entries(out)[-1]["error"])
    pictures("in", "a.png")
    assert batch(source, out).done == 1


def test_inputs_that_would_become_the_same_output_both_fail(
    pictures: Pictures, tmp_path: Path
) -> None:
    summary = batch(pictures("in", "a.png", "a.jpg", "b.png"), tmp_path / "out")
    assert (summary.done, set(summary.failed)) == (1, {"a.png", "a.jpg"})
    assert "rename one" in str(summary.failed["a.png"].error)
    assert not (tmp_path / "out/a.clg").exists()


@pytest.mark.parametrize(("deaths", "done"), [(1, 3), (9, 2)])
def test_items_whose_process_died_are_tried_alone(
    pictures: Pictures, tmp_path: Path, deaths: int, done: int
) -> None:
    source = pictures("in", "a.png", "b.png", "c.png")
    engine = Forgetful("b.png", deaths)
    summary = batch(source, tmp_path / "out", engine=engine, retries=2)
    assert summary.done == done
    assert engine.alone == ["b.png"] * min(deaths, 2)
    if done == 2:
        assert "died" in str(summary.failed["b.png"].error)


def test_a_full_destination_ends_the_run_and_keeps_what_is_done(
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


def test_evaluating_keeps_no_files(pictures: Pictures, tmp_path: Path) -> None:
    source, out = pictures("in", "a.png", "b.png"), tmp_path / "out"
    summary = batch(source, out, replace(FRACTAL, kind="evaluate"))
    assert {path.name for path in out.iterdir()} == {"manifest.jsonl"}
    assert summary.measured == 2
    assert all(isinstance(entry["psnr"], float) for entry in entries(out))
    assert batch(source, out, replace(FRACTAL, kind="evaluate")).kept == 2


def test_there_and_back(pictures: Pictures, tmp_path: Path) -> None:
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


def test_no_items_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="nothing to compress"):
        batch(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match="no such folder"):
        batch(tmp_path / "nowhere", tmp_path / "out")


def test_whoever_asks_is_told(pictures: Pictures, tmp_path: Path) -> None:
    said: list[tuple[int, ManifestEntry | None]] = []
    source = pictures("in", "a.png", "b.png")
    batch(source, tmp_path / "out", told=lambda summary, entry: said.append((summary.done, entry)))
    assert [done for done, _ in said] == [0, 1, 2]
    assert said[0][1] is None
    assert [entry.input for _, entry in said if entry] == ["a.png", "b.png"]
