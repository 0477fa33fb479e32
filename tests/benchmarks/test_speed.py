import json
from pathlib import Path

from benchmarks.speed import study as speed


def test_a_small_run_writes_its_results(file: Path, tmp_path: Path) -> None:
    speed.main(
        image=file,
        output=tmp_path / "results",
        threads=1,
        size=(48, 32),
        decode_rounds=1,
        encode_rounds=1,
        megapixels="0.006",
        growth_effort=0,
    )
    found = json.loads((tmp_path / "results/speed.json").read_text())
    assert set(found["growth"]) == {"fractal", "neural"}
    for points in found["growth"].values():
        assert [point["width"] for point in points] == [95]
    assert {"fractal, effort 9", "neural, effort 5"} < set(found["encode"])
    assert {"fractal, file to pixels", "neural, file to pixels"} < set(found["decode"])
    assert all(
        seconds > 0 for part in ("decode", "window", "encode") for seconds in found[part].values()
    )
    table = (tmp_path / "results/speed.md").read_text()
    assert all(name in table for name in (*found["decode"], *found["encode"], "noise.png"))
