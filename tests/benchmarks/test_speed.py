import json
from pathlib import Path

from benchmarks import speed


def test_a_small_run_writes_its_results(file: Path, tmp_path: Path) -> None:
    speed.main(
        image=file,
        output=tmp_path / "results",
        threads=1,
        size=(48, 32),
        decode_rounds=1,
        encode_rounds=1,
        megapixels="0.0015,0.006",
        growth_effort=0,
    )
    found = json.loads((tmp_path / "results/speed.json").read_text())
    assert [point["width"] for point in found["growth"]] == [47, 95]
    assert all(
        seconds > 0 for part in ("decode", "window", "encode") for seconds in found[part].values()
    )
    table = (tmp_path / "results/speed.md").read_text()
    assert all(name in table for name in (*found["decode"], *found["encode"], "noise.png"))
