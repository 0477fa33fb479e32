import json
from pathlib import Path

from benchmarks.operator import study as operator


def test_a_small_run_writes_its_results(tmp_path: Path) -> None:
    operator.main(
        output=tmp_path, threads=1, rounds=1, largest=32, hard_sizes="16,32", steps="4,40"
    )
    found = json.loads((tmp_path / "operator.json").read_text())
    for comparison in found["comparisons"]:
        assert len(comparison["seconds"]) == 4
        assert all(seconds > 0 for seconds in comparison["seconds"].values())
    assert [point["size"] for point in found["hard"]] == [16, 32]
    few, many = found["steps"]
    assert 3 <= few["steps"] <= 6
    assert 30 <= many["steps"] <= 50
    assert few["implicit_bytes"] == many["implicit_bytes"]
    assert many["unrolled_bytes"] > 5 * few["unrolled_bytes"]
    assert "published method" in (tmp_path / "operator.md").read_text()
