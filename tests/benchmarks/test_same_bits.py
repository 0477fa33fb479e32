import json
from pathlib import Path

import pytest

from benchmarks.same_bits import study as same_bits
from benchmarks.same_bits.study import AT_ONCE, REFERENCE, Condition, Decoded
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    to_pil(photo_crop(120)).save(folder / "photo.png")
    return folder


def test_a_few_files_decode_to_the_same_bits(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = (Condition(4, AT_ONCE), Condition(2, onednn=False), Condition(1, dtype="float64"))
    monkeypatch.setattr(same_bits, "CONDITIONS", (REFERENCE, *others))
    output = tmp_path / "results"
    same_bits.main(photos, output, files=5, largest=100, per_process=5)
    found = json.loads((output / "same_bits.json").read_text())
    assert len(found["samples"]) == found["files"] == 5
    assert [row["condition"]["threads"] for row in found["differences"]] == [1, 4, 2, 1]
    for row in found["differences"]:
        assert (row["levels"], row["errors"]) == (0, 0), row
        assert row["floats"] == 0, row
    table = (output / "same_bits.md").read_text()
    assert "| 4 threads, 4 concurrent decodes | 0 | 0 | 0 |" in table
    assert str(tmp_path) not in table


def test_samples_depend_on_the_seed_alone(photos: Path) -> None:
    def samples(seed: int) -> list[same_bits.Sample]:
        return list(same_bits.encode_samples([photos / "photo.png"], 4, "fractal", 30, seed))

    assert samples(1) == samples(1) != samples(2)
    assert all(1 <= side <= 30 for one in samples(1) for side in (one.width, one.height))


def test_differences_and_failures_are_counted_separately() -> None:
    reference = [Decoded("a", "a"), Decoded("b", "b"), Decoded("c", "c"), Decoded("d", "d")]
    found = [Decoded("a", "a"), Decoded("b", "x"), Decoded("y", "y"), Decoded(error="E: no")]
    row = same_bits.differences(Condition(2), reference, found)
    assert (row.levels, row.floats, row.errors, row.first_error) == (1, 2, 1, "E: no")
    assert row.files == [1, 2, 3]


def test_the_error_of_a_failed_decode_is_kept() -> None:
    (found,) = same_bits.decode_all([b"no file"], REFERENCE, 1, 1)
    assert found.error.startswith("CollageFormatError: ")
    assert not found.levels
