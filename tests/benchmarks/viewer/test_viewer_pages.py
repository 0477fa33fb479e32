import json
from pathlib import Path

import pytest

from benchmarks.support.browser import find_browser
from benchmarks.viewer import study
from neural_collage.errors import CollageError

needs_browser = pytest.mark.skipif(find_browser() is None, reason="NO BROWSER: install chromium")


@needs_browser
@pytest.mark.xdist_group("browser")
def test_a_page_is_measured_with_its_parts(tmp_path: Path) -> None:
    study.main(output=tmp_path, qualities="30", rounds=1)
    (row,) = json.loads((tmp_path / "viewer.json").read_text())["rows"]
    assert row["quality"] == 30
    assert 0 < row["file_bytes"] + row["weight_bytes"] < row["page_bytes"]
    assert 0 < row["png_seconds"] < row["seconds"]
    assert f"| {row['page_bytes']:,} |" in (tmp_path / "viewer.md").read_text()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "find_browser", lambda: None)
    with pytest.raises(CollageError, match=r"pip install neural-collage\[dev\]"):
        study.main(output=tmp_path)


@needs_browser
def test_qualities_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="give qualities, separated by commas"):
        study.main(output=tmp_path, qualities="high")
