"""`collage view`: a page for each file, and what keeps one from being made."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.conformance.decode import FOLDER


@pytest.fixture(autouse=True)
def icons(tmp_path: Path) -> None:
    """Files in the empty folder."""
    data = (FOLDER / "graphics-icon.clg").read_bytes()
    (tmp_path / "icons").mkdir()
    for path in (tmp_path / "x.clg", tmp_path / "icons/a.clg", tmp_path / "icons/b.clg"):
        path.write_bytes(data)


def test_a_page_lies_beside_its_file_and_is_not_overwritten(collage: Run, tmp_path: Path) -> None:
    assert collage("view", "x.clg", "--alt", "An icon").exit_code == 0
    page = (tmp_path / "x.html").read_bytes()
    assert 'aria-label="An icon"' in page.decode("utf-16")
    again = collage("view", "x.clg")
    assert again.exit_code == 1
    assert again.stderr == "collage: x.clg: x.html exists: pass --overwrite to replace it\n"
    assert (tmp_path / "x.html").read_bytes() == page
    assert collage("view", "x.clg", "--overwrite").exit_code == 0
    assert (tmp_path / "x.html").read_bytes() != page


def test_folders_become_folders_of_pages(collage: Run, tmp_path: Path) -> None:
    result = collage("view", "icons", "-o", "pages", "--json")
    assert result.exit_code == 0
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert [report["output"] for report in reports] == ["pages/a.html", "pages/b.html"]
    assert [(report["width"], report["height"]) for report in reports] == [(45, 47)] * 2
    sizes = [path.stat().st_size for path in sorted((tmp_path / "pages").iterdir())]
    assert [report["bytes"] for report in reports] == sizes


def test_other_names_and_files_are_refused(collage: Run, tmp_path: Path) -> None:
    result = collage("view", "x.clg", "-o", "x.png")
    assert result.exit_code == 2
    assert "end a file in .html or .htm" in result.stderr
    (tmp_path / "broken.clg").write_bytes((tmp_path / "x.clg").read_bytes()[:-1])
    for name, reason in (("broken.clg", "truncated"), ("missing.clg", "no such file")):
        result = collage("view", name)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"collage: {name}: ")
        assert reason in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("*.html")) + list(tmp_path.glob("*.png"))
