import json
from pathlib import Path

from benchmarks.targets import study as targets
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop


def test_a_small_run_finds_files_just_below_their_targets(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "left out.png"):
        to_pil(photo_crop(128)).save(tmp_path / name)
    output = tmp_path / "results"
    targets.main([tmp_path], output, count=2, sizes=2, side=96)
    found = json.loads((output / "targets.json").read_text())
    (of_folder,) = found["sets"]
    searches = of_folder["searches"]
    assert [one["picture"] for one in searches] == ["a.png", "a.png", "b.png", "b.png"]
    for one in searches:
        assert 0.98 * one["target"] <= one["bytes"] <= one["target"]
        assert 1 <= one["attempts"] <= 4
    assert searches[0]["target"] < searches[1]["target"]
    table = (output / "targets.md").read_text()
    assert f"| {tmp_path.name} | 4 | 0 |" in table
    assert str(tmp_path) not in table


def test_pictures_are_taken_at_equal_distances() -> None:
    paths = [Path(str(number)) for number in range(10)]
    assert targets.evenly(paths, 4) == [paths[0], paths[2], paths[5], paths[7]]
    assert targets.evenly(paths, 20) == paths
