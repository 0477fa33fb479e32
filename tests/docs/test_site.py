"""The documentation site builds without a warning, and has an entry for every public name."""

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import neural_collage as nc
from tests.root import ROOT

for needed in ("mkdocs", "material", "mkdocstrings"):
    pytest.importorskip(needed, reason="the site needs the extra: docs")

pytestmark = pytest.mark.xdist_group("site")  # one process builds it


def build(folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the documentation of a checkout."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_readme_is_the_first_page(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    assert "Images as fixed points of contractive maps" in page
    assert 'href="architecture.html"' in page
    assert 'src="pictures/opening.webp"' in page
    assert (site / "pictures/opening.webp").exists()


def test_what_pages_link_to_outside_the_docs_is_there(site: Path) -> None:
    page = (site / "batch.html").read_text(encoding="utf-8")
    assert 'href="benchmarks/results/faults.html"' in page
    assert (site / "benchmarks/results/faults.html").exists()


def test_formulas_and_drawings_are_there(site: Path) -> None:
    assert '<pre class="mermaid">' in (site / "architecture.html").read_text(encoding="utf-8")


def test_every_public_name_has_an_entry(site: Path) -> None:
    inventory = (site / "objects.inv").read_bytes().split(b"zlib.\n", 1)[1]
    entries = {line.split()[0] for line in zlib.decompress(inventory).decode().splitlines()}
    assert not {f"neural_collage.{name}" for name in nc.__all__} - entries
    assert "neural_collage.core.fixed_point.Solver" in entries
    assert "neural_collage.codec.registry.register_codec" in entries


def test_the_first_page_of_the_reference_lists_every_public_function(site: Path) -> None:
    page = (site / "reference/index.html").read_text(encoding="utf-8")
    errors = {name for name in nc.__all__ if name.endswith("Error")}
    for name in set(nc.__all__) - errors:
        assert f"<code>nc.{name}</code>" in page, name
    for name in errors:
        assert f'id="neural_collage.errors.{name}"' in page, name


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("reference"))
    shutil.copy(ROOT / "README.md", tmp_path)
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    for page in (tmp_path / "docs").glob("*.md"):
        page.write_text("# Empty\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("[here](docs/format.md) `[code](nowhere.md)`\n")
    (tmp_path / "CONTRIBUTING.md").write_text("# Empty\n", encoding="utf-8")
    (tmp_path / "src").mkdir()
    good = build(tmp_path, tmp_path / "good")
    assert good.returncode == 0, good.stdout + good.stderr
    (tmp_path / "README.md").write_text("[here](docs/formats.md)\n", encoding="utf-8")
    bad = build(tmp_path, tmp_path / "bad")
    assert bad.returncode != 0
    assert "formats.md" in bad.stdout + bad.stderr
